"""In which precision a recipe's models are run: as the settings say, or the faster one that gives the same results."""

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from acronis_pipeline import embedding
from acronis_pipeline.embedding import Embedder, ModelIdentity, in_precision
from acronis_pipeline.embedding.identity import BFLOAT16, BFLOAT16_IN_TORCH, FLOAT32
from acronis_pipeline.encoders import engine
from acronis_pipeline.encoders.choosing import running
from acronis_pipeline.encoders.machine import has_gpu, machine
from acronis_pipeline.encoders.probe import compare, remember, remembered
from acronis_pipeline.errors import ModelError, SettingsError
from acronis_pipeline.fingerprint import digest
from acronis_pipeline.settings import ModelSettings

_log = logging.getLogger(__name__)
_WORTH = 1.5
"""Gain below which a machine stays with float32, whose vectors any other machine computes too."""
_SAME = 0.9999
_TEXTS, _TOKENS = 32, 96
_TEXTS_ON_ACCELERATOR = 512
"""A few full batches there; one small one would time how kernels are started."""


@dataclass(frozen=True)
class PrecisionVerdict:
    """What a probe found."""

    precision: str
    reason: str


def precision_of(base: ModelIdentity, folder: Callable[[], Path], settings: ModelSettings) -> str:
    """The precision of a recipe's base and of what was trained from it, so that both search the same passages.

    With `auto` it is bfloat16 if the base, probed once on this machine, is at least half as fast again in it and its
    vectors have a cosine of .9999 or more with float32's. The verdict is kept beside the converted models.

    Parameters
    ----------
    base
        Identity of the base in float32.
    folder
        Where it is; called only for a probe.

    Raises
    ------
    SettingsError
        With `auto`, if the settings name no place to remember the verdict.
    ModelError
        With `auto`, if the base does not load, or the settings ask for an engine that is not installed.
    """
    if settings.precision != "auto":
        return FLOAT32 if settings.precision == FLOAT32 else _bfloat16(settings)
    if settings.cache_dir is None:
        raise SettingsError(
            "the probed precision has no place: set model.cache_dir, or load settings with a data folder"
        )
    where = digest(machine(), str(settings.device), _bfloat16(settings))
    file = settings.cache_dir / f"{base.model_id}-{where[:12]}-precision.json"
    verdict = remembered(file, PrecisionVerdict)
    if verdict is None:
        verdict = _probe(base, folder(), settings, file)
        _log.info("%s runs in %s: %s", base.base, verdict.precision, verdict.reason)
    return verdict.precision


def _bfloat16(settings: ModelSettings) -> str:
    """That of the engine which computes it here."""
    on_cpu = settings.device == "cpu" or (settings.device is None and not has_gpu())
    in_openvino = settings.backend == "openvino" or (settings.backend == "auto" and on_cpu and engine.is_installed())
    return BFLOAT16 if in_openvino else BFLOAT16_IN_TORCH


def _probe(base: ModelIdentity, folder: Path, settings: ModelSettings, file: Path) -> PrecisionVerdict:
    reduced = in_precision(base, _bfloat16(settings))
    if reduced.precision == BFLOAT16:
        engine.openvino()  # or says that it is missing: with it, another verdict
    exact = embedding.load(folder, base, device=settings.device, batch_size=settings.batch_size)
    n_texts = _TEXTS if exact.model.device.type == "cpu" else _TEXTS_ON_ACCELERATOR
    try:
        found = compare(exact, running(folder, reduced, settings), _any_texts(exact, n_texts), n=n_texts)
        wins = found.gain >= _WORTH and found.least_cosine >= _SAME
        told = found.told(reduced.precision, "float32 in torch")
        verdict = PrecisionVerdict(reduced.precision if wins else FLOAT32, told)
    except OSError as error:  # such as a disk that is full: not for ever
        return PrecisionVerdict(FLOAT32, str(error))
    except ModelError as error:  # no such arithmetic, no conversion
        verdict = PrecisionVerdict(FLOAT32, str(error))
    remember(file, verdict, "a precision")
    return verdict


def _any_texts(embedder: Embedder, n_texts: int) -> list[str]:
    """Of the model's own words in no order, whatever its language: no passage is at hand where an identity is asked."""
    tokenizer = embedder.tokenizer()
    draw = random.Random(0)
    n = tokenizer.get_vocab_size()
    return [tokenizer.decode([draw.randrange(n) for _ in range(_TOKENS)]) for _ in range(n_texts)]
