"""What a search brings along besides the ranking, so that nothing has to be looked up a second time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from acronis_pipeline import vectors
from acronis_pipeline.embedding import PassageVectors
from acronis_pipeline.retrieve.ranking import Ranking

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
    read = vectors.read_column(rows.column("vector"))
    return cluster_of, dict(zip(chunk_ids, map(read.of, range(len(read))), strict=True))
