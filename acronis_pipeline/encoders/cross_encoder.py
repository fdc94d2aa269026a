"""Finding and loading cross-encoders, models that read question and passage together: to rerank, and to teach."""

import logging
from pathlib import Path
from textwrap import shorten
from typing import Any

from acronis_pipeline.core.errors import ModelError
from acronis_pipeline.core.files import read_json
from acronis_pipeline.encoders import folder as model_folder

MAX_LENGTH = 512
"""Tokens of question and passage together; shorter where the model has fewer positions."""

_log = logging.getLogger(__name__)


def find(name: str, *, role: str, otherwise: str) -> Path:
    """Folder of a cross-encoder: a local one, or downloaded from the hub. Reads its configuration only.

    Parameters
    ----------
    role, otherwise
        What the model is for, and how to do without: for errors.

    Raises
    ------
    ModelError
        If the model is neither here nor on the hub, or reads single texts.
    """
    folder = model_folder.find_model(name, role=role, otherwise=otherwise)
    # sentence-transformers (6.2) takes any encoder for a cross-encoder and gives it a head of random weights.
    if not _reads_pairs(folder):
        raise ModelError(f"{role} {name} encodes single texts; name a cross-encoder, which reads pairs, or {otherwise}")
    return folder


def is_cross_encoder(folder: Path) -> bool:
    """Whether a model folder says that it holds one; reads its configuration only."""
    says = read_json(folder / "config_sentence_transformers.json").get("model_type")
    if says or (folder / "modules.json").exists():
        return says == "CrossEncoder"
    return _architecture(folder).endswith("ForSequenceClassification")


def _reads_pairs(folder: Path) -> bool:
    is_language_model = not (folder / "modules.json").exists() and _architecture(folder).endswith("ForCausalLM")
    return is_cross_encoder(folder) or is_language_model


def _architecture(folder: Path) -> str:
    return (read_json(folder / "config.json").get("architectures") or [""])[0]


def load(name: str, *, role: str, otherwise: str, device: str | None = None) -> Any:
    """A sentence-transformers `CrossEncoder` in fp32 that gives one score a pair.

    Parameters
    ----------
    name
        A hub name (`cross-encoder/ms-marco-MiniLM-L6-v2`) or a local folder. Code in either is never run.
    role, otherwise
        As of `find`.

    Raises
    ------
    ModelError
        If `find` refuses the model, or it needs code of its own or gives more than one score a pair.
    """
    folder = find(name, role=role, otherwise=otherwise)
    import torch
    from sentence_transformers import CrossEncoder
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    try:
        # Half-precision checkpoints stay half on CPU by default, which is some hundred times slower.
        model = CrossEncoder(str(folder), device=device, trust_remote_code=False, model_kwargs={"dtype": torch.float32})
    except Exception as error:  # the model classes fail in many ways, none of them a bug of ours
        reason = shorten(str(error), 200, placeholder=" …")
        raise ModelError(
            f"{role} {name} does not load ({reason}); name another cross-encoder, or {otherwise}"
        ) from error
    if model.num_labels != 1:
        raise ModelError(f"{role} {name} gives {model.num_labels} scores a pair instead of one; name one that ranks")
    model.max_seq_length = min(MAX_LENGTH, model.max_seq_length or MAX_LENGTH)
    _log.info("loaded cross-encoder %s on %s", name, model.device)
    return model
