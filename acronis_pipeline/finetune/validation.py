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

    Parameters
    ----------
    scores
        Shape (n_questions, n_passages).
    """
    return [
        np.array([_rank(row, cluster) for cluster in clusters])
        for row, clusters in zip(scores, questions.answers, strict=True)
    ]


def summarise(ranks: Sequence[np.ndarray]) -> dict[str, float]:
    """Metrics from the gold ranks of every question."""
    first = np.array([rank.min() for rank in ranks])
    return {
        "hit_rate_at_5": float(np.mean(first <= 5)),
        "mrr_at_10": float(np.mean(np.where(first <= _K, 1.0 / first, 0.0))),
        "ndcg_at_10": float(np.mean([_ndcg(rank) for rank in ranks])),
    }


def _rank(scores: np.ndarray, cluster: tuple[int, ...]) -> int:
    """Rank of the best of `cluster`, the cluster's other passages not counted against it."""
    rows = list(cluster)
    return int(np.sum(scores >= scores[rows].max()) - np.sum(scores[rows] >= scores[rows].max())) + 1


def _ndcg(ranks: np.ndarray) -> float:
    gains = np.sum(1.0 / np.log2(1.0 + ranks[ranks <= _K]))
    ideal = np.sum(1.0 / np.log2(1.0 + np.arange(1, min(len(ranks), _K) + 1)))
    return float(gains / ideal)
