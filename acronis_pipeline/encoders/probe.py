"""Two ways of running one model, compared on some texts: how fast, and how far their vectors are apart.

What is made of it is kept in a file, so that a machine finds it out once.
"""

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from acronis_pipeline.embedding import Embedder
from acronis_pipeline.errors import OutputError
from acronis_pipeline.files import write_text

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
