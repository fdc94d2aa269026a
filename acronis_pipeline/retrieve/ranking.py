"""A ranking as every stage of retrieval passes it on, and the one order all of them share."""

from collections.abc import Iterable, Mapping

Ranking = list[tuple[str, float]]
"""(chunk_id, score), best first."""

DECIMALS = 5
"""Scores are compared at this precision: two exact searches (LanceDB's and numpy's) sum in another order and differ in
the seventh digit, which would make copies of one passage change places."""


def ordered(scores: Iterable[tuple[str, float]]) -> Ranking:
    """Best first; equal scores by chunk_id, so that a ranking is the same everywhere."""
    rounded = [(chunk_id, round(float(score), DECIMALS)) for chunk_id, score in scores]
    return sorted(rounded, key=lambda item: (-item[1], item[0]))


def first_of_each(ranking: Ranking, cluster_of: Mapping[str, str]) -> Ranking:
    """The best passage of every near-duplicate cluster; a passage of unknown cluster stands for itself."""
    seen: dict[str, tuple[str, float]] = {}
    for chunk_id, score in ranking:
        seen.setdefault(cluster_of.get(chunk_id, chunk_id), (chunk_id, score))
    return list(seen.values())
