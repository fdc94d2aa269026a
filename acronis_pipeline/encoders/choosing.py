"""Which engine runs a model on this machine: as the settings say, or the faster of those that give the same vectors."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from acronis_pipeline import embedding
from acronis_pipeline.embedding import Embedder, ModelIdentity
from acronis_pipeline.embedding.identity import BFLOAT16_IN_TORCH, FLOAT32
from acronis_pipeline.embedding.routes import Side
from acronis_pipeline.encoders import engine
from acronis_pipeline.encoders.conversion import write_openvino
from acronis_pipeline.encoders.converted import LAYOUT, ConvertedEmbedder, is_converted, make_once
from acronis_pipeline.encoders.machine import machine
from acronis_pipeline.encoders.probe import compare, remember, remembered
from acronis_pipeline.endpoint_folder import is_endpoint
from acronis_pipeline.errors import IdentityMismatchError, ModelError, SettingsError
from acronis_pipeline.fingerprint import digest
from acronis_pipeline.settings import ModelSettings

_log = logging.getLogger(__name__)
_WORTH_CONVERTING = 1_000
"""Texts that one process must have encoded: converting and probing cost about what OpenVINO saves on half as many."""
_SAME = 0.99999
"""Least cosine between two engines' vectors of a text that makes them the same: torch's own batches differ by 1e-7."""
_FASTER = 1.1


@dataclass(frozen=True)
class Verdict:
    """What a probe found: the engine to use, texts per second of both, and how far their vectors are apart."""

    engine: str
    reason: str
    torch_per_s: float = 0.0
    openvino_per_s: float = 0.0
    least_cosine: float = 1.0


def running(folder: Path, identity: ModelIdentity, settings: ModelSettings) -> Embedder:
    """The encoder of a model folder, run in the precision that its identity says.

    Raises
    ------
    IdentityMismatchError
        If the folder holds another model than when it was described.
    ModelError
        If the model does not load, or the settings ask for an engine that cannot run it here.
    """
    if is_endpoint(folder):
        return embedding.load(folder, identity, endpoints=settings.endpoints)
    if (found := embedding.as_found(folder, identity).model_id) != identity.model_id:
        raise IdentityMismatchError(
            f"model folder {folder} now holds model {found}, not {identity.model_id} as it did when it was put to use; "
            "run the pipeline again (`acronis-pipeline run`, or Materialize), or put the former model back"
        )
    if is_converted(folder):
        return ConvertedEmbedder(folder, identity, settings.batch_size)
    if identity.precision == BFLOAT16_IN_TORCH:
        return _in_torch(folder, identity, settings)
    if identity.precision != FLOAT32 or settings.backend == "openvino":
        return ConvertedEmbedder(_copy_of(folder, identity, settings), identity, settings.batch_size)
    may_choose = settings.backend == "auto" and settings.device in (None, "cpu") and settings.cache_dir is not None
    if may_choose and engine.is_installed():
        return ChoosingEmbedder(folder, identity, settings)
    return _in_torch(folder, identity, settings)


class ChoosingEmbedder(Embedder):
    """Runs in torch until there is enough to do that a faster engine pays, or at once in what a probe chose before.

    A small index, or a question, is thus never kept waiting for a conversion; after one, questions need no torch.
    """

    def __init__(self, folder: Path, identity: ModelIdentity, settings: ModelSettings) -> None:
        self.identity = identity
        self._folder = folder
        self._settings = settings
        self._n_encoded = 0
        self._torch: Embedder | None = None
        self._chosen: Embedder | None = None

    def encode_queries(self, queries: Sequence[str]) -> np.ndarray:
        """Shape (n_queries, dimension) float32, L2-normalised; the query prompt is applied."""
        return self._encode("query", queries)

    def encode_passages(self, passages: Sequence[str]) -> np.ndarray:
        """Shape (n_passages, dimension) float32, L2-normalised; the document prompt is applied."""
        return self._encode("document", passages)

    def tokenizer(self) -> Any:
        """The document side's, as the library `tokenizers` has it."""
        return (self._chosen or self._in_torch()).tokenizer()

    def _encode(self, side: Side, texts: Sequence[str]) -> np.ndarray:
        self._n_encoded += len(texts)
        if self._chosen is None:
            self._chosen = self._choose(texts)
        runs = self._chosen or self._in_torch()
        return runs.encode_queries(texts) if side == "query" else runs.encode_passages(texts)

    def _choose(self, texts: Sequence[str]) -> Embedder | None:
        """None as long as nothing was decided."""
        copy = _copy_folder(self._folder, self.identity, self._settings)
        where = digest(machine(), str(self._settings.device))
        file = copy.with_name(f"{copy.name}-{where[:12]}.json")
        verdict = remembered(file, Verdict)
        if verdict is None or (verdict.engine == "openvino" and not is_converted(copy)):
            if self._n_encoded < _WORTH_CONVERTING:
                return None
            verdict = self._probe(texts, file)
        if verdict.engine == "openvino":
            _log.info("%s runs in OpenVINO: %s", self.identity.base, verdict.reason)
            self._torch = None
            return ConvertedEmbedder(copy, self.identity, self._settings.batch_size)
        _log.info("%s runs in torch: %s", self.identity.base, verdict.reason)
        return self._in_torch()

    def _probe(self, texts: Sequence[str], file: Path) -> Verdict:
        torch = self._in_torch()
        if torch.model.device.type != "cpu":
            return Verdict("torch", f"it is on {torch.model.device.type}")
        try:
            copy = _copy_of(self._folder, self.identity, self._settings, loaded=torch)
            verdict = decide(torch, ConvertedEmbedder(copy, self.identity, self._settings.batch_size), texts)
        except OSError as error:  # such as a disk that is full: not for ever
            return Verdict("torch", str(error))
        except ModelError as error:  # no such operation there
            verdict = Verdict("torch", str(error))
        remember(file, verdict, "an engine")
        return verdict

    def _in_torch(self) -> Embedder:
        if self._torch is None:
            self._torch = _in_torch(self._folder, self.identity, self._settings)
        return self._torch


def decide(torch: Embedder, converted: Embedder, texts: Sequence[str]) -> Verdict:
    """Prefer the converted one if it is exact and faster on a sample of `texts`."""
    found = compare(torch, converted, texts)
    wins = found.gain > _FASTER and found.least_cosine >= _SAME
    rates = round(found.first_per_s, 1), round(found.second_per_s, 1)
    return Verdict("openvino" if wins else "torch", found.told("OpenVINO", "torch"), *rates, found.least_cosine)


def _in_torch(folder: Path, identity: ModelIdentity, settings: ModelSettings) -> Embedder:
    return embedding.load(folder, identity, device=settings.device, batch_size=settings.batch_size)


def _copy_of(folder: Path, identity: ModelIdentity, settings: ModelSettings, *, loaded: Embedder | None = None) -> Path:
    """The model converted to OpenVINO, made if it is not there yet."""
    engine.openvino()  # says what is missing before seconds are spent
    copy = _copy_folder(folder, identity, settings)
    if not is_converted(copy):
        started = time.monotonic()
        source = loaded or embedding.load(folder, _in_float32(folder, identity), device="cpu")
        make_once(copy, lambda partial: write_openvino(source, partial))
        _log.info("%s converted to OpenVINO in %.1f s", identity.base, time.monotonic() - started)
    return copy


def _copy_folder(folder: Path, identity: ModelIdentity, settings: ModelSettings) -> Path:
    if settings.cache_dir is None:
        raise SettingsError("converted models have no place: set model.cache_dir, or load settings with a data folder")
    key = digest(str(LAYOUT), _in_float32(folder, identity).model_id, version("openvino"))
    return settings.cache_dir / key[:16]


def _in_float32(folder: Path, identity: ModelIdentity) -> ModelIdentity:
    """The model in `folder`, of which `identity` is a reduced precision."""
    return embedding.as_found(folder, replace(identity, precision=FLOAT32))
