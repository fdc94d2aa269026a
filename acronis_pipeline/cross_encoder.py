"""Loading cross-encoders, models that read question and passage together: to rerank, and to teach."""

import logging
from typing import Any

from acronis_pipeline.errors import ModelError

MAX_LENGTH = 512
"""Tokens of question and passage together; shorter where the model has fewer positions."""

_log = logging.getLogger(__name__)


def load(name: str, *, role: str, otherwise: str, device: str | None = None) -> Any:
    """A sentence-transformers `CrossEncoder` in fp32 that gives one score a pair.

    Parameters
    ----------
    name
        A hub name (`cross-encoder/ms-marco-MiniLM-L6-v2`) or a local folder. Code in either is never run.
    role, otherwise
        What the model is for, and how to do without: for errors and the log.

    Raises
    ------
    ModelError
        If the model is neither here nor on the hub, needs code of its own, or gives more than one score a pair.
    """
    import torch
    from sentence_transformers import CrossEncoder
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    try:
        # Half-precision checkpoints stay half on CPU by default, which is some hundred times slower.
        model = CrossEncoder(name, device=device, trust_remote_code=False, model_kwargs={"dtype": torch.float32})
    except Exception as error:  # the hub and the model classes fail in many ways, none of them a bug of ours
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"{role} {name} does not load ({reason}); name a cross-encoder of the model hub or a local "
            f"folder, or {otherwise}"
        ) from error
    if model.num_labels != 1:
        raise ModelError(f"{role} {name} gives {model.num_labels} scores a pair instead of one; name one that ranks")
    model.max_seq_length = min(MAX_LENGTH, model.max_seq_length or MAX_LENGTH)
    _log.info("loaded %s %s on %s", role, name, model.device)
    return model
