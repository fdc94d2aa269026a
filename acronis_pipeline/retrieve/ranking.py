"""A ranking as every stage of retrieval passes it on, and the one order all of them share.

What a search brings along besides the ranking, so that nothing has to be looked up a second time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from acronis_pipeline.encoders import PassageVectors, vector_cache

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


COLUMNS = ("chunk_id", "cluster_id")
WITH_VECTORS = (*COLUMNS, "vector")
"""Reading the vectors of 200 passages with the search takes 1 ms, and as much again to look them up by key."""


@dataclass(frozen=True)
class Found:
    """A ranking, and the cluster and (where read) the vectors of every passage in it.

    `vectors_of` maps to an array of shape (n_vectors, dimension): one vector, or one of each window.
    """

    ranking: Ranking
    cluster_of: Mapping[str, str]
    vectors_of: Mapping[str, np.ndarray]

    def centres_of(self, chunk_ids: Sequence[str]) -> np.ndarray:
        """One vector a passage, shape (n, dimension) float32."""
        return self._joined(chunk_ids).centres()

    def cosines(self, vector: np.ndarray, chunk_ids: Sequence[str]) -> dict[str, float]:
        """Cosine of one query vector with passages of this ranking, each by its closest vector."""
        if not chunk_ids:
            return {}
        return dict(zip(chunk_ids, self._joined(chunk_ids).similarities(vector).tolist(), strict=True))

    def _joined(self, chunk_ids: Sequence[str]) -> PassageVectors:
        return PassageVectors.joined([self.vectors_of[chunk_id] for chunk_id in chunk_ids], 0)


def details(rows: pa.Table) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """Clusters and vectors by chunk_id, of rows with `COLUMNS` or `WITH_VECTORS`."""
    chunk_ids = rows.column("chunk_id").to_pylist()
    cluster_of = dict(zip(chunk_ids, rows.column("cluster_id").to_pylist(), strict=True))
    if "vector" not in rows.column_names:
        return cluster_of, {}
    read = vector_cache.read_column(rows.column("vector"))
    return cluster_of, dict(zip(chunk_ids, map(read.of, range(len(read))), strict=True))
