"""Reports of systems whose true difference is known, to see how often a decision is right.

Every question has a difficulty that all systems share, and every system its own luck with a question and with a page.
The sum decides the rank of the right passage: its quantiles follow a distribution of ranks as real reports have it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa

from acronis_pipeline.evaluate import Report, SystemScore
from acronis_pipeline.retrieve import System
from acronis_pipeline.store import tables

OPPONENT = "bm25"
CANDIDATES = ("fine_tuned", "hybrid", "hybrid_base")
_CALIBRATION = 400_000


@dataclass(frozen=True)
class Scenario:
    """How two systems relate.

    Parameters
    ----------
    shared
        Correlation of two systems' scores on a question, from 0 to 1.
    on_page
        Share of a system's own luck that is the same for all questions about a page.
    first, missed
        Share of questions whose right passage is first, and is not among the first ten.
    candidate_missed
        The latter for the candidates, where it differs; their share of firsts then makes up for it.
    most_on_page
        Questions about a page: from one to so many, evenly.
    """

    name: str
    shared: float
    on_page: float = 0.05
    first: float = 0.6
    missed: float = 0.15
    candidate_missed: float | None = None
    most_on_page: int = 7
    n_human: int = 0
    n_candidates: int = 1


@dataclass(frozen=True)
class Spread:
    """Of the differences between two systems on a question, without any true difference between their means.

    `sd_of_mean` times 1 / sqrt(n) is the standard error of the mean difference: `sd`, widened by questions that share
    a page.
    """

    sd: float
    sd_of_mean: float
    correlation: float
    unequal_share: float


def spread(scenario: Scenario, n: int = 100_000) -> Spread:
    """Spread of a scenario's differences, from one large sample."""
    rng = np.random.default_rng(1)
    page = pages(rng, n, scenario.most_on_page)
    opponent, candidate = ndcg(rng, scenario, page, 1)
    return spread_of(opponent, candidate, page)


def spread_of(a: np.ndarray, b: np.ndarray, page: np.ndarray) -> Spread:
    """Spread of b - a; `page` numbers the page of every question."""
    d = b - a
    by_page = np.bincount(page, weights=d - d.mean())
    return Spread(
        sd=float(d.std()),
        sd_of_mean=float(np.sqrt((by_page**2).sum() / len(d))),
        correlation=float(np.corrcoef(a, b)[0, 1]),
        unequal_share=float(np.mean(d != 0)),
    )


def simulate(scenario: Scenario, n: int, effect: float, rng: np.random.Generator) -> tuple[list[Report], pa.Table]:
    """A report on `n` test questions, in which every candidate is better than the opponent by `effect` nDCG@10.

    Validation, which is another sample, has put the candidates before the opponent in an order of its own.
    """
    systems = {name: System(name, "bm25" if name == OPPONENT else "dense", name) for name in _names(scenario)}
    rows: list[dict[str, object]] = []
    for question_set, size in (("synthetic", n), ("human", scenario.n_human)):
        page = pages(rng, size, scenario.most_on_page)
        for name, values in zip(systems, ndcg(rng, scenario, page, scenario.n_candidates, effect), strict=True):
            rows += [
                {"result_id": f"{question_set}-{name}-{i}", "report_id": "report", "system": name,
                 "question_set": question_set, "question_id": f"{question_set}-{i}", "page_group": str(page[i]),
                 "ndcg_at_10": float(value)}
                for i, value in enumerate(values)
            ]  # fmt: skip
    scores = tuple(
        SystemScore(system, None if system.name == OPPONENT else system.name, "synthetic", n, n, {})
        for system in systems.values()
    )
    validation = {name: 0.5 if name == OPPONENT else 0.6 + float(rng.random()) / 10 for name in systems}
    report = Report("report", "simulated", "2026-01-01T00:00:00+00:00", "questions", scores, validation=validation)
    return [report], tables.QUESTION_RESULTS.rows(rows)


def pages(rng: np.random.Generator, n: int, most: int) -> np.ndarray:
    """Page of each of `n` questions."""
    return np.repeat(np.arange(n), rng.integers(1, most + 1, n))[:n]


def ndcg(
    rng: np.random.Generator, scenario: Scenario, page: np.ndarray, n_candidates: int, effect: float = 0.0
) -> list[np.ndarray]:
    """nDCG@10 of the opponent, then of every candidate, on the same questions, shape (n_questions,) each."""
    luck = [_luck(rng, scenario, page) for _ in range(n_candidates + 1)]
    difficulty = rng.normal(size=len(page))
    latent = [np.sqrt(scenario.shared) * difficulty + np.sqrt(1 - scenario.shared) * own for own in luck]
    first, missed, shift = _candidate(scenario, effect)
    opponent = _of_rank(latent[0], scenario.first, scenario.missed)
    return [opponent, *(_of_rank(own + shift, first, missed) for own in latent[1:])]


def _names(scenario: Scenario) -> tuple[str, ...]:
    return (OPPONENT, *CANDIDATES[: scenario.n_candidates])


def _luck(rng: np.random.Generator, scenario: Scenario, page: np.ndarray) -> np.ndarray:
    on_page = rng.normal(size=page.max(initial=0) + 1)[page]
    return np.sqrt(scenario.on_page) * on_page + np.sqrt(1 - scenario.on_page) * rng.normal(size=len(page))


def _of_rank(latent: np.ndarray, first: float, missed: float) -> np.ndarray:
    """nDCG@10 of a question with one right passage: the share `first` is best, `missed` zero, ranks 10 to 2 between."""
    from scipy.stats import norm

    weights = 1.0 / np.arange(10, 1, -1)
    ends = np.concatenate([[missed], missed + (1 - first - missed) * np.cumsum(weights) / weights.sum()])
    values = np.concatenate([[0.0], 1 / np.log2(np.arange(10, 1, -1) + 1), [1.0]])
    return values[np.searchsorted(ends, norm.cdf(latent))]


@cache
def _candidate(scenario: Scenario, effect: float) -> tuple[float, float, float]:
    """Shares of first and missed, and shift of the latent score, that make the candidates better by just `effect`."""
    latent = np.random.default_rng(0).normal(size=_CALIBRATION)
    wanted = _of_rank(latent, scenario.first, scenario.missed).mean()
    first, missed = scenario.first, scenario.missed
    if scenario.candidate_missed is not None:
        missed = scenario.candidate_missed
        first = _solve(lambda x: _of_rank(latent, x, missed).mean(), wanted, 0.0, 1.0 - missed)
    return first, missed, _solve(lambda x: _of_rank(latent + x, first, missed).mean(), wanted + effect, -1.0, 2.0)


def _solve(function: Callable[[float], float], wanted: float, low: float, high: float) -> float:
    """Where a rising function takes the wanted value, by bisection."""
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < wanted else (low, middle)
    return (low + high) / 2
