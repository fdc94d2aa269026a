"""What an evaluation says, as values that survive a trip through JSON."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from acronis_pipeline.evaluate.metrics import PRIMARY
from acronis_pipeline.evaluate.significance import Difference, Interval
from acronis_pipeline.retrieve import System


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one question through `retrieve`, encoding included, over `n` questions asked one by one."""

    p50_ms: float
    p95_ms: float
    n: int


@dataclass(frozen=True)
class SystemScore:
    """One system on one set of questions. `model_id` is None for BM25."""

    system: System
    model_id: str | None
    question_set: str
    n: int
    n_groups: int
    metrics: dict[str, Interval]
    latency: Latency | None = None


@dataclass(frozen=True)
class Comparison:
    """System `a` against system `b` on the same questions; the difference is a - b."""

    question_set: str
    a: str
    b: str
    metric: str
    difference: Difference


@dataclass(frozen=True)
class Report:
    """One evaluation of one recipe.

    `validation` is nDCG@10 of every system on the validation split, for choosing without touching the test split.
    `questions_id` names the questions and passages: only reports that share it can be compared.
    """

    report_id: str
    recipe: str
    created_at: str
    questions_id: str
    scores: tuple[SystemScore, ...]
    comparisons: tuple[Comparison, ...] = ()
    validation: dict[str, float] = field(default_factory=dict)
    n_validation: int = 0
    unanswerable: tuple[str, ...] = ()
    unscored: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    duration_s: float = 0.0

    @property
    def systems(self) -> tuple[System, ...]:
        """The compared systems, in the order of the table."""
        return tuple(dict.fromkeys(score.system for score in self.scores))

    def score(self, system: str, question_set: str = "synthetic") -> SystemScore | None:
        """One system's score by name; None if it was not asked that set."""
        wanted = (system, question_set)
        return next((score for score in self.scores if (score.system.name, score.question_set) == wanted), None)

    def comparison(self, a: str, b: str, question_set: str = "synthetic", metric: str = PRIMARY) -> Comparison | None:
        """The comparison of two systems by name; None if they were not compared."""
        wanted = (a, b, question_set, metric)
        return next((c for c in self.comparisons if (c.a, c.b, c.question_set, c.metric) == wanted), None)

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Report":
        values: dict[str, Any] = json.loads(text)
        values["scores"] = tuple(_score(score) for score in values["scores"])
        values["comparisons"] = tuple(
            Comparison(**comparison | {"difference": Difference(**comparison["difference"])})
            for comparison in values["comparisons"]
        )
        for name in ("unanswerable", "unscored", "notes"):
            values[name] = tuple(values[name])
        return cls(**values)


def _score(values: dict[str, Any]) -> SystemScore:
    read = {
        "system": System(**values["system"]),
        "metrics": {name: Interval(**interval) for name, interval in values["metrics"].items()},
        "latency": Latency(**values["latency"]) if values["latency"] else None,
    }
    return SystemScore(**values | read)
