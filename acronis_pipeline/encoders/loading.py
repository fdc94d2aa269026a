"""From a model folder to an encoder that runs it: the one place that knows every backend.

    encoder = running(folder, identity, settings.model)   # what indexing and questions use
    encoder = load(folder, identity)                      # in torch, or behind its endpoint: what training uses

Which engine computes float32 is found out on the machine: torch, unless a converted copy in OpenVINO is faster and
gives the same vectors. A reduced precision is somebody's choice or a probe's (`precision_of`), and part of the model's
identity, so that queries take the same path as the passages of an index.
"""

import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from acronis_pipeline.core.errors import IdentityMismatchError, ModelError, SettingsError
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.core.settings import EmbeddingEndpoint, ModelSettings
from acronis_pipeline.encoders import openvino_encoder
from acronis_pipeline.encoders.conversion import write_openvino
from acronis_pipeline.encoders.encoder import Encoder
from acronis_pipeline.encoders.endpoint import is_endpoint, load_endpoint
from acronis_pipeline.encoders.folder import as_found, describe, find_base
from acronis_pipeline.encoders.identity import BFLOAT16, BFLOAT16_IN_TORCH, FLOAT32, ModelIdentity, in_precision
from acronis_pipeline.encoders.openvino_encoder import LAYOUT, OpenVinoEncoder, is_converted, make_once
from acronis_pipeline.encoders.probe import compare, has_gpu, machine, remember, remembered
from acronis_pipeline.encoders.torch_encoder import TorchEncoder, load_in_torch

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_log = logging.getLogger(__name__)
_WORTH_CONVERTING = 1_000
"""Texts that one process must have encoded: converting and probing cost about what OpenVINO saves on half as many."""
_SAME = 0.99999
"""Least cosine between two engines' vectors of a text that makes them the same: torch's own batches differ by 1e-7."""
_FASTER = 1.1

_WORTH_REDUCING = 1.5
"""Gain below which a machine stays with float32, whose vectors any other machine computes too."""
_SAME_IN_REDUCED = 0.9999
_TEXTS, _TOKENS = 32, 96
_TEXTS_ON_ACCELERATOR = 512
"""A few full batches there; one small one would time how kernels are started."""


def load(
    folder: Path,
    identity: ModelIdentity,
    *,
    device: str | None = None,
    batch_size: int = 32,
    endpoints: Sequence[EmbeddingEndpoint] = (),
) -> Encoder:
    """The encoder of a model folder in torch, in fp32, or of the endpoint that the folder stands for.

    Parameters
    ----------
    endpoints
        The configured ones, from which a folder that stands for a model behind one has its key.

    Raises
    ------
    ModelError
        If the folder does not load, or produces vectors of another dimension than its identity says.
    """
    if is_endpoint(folder):
        return load_endpoint(folder, identity, endpoints)
    return load_in_torch(folder, identity, device=device, batch_size=batch_size)


def load_base(
    name: str,
    *,
    max_seq_length: int | None = None,
    query_prompt: str | None = None,
    document_prompt: str | None = None,
    device: str | None = None,
    batch_size: int = 32,
) -> TorchEncoder:
    """`find_base`, `describe` and `load` in one call."""
    folder = find_base(name)
    identity = describe(
        folder, base=name, max_seq_length=max_seq_length, query_prompt=query_prompt, document_prompt=document_prompt
    )
    return load_in_torch(folder, identity, device=device, batch_size=batch_size)


def running(folder: Path, identity: ModelIdentity, settings: ModelSettings) -> Encoder:
    """The encoder of a model folder, run in the precision that its identity says.

    Raises
    ------
    IdentityMismatchError
        If the folder holds another model than when it was described.
    ModelError
        If the model does not load, or the settings ask for an engine that cannot run it here.
    """
    if is_endpoint(folder):
        return load_endpoint(folder, identity, settings.endpoints)
    if (found := as_found(folder, identity).model_id) != identity.model_id:
        raise IdentityMismatchError(
            f"model folder {folder} now holds model {found}, not {identity.model_id} as it did when it was put to use; "
            "run the pipeline again (`acronis-pipeline run`, or Materialize), or put the former model back"
        )
    if is_converted(folder):
        return OpenVinoEncoder(folder, identity, settings.batch_size)
    if identity.precision == BFLOAT16_IN_TORCH:
        return _in_torch(folder, identity, settings)
    if identity.precision != FLOAT32 or settings.backend == "openvino":
        return OpenVinoEncoder(_copy_of(folder, identity, settings), identity, settings.batch_size)
    may_choose = settings.backend == "auto" and settings.device in (None, "cpu") and settings.cache_dir is not None
    if may_choose and openvino_encoder.is_installed():
        return ChoosingEncoder(folder, identity, settings)
    return _in_torch(folder, identity, settings)


@dataclass(frozen=True)
class Verdict:
    """What a probe found: the engine to use, texts per second of both, and how far their vectors are apart."""

    engine: str
    reason: str
    torch_per_s: float = 0.0
    openvino_per_s: float = 0.0
    least_cosine: float = 1.0


class ChoosingEncoder(Encoder):
    """Runs in torch until there is enough to do that a faster engine pays, or at once in what a probe chose before.

    A small index, or a question, is thus never kept waiting for a conversion; after one, questions need no torch.
    """

    def __init__(self, folder: Path, identity: ModelIdentity, settings: ModelSettings) -> None:
        super().__init__(identity)
        self._folder = folder
        self._settings = settings
        self._n_encoded = 0
        self._torch: TorchEncoder | None = None
        self._chosen: Encoder | None = None

    def encode_queries(self, queries: Sequence[str]) -> np.ndarray:
        return self._engine(queries).encode_queries(queries)

    def encode_passages(self, passages: Sequence[str]) -> np.ndarray:
        return self._engine(passages).encode_passages(passages)

    def tokenizer(self) -> "Tokenizer":
        return (self._chosen or self._in_torch()).tokenizer()

    def _engine(self, texts: Sequence[str]) -> Encoder:
        self._n_encoded += len(texts)
        if self._chosen is None:
            self._chosen = self._choose(texts)
        return self._chosen or self._in_torch()

    def _choose(self, texts: Sequence[str]) -> Encoder | None:
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
            return OpenVinoEncoder(copy, self.identity, self._settings.batch_size)
        _log.info("%s runs in torch: %s", self.identity.base, verdict.reason)
        return self._in_torch()

    def _probe(self, texts: Sequence[str], file: Path) -> Verdict:
        torch = self._in_torch()
        if torch.model.device.type != "cpu":
            return Verdict("torch", f"it is on {torch.model.device.type}")
        try:
            copy = _copy_of(self._folder, self.identity, self._settings, loaded=torch)
            verdict = decide(torch, OpenVinoEncoder(copy, self.identity, self._settings.batch_size), texts)
        except OSError as error:  # such as a disk that is full: not for ever
            return Verdict("torch", str(error))
        except ModelError as error:  # no such operation there
            verdict = Verdict("torch", str(error))
        remember(file, verdict, "an engine")
        return verdict

    def _in_torch(self) -> TorchEncoder:
        if self._torch is None:
            self._torch = _in_torch(self._folder, self.identity, self._settings)
        return self._torch


def decide(torch: Encoder, converted: Encoder, texts: Sequence[str]) -> Verdict:
    """Prefer the converted one if it is exact and faster on a sample of `texts`."""
    found = compare(torch, converted, texts)
    wins = found.gain > _FASTER and found.least_cosine >= _SAME
    rates = round(found.first_per_s, 1), round(found.second_per_s, 1)
    return Verdict("openvino" if wins else "torch", found.told("OpenVINO", "torch"), *rates, found.least_cosine)


def _in_torch(folder: Path, identity: ModelIdentity, settings: ModelSettings) -> TorchEncoder:
    return load_in_torch(folder, identity, device=settings.device, batch_size=settings.batch_size)


def _copy_of(
    folder: Path, identity: ModelIdentity, settings: ModelSettings, *, loaded: TorchEncoder | None = None
) -> Path:
    """The model converted to OpenVINO, made if it is not there yet."""
    openvino_encoder.openvino()  # says what is missing before seconds are spent
    copy = _copy_folder(folder, identity, settings)
    if not is_converted(copy):
        started = time.monotonic()
        source = loaded or load_in_torch(folder, _in_float32(folder, identity), device="cpu")
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
    return as_found(folder, replace(identity, precision=FLOAT32))


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
        settings.backend == "auto" and on_cpu and openvino_encoder.is_installed()
    )
    return BFLOAT16 if in_openvino else BFLOAT16_IN_TORCH


def _probe(base: ModelIdentity, folder: Path, settings: ModelSettings, file: Path) -> PrecisionVerdict:
    reduced = in_precision(base, _bfloat16(settings))
    if reduced.precision == BFLOAT16:
        openvino_encoder.openvino()  # or says that it is missing: with it, another verdict
    exact = load_in_torch(folder, base, device=settings.device, batch_size=settings.batch_size)
    n_texts = _TEXTS if exact.model.device.type == "cpu" else _TEXTS_ON_ACCELERATOR
    try:
        found = compare(exact, running(folder, reduced, settings), _any_texts(exact, n_texts), n=n_texts)
        wins = found.gain >= _WORTH_REDUCING and found.least_cosine >= _SAME_IN_REDUCED
        told = found.told(reduced.precision, "float32 in torch")
        verdict = PrecisionVerdict(reduced.precision if wins else FLOAT32, told)
    except OSError as error:  # such as a disk that is full: not for ever
        return PrecisionVerdict(FLOAT32, str(error))
    except ModelError as error:  # no such arithmetic, no conversion
        verdict = PrecisionVerdict(FLOAT32, str(error))
    remember(file, verdict, "a precision")
    return verdict


def _any_texts(encoder: Encoder, n_texts: int) -> list[str]:
    """Of the model's own words in no order, whatever its language: no passage is at hand where an identity is asked."""
    tokenizer = encoder.tokenizer()
    draw = random.Random(0)
    n = tokenizer.get_vocab_size()
    return [tokenizer.decode([draw.randrange(n) for _ in range(_TOKENS)]) for _ in range(n_texts)]
