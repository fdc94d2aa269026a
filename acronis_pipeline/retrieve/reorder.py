"""The last word on a ranking: the best passages, one of each near-duplicate cluster, reranked and diversified."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from acronis_pipeline.retrieve.mmr import diversified
from acronis_pipeline.retrieve.ranking import Ranking, first_of_each, ordered
from acronis_pipeline.retrieve.system import System


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
