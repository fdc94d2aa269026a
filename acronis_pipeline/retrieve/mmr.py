"""Maximal marginal relevance: passages that are relevant and say something that those before them do not.

Carbonell, Goldstein: The use of MMR, diversity-based reranking for reordering documents and producing summaries,
SIGIR 1998.
"""

import numpy as np

from acronis_pipeline.retrieve.ranking import DECIMALS, Ranking


def diversified(ranking: Ranking, vectors: np.ndarray, relevance_share: float) -> Ranking:
    """The passages of `ranking`, each next one with the largest `share * relevance - (1 - share) * similarity`.

    Similarity is the largest cosine with a passage chosen before, zero if it is negative. Relevance is the score on a
    scale from 0 (the last passage) to 1 (the first), since the scores of fusion and of cross-encoders are no cosines.
    The new scores are the values of the formula, which fall from passage to passage.

    Parameters
    ----------
    vectors
        Of the passages, in the order of `ranking`: shape (n_passages, dimension), L2-normalised.
    relevance_share
        1 leaves the order as it is.
    """
    if not ranking:
        return []
    relevance = relevance_share * _unit_scale(np.array([score for _, score in ranking]))
    nearest = np.zeros(len(ranking))
    left = np.ones(len(ranking), bool)
    chosen: Ranking = []
    for _ in ranking:
        # Rounded, so that the sums of two numerical libraries choose alike; the first of equals wins.
        values = np.round(relevance - (1.0 - relevance_share) * nearest, DECIMALS)
        best = int(np.argmax(np.where(left, values, -np.inf)))
        chosen.append((ranking[best][0], float(values[best])))
        left[best] = False
        nearest = np.maximum(nearest, vectors @ vectors[best])
    return chosen


def _unit_scale(scores: np.ndarray) -> np.ndarray:
    low, high = scores.min(), scores.max()
    return (scores - low) / (high - low) if high > low else np.ones_like(scores)
