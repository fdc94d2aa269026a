"""The last word on a ranking: the best passages, one of each near-duplicate cluster, reranked and diversified.

A cross-encoder reads question and passage together: better than any cosine, and too slow for a whole corpus. Maximal
marginal relevance puts passages first that are relevant and say something that those before them do not.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from acronis_pipeline.encoders import cross_encoder
from acronis_pipeline.retrieve.ranking import DECIMALS, Ranking, first_of_each, ordered
from acronis_pipeline.retrieve.system import System


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

    Notes
    -----
    Carbonell, Goldstein: The use of MMR, diversity-based reranking for reordering documents and producing summaries,
    SIGIR 1998.
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


class Reranker:
    """A cross-encoder by its hub name or folder, loaded when something is scored for the first time.

    Parameters
    ----------
    name
        A hub name (`cross-encoder/ms-marco-MiniLM-L6-v2`) or a local folder. Code in either is never run.
    device
        cpu, cuda, mps …; chosen automatically by default.
    batch_size
        Pairs of question and passage read at once.
    """

    def __init__(self, name: str, *, device: str | None = None, batch_size: int = 32) -> None:
        self.name = name
        self._device = device
        self._batch_size = batch_size

    def scores(self, query: str, passages: Sequence[str]) -> list[float]:
        """Relevance of each passage to the question: the model's logits, which no sigmoid has squeezed together.

        Raises
        ------
        ModelError
            If the model is neither here nor on the hub, needs code of its own, or gives more than one score a pair.
        """
        import torch

        if not passages:
            return []
        found = self._model.predict(
            [(query, passage) for passage in passages],
            batch_size=self._batch_size,
            activation_fn=torch.nn.Identity(),
            show_progress_bar=False,
        )
        return [float(score) for score in found]

    @cached_property
    def _model(self) -> Any:
        return cross_encoder.load(self.name, role="reranker", otherwise="unset retrieval.reranker", device=self._device)


@lru_cache(maxsize=4)
def reranker(name: str, device: str | None = None) -> Reranker:
    """The reranker of that name, one in a process: evaluation and latency share its weights."""
    return Reranker(name, device=device)


def reordered(
    system: System,
    ranking: Ranking,
    cluster_of: Mapping[str, str],
    scores_of: Callable[[Sequence[str]], Sequence[float]],
    vectors_of: Callable[[Sequence[str]], np.ndarray],
) -> Ranking:
    """`ranking` with its first `system.rerank_depth` clusters in the order of the system's reranker, then of its MMR.

    Every passage stays in it: near-duplicates follow the one that was scored, the rest follows in its old order.

    Parameters
    ----------
    scores_of
        The reranker's scores of passages by chunk_id; called only if the system has a reranker.
    vectors_of
        One vector of each, shape (n, dimension); called only if the system has MMR.
    """
    if system.reranker is None and system.mmr is None:
        return ranking
    leaders = first_of_each(ranking, cluster_of)[: system.rerank_depth]
    if system.reranker is not None and leaders:
        chunk_ids = [chunk_id for chunk_id, _ in leaders]
        leaders = ordered(zip(chunk_ids, scores_of(chunk_ids), strict=True))
    if system.mmr is not None and leaders:
        leaders = diversified(leaders, vectors_of([chunk_id for chunk_id, _ in leaders]), system.mmr)
    return _with_the_rest(leaders, ranking, cluster_of)


def _with_the_rest(leaders: Ranking, ranking: Ranking, cluster_of: Mapping[str, str]) -> Ranking:
    members: defaultdict[str, list[str]] = defaultdict(list)
    for chunk_id, _ in ranking:
        members[cluster_of[chunk_id]].append(chunk_id)
    led = {cluster_of[chunk_id] for chunk_id, _ in leaders}
    head = [(member, score) for chunk_id, score in leaders for member in members[cluster_of[chunk_id]]]
    rest = [(chunk_id, score) for chunk_id, score in ranking if cluster_of[chunk_id] not in led]
    if not rest:
        return head
    # Scores of two scales: the old ones are moved below the new ones, so that they still fall.
    shift = head[-1][1] - rest[0][1]
    return head + [(chunk_id, score + shift) for chunk_id, score in rest]
