"""Retrieval metrics on the validation questions: what checkpoints are chosen by.

Binary relevance by near-duplicate cluster: a gold cluster counts once, at the rank of its best passage.
"""

from collections.abc import Sequence

import numpy as np

from acronis_pipeline.embedding import PassageVectors
from acronis_pipeline.finetune.examples import Questions

CHOOSES = "ndcg_at_10"
"""The metric that decides between checkpoints."""

_K = 10
_NDCG_OF_ONE = (0.0, *(1.0 / np.log2(1.0 + np.arange(1, _K + 1))).tolist(), 0.0)
"""nDCG@10 of a question with one gold cluster, by its rank; 0 beyond the tenth."""
_AT_ONCE = 256
"""Questions whose scores are compared at once."""


def measure(query_vectors: np.ndarray, passage_vectors: PassageVectors, questions: Questions) -> dict[str, float]:
    """Mean hit rate@5, MRR@10 and nDCG@10 of an exact search.

    Parameters
    ----------
    query_vectors
        Shape (n_questions, dimension), L2-normalised.
    passage_vectors
        Of the passages that `questions` point at.
    """
    return summarise(gold_ranks(passage_vectors.similarities(query_vectors), questions))


def gold_ranks(scores: np.ndarray, questions: Questions) -> list[np.ndarray]:
    """1-based rank of each gold cluster's best passage, per question; a tie counts against it.

    A cluster's other passages do not count against it.

    Parameters
    ----------
    scores
        Shape (n_questions, n_passages).
    """
    ranks: list[np.ndarray] = []
    for start in range(0, len(scores), _AT_ONCE):
        ranks += _gold_ranks(scores[start : start + _AT_ONCE], questions.answers[start : start + _AT_ONCE])
    return ranks


def _gold_ranks(scores: np.ndarray, answers: Sequence[tuple[tuple[int, ...], ...]]) -> list[np.ndarray]:
    clusters = [(question, list(rows)) for question, of_one in enumerate(answers) for rows in of_one]
    own = [scores[question, rows] for question, rows in clusters]
    best = np.array([found.max() for found in own], dtype=scores.dtype)
    at_least = (scores[[question for question, _ in clusters]] >= best[:, None]).sum(axis=1)
    of_itself = np.array([np.count_nonzero(found >= found.max()) if len(found) > 1 else 1 for found in own])
    ends = np.cumsum([len(of_one) for of_one in answers])
    return np.split(at_least - of_itself + 1, ends[:-1])


def summarise(ranks: Sequence[np.ndarray]) -> dict[str, float]:
    """Metrics from the gold ranks of every question."""
    first = np.array([rank.min() for rank in ranks])
    return {
        "hit_rate_at_5": float(np.mean(first <= 5)),
        "mrr_at_10": float(np.mean(np.where(first <= _K, 1.0 / first, 0.0))),
        "ndcg_at_10": float(np.mean([_ndcg(rank) for rank in ranks])),
    }


def _ndcg(ranks: np.ndarray) -> float:
    if len(ranks) == 1:
        return _NDCG_OF_ONE[min(ranks[0], _K + 1)]
    gains = np.sum(1.0 / np.log2(1.0 + ranks[ranks <= _K]))
    ideal = np.sum(1.0 / np.log2(1.0 + np.arange(1, min(len(ranks), _K) + 1)))
    return float(gains / ideal)
