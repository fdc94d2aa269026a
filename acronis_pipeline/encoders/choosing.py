"""What decides on this machine which way of computing is faster.

Two ways of running one model, compared on some texts: how fast, and how far their vectors are apart.

What is made of it is kept in a file, so that a machine finds it out once.

Which engine runs a model on this machine: as the settings say, or the faster of those that give the same vectors.

In which precision a recipe's models are run: as the settings say, or the faster one that gives the same results.
"""

import json
import logging
import os
import platform
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from acronis_pipeline.core.errors import IdentityMismatchError, ModelError, OutputError, SettingsError
from acronis_pipeline.core.files import write_text
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.core.settings import ModelSettings
from acronis_pipeline.encoders import folder as model_folder
from acronis_pipeline.encoders import openvino_engine, torch_encoder
from acronis_pipeline.encoders.conversion import write_openvino
from acronis_pipeline.encoders.endpoint import is_endpoint
from acronis_pipeline.encoders.identity import BFLOAT16, BFLOAT16_IN_TORCH, FLOAT32, ModelIdentity, in_precision
from acronis_pipeline.encoders.openvino_engine import LAYOUT, ConvertedEmbedder, is_converted, make_once
from acronis_pipeline.encoders.routes import Side
from acronis_pipeline.encoders.torch_encoder import Embedder


@lru_cache(maxsize=1)
def machine() -> str:
    """Digest of processor, threads, GPU and torch."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text("utf-8").splitlines() if cpu.exists() else [platform.processor()]
    cores = [line for line in lines if line.startswith(("model name", "flags"))] or lines
    threads = os.environ.get("OMP_NUM_THREADS", "")
    return digest(platform.machine(), *cores, str(os.cpu_count()), threads, str(has_gpu()), version("torch"))


def has_gpu() -> bool:
    """Whether there is an NVIDIA GPU; without torch, whose import takes seconds."""
    return Path("/dev/nvidiactl").exists()


_Verdict = TypeVar("_Verdict")

_log = logging.getLogger(__name__)
_PROBED = 32
"""Texts of a probe: about 2 s for a small model on one core."""


@dataclass(frozen=True)
class Comparison:
    """Texts per second of both, and the least cosine between their vectors of one text."""

    first_per_s: float
    second_per_s: float
    least_cosine: float

    @property
    def gain(self) -> float:
        """How many times as fast the second is."""
        return self.second_per_s / self.first_per_s

    def told(self, second: str, first: str) -> str:
        """For people, without a full stop."""
        return (
            f"{second} is {self.gain:.1f} times as fast as {first} here, with vectors of cosine "
            f"{self.least_cosine:.6f} at least"
        )


def compare(first: Embedder, second: Embedder, texts: Sequence[str], *, n: int = _PROBED) -> Comparison:
    """Run both on a sample of `n` of `texts`, in turn; the better of two rounds counts."""
    rows = np.linspace(0, len(texts) - 1, min(n, len(texts)), dtype=int)
    sample = [texts[int(row)] for row in rows]
    least = min(
        _least_cosine(first.encode_passages(sample[:8]), second.encode_passages(sample[:8])),
        _least_cosine(first.encode_queries(sample[:8]), second.encode_queries(sample[:8])),
    )  # also warms both up
    seconds = [np.inf, np.inf]
    for _ in range(2):
        vectors = []
        for which, runs in enumerate((first, second)):
            started = time.perf_counter()
            vectors.append(runs.encode_passages(sample))
            seconds[which] = min(seconds[which], time.perf_counter() - started)
        least = min(least, _least_cosine(*vectors))
    return Comparison(len(sample) / seconds[0], len(sample) / seconds[1], least)


def _least_cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float((a * b).sum(axis=1).min())


def remembered(file: Path, kind: type[_Verdict]) -> _Verdict | None:
    """The verdict, a dataclass, that `remember` wrote."""
    try:
        return kind(**json.loads(file.read_text("utf-8")))
    except (OSError, ValueError, TypeError):  # none yet, or one of another version: it is found out again
        return None


def remember(file: Path, verdict: Any, chosen: str) -> None:
    """Write a verdict; where that cannot be done it costs only finding it out again, and a warning."""
    try:
        write_text(file, json.dumps(asdict(verdict), indent=2))
    except OutputError as error:
        _log.warning("the choice of %s is not kept: %s", chosen, error)


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
        return torch_encoder.load(folder, identity, endpoints=settings.endpoints)
    if (found := model_folder.as_found(folder, identity).model_id) != identity.model_id:
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
    if may_choose and openvino_engine.is_installed():
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
    return torch_encoder.load(folder, identity, device=settings.device, batch_size=settings.batch_size)


def _copy_of(folder: Path, identity: ModelIdentity, settings: ModelSettings, *, loaded: Embedder | None = None) -> Path:
    """The model converted to OpenVINO, made if it is not there yet."""
    openvino_engine.openvino()  # says what is missing before seconds are spent
    copy = _copy_folder(folder, identity, settings)
    if not is_converted(copy):
        started = time.monotonic()
        source = loaded or torch_encoder.load(folder, _in_float32(folder, identity), device="cpu")
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
    return model_folder.as_found(folder, replace(identity, precision=FLOAT32))


_WORTH = 1.5
"""Gain below which a machine stays with float32, whose vectors any other machine computes too."""
_SAME_PRECISION = 0.9999
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
    in_openvino = settings.backend == "openvino" or (
        settings.backend == "auto" and on_cpu and openvino_engine.is_installed()
    )
    return BFLOAT16 if in_openvino else BFLOAT16_IN_TORCH


def _probe(base: ModelIdentity, folder: Path, settings: ModelSettings, file: Path) -> PrecisionVerdict:
    reduced = in_precision(base, _bfloat16(settings))
    if reduced.precision == BFLOAT16:
        openvino_engine.openvino()  # or says that it is missing: with it, another verdict
    exact = torch_encoder.load(folder, base, device=settings.device, batch_size=settings.batch_size)
    n_texts = _TEXTS if exact.model.device.type == "cpu" else _TEXTS_ON_ACCELERATOR
    try:
        found = compare(exact, running(folder, reduced, settings), _any_texts(exact, n_texts), n=n_texts)
        wins = found.gain >= _WORTH and found.least_cosine >= _SAME_PRECISION
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
