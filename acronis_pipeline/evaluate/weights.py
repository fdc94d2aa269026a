"""The share of the dense score in a hybrid, learned on validation questions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from acronis_pipeline.evaluate.metrics import ndcg_at
from acronis_pipeline.evaluate.questions import EvalQuestion, ranked_units
from acronis_pipeline.retrieve.fusion import Pool

GRID = tuple(round(0.05 * step, 2) for step in range(21))
DEFAULT = 0.5
"""Where there is no validation question to learn from."""
_FOLDS = 5
_FLAT = 0.01
"""Differences in nDCG@10 that a validation split of some hundred questions cannot tell from chance."""


@dataclass(frozen=True)
class LearnedWeight:
    """`ndcg_at_10` is cross-fitted: every group is scored with the weight that the other groups would have chosen.

    Scoring the chosen weight on the questions that chose it would flatter a hybrid against systems that chose nothing.
    """

    dense_weight: float
    ndcg_at_10: float
    n: int


def learn_weight(pools: Sequence[Pool], questions: Sequence[EvalQuestion], units: Mapping[str, str]) -> LearnedWeight:
    """Weight with the best mean nDCG@10 on the grid from 0 (BM25 alone) to 1 (dense alone) in steps of .05.

    Parameters
    ----------
    pools
        The candidates of each question, in the order of `questions`.
    units
        As for `ranked_units`.
    """
    if not questions:
        return LearnedWeight(DEFAULT, 0.0, 0)
    scores = np.array([_over_grid(pool, question, units) for pool, question in zip(pools, questions, strict=True)])
    folds = _folds([question.group for question in questions])
    fitted = np.empty(len(questions))
    for fold in np.unique(folds):
        inside, others = folds == fold, folds != fold
        fitted[inside] = scores[inside, _best(scores[others])]
    return LearnedWeight(GRID[_best(scores)], float(fitted.mean()), len(questions))


def _over_grid(pool: Pool, question: EvalQuestion, units: Mapping[str, str]) -> list[float]:
    """nDCG@10 of one question at every weight of the grid."""
    relevant = set(question.relevant.values())
    if not relevant.intersection(question.relevant.get(chunk_id, "") for chunk_id in pool.chunk_ids):
        return [0.0] * len(GRID)
    rankings = ((chunk_id for chunk_id, _ in pool.mixed(weight)) for weight in GRID)
    return [ndcg_at(list(ranked_units(ranking, question, units, limit=10)), relevant, 10) for ranking in rankings]


def _best(scores: np.ndarray) -> int:
    """Column with the best mean of (n_questions, n_weights); the evenest mix of those that are about as good.

    The curve is often flat over half of the grid, and its highest point then a matter of chance.
    """
    if len(scores) == 0:
        return GRID.index(DEFAULT)
    means = np.round(scores.mean(axis=0), 9)
    return min(np.flatnonzero(means >= means.max() - _FLAT).tolist(), key=lambda column: abs(GRID[column] - DEFAULT))


def _folds(groups: Sequence[str]) -> np.ndarray:
    """Fold of every question, shape (n_questions,): groups stay whole."""
    _, index = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    return index % _FOLDS
