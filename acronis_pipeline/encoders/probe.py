"""Trying two ways of running one model on this machine: how fast each is, and how far their vectors are apart.

What is made of it is kept in a file, so that a machine finds it out once.
"""

import json
import logging
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from acronis_pipeline.core.errors import OutputError
from acronis_pipeline.core.files import write_text
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.encoders.encoder import Encoder

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Verdict = TypeVar("_Verdict", bound="DataclassInstance")

_log = logging.getLogger(__name__)
_PROBED = 32
"""Texts of a probe: about 2 s for a small model on one core."""


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


def compare(first: Encoder, second: Encoder, texts: Sequence[str], *, n: int = _PROBED) -> Comparison:
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
    """The verdict that `remember` wrote; None where there is none of this version."""
    try:
        return kind(**json.loads(file.read_text("utf-8")))
    except (OSError, ValueError, TypeError):  # none yet, or one of another version: it is found out again
        return None


def remember(file: Path, verdict: "DataclassInstance", chosen: str) -> None:
    """Write a verdict; where that cannot be done it costs only finding it out again, and a warning."""
    try:
        write_text(file, json.dumps(asdict(verdict), indent=2))
    except OutputError as error:
        _log.warning("the choice of %s is not kept: %s", chosen, error)
