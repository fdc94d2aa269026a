"""What an evaluation says, as values that survive a trip through JSON."""

from dataclasses import dataclass, field, replace
from functools import cache
from typing import Annotated

from pydantic import Field, TypeAdapter

from acronis_pipeline.evaluate.metrics import PRIMARY
from acronis_pipeline.evaluate.significance import Difference, Interval
from acronis_pipeline.retrieve import System

RankingKey = tuple[System, str | None]
"""What decides a system's rankings: two with the same key differ in name and table alone."""


def ranking_key(system: System, model_id: str | None) -> RankingKey:
    return replace(system, name="", table=""), model_id


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
    index_size_bytes: int | None = None


@dataclass(frozen=True)
class Comparison:
    """System `a` against system `b` on the same questions; the difference is a - b."""

    question_set: str
    a: str
    b: str
    metric: str
    difference: Difference


@dataclass(frozen=True)
class SliceScore:
    """One system on a part of a set: the questions whose `by` (style, section, length …) is `value`."""

    question_set: str
    by: str
    value: str
    system: str
    n: int
    n_groups: int
    hit_rate_at_5: Interval
    ndcg_at_10: Interval


@dataclass(frozen=True)
class Forgetting:
    """The recipe's model against its untouched base on questions that have nothing to do with the site.

    `flagged` says that the model lost there beyond chance and beyond what is tolerated.
    """

    probe: str
    n: int
    base: Interval
    fine_tuned: Interval
    difference: Difference
    flagged: bool


@dataclass(frozen=True)
class Correlation:
    """Spearman correlation of a model's cosines with the similarities that people gave to pairs of texts."""

    file: str
    system: str
    n: int
    spearman: Interval


@dataclass(frozen=True)
class Report:
    """One evaluation of one recipe.

    `validation` is nDCG@10 of every system on the validation split, for choosing without touching the test split.
    `champion` is the name here of the system that was the champion at the time.
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
    partly_answerable: tuple[str, ...] = ()
    unscored: tuple[str, ...] = ()
    caveats: Annotated[tuple[str, ...], Field(alias="notes")] = ()  # stored reports have them as notes
    slices: tuple[SliceScore, ...] = ()
    forgetting: tuple[Forgetting, ...] = ()
    correlations: tuple[Correlation, ...] = ()
    champion: str | None = None
    duration_s: float = 0.0

    @property
    def systems(self) -> tuple[System, ...]:
        """The compared systems, in the order of the table."""
        return tuple(dict.fromkeys(score.system for score in self.scores))

    @property
    def ranking_keys(self) -> frozenset[RankingKey]:
        """Of the compared systems, whatever they are called here."""
        return frozenset(ranking_key(score.system, score.model_id) for score in self.scores)

    def score(self, system: str, question_set: str = "synthetic") -> SystemScore | None:
        """One system's score by name; None if it was not asked that set."""
        wanted = (system, question_set)
        return next((score for score in self.scores if (score.system.name, score.question_set) == wanted), None)

    def comparison(self, a: str, b: str, question_set: str = "synthetic", metric: str = PRIMARY) -> Comparison | None:
        """The comparison of two systems by name; None if they were not compared."""
        wanted = (a, b, question_set, metric)
        return next((c for c in self.comparisons if (c.a, c.b, c.question_set, c.metric) == wanted), None)

    def pairs(self, question_set: str, metric: str = PRIMARY) -> tuple[Comparison, ...]:
        """Who was compared with whom, each pair once, whichever stands first."""
        found: dict[frozenset[str], Comparison] = {}
        for comparison in self.comparisons:
            if (comparison.question_set, comparison.metric) == (question_set, metric):
                found.setdefault(frozenset((comparison.a, comparison.b)), comparison)
        return tuple(found.values())

    def to_json(self) -> str:
        return _json().dump_json(self, by_alias=True).decode()

    @classmethod
    def from_json(cls, text: str) -> "Report":
        return _json().validate_json(text)


@cache
def _json() -> TypeAdapter[Report]:
    return TypeAdapter(Report)
