"""What a search brings along besides the ranking, so that nothing has to be looked up a second time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from acronis_pipeline import vectors
from acronis_pipeline.retrieve.ranking import Ranking

COLUMNS = ("chunk_id", "cluster_id")
WITH_VECTORS = (*COLUMNS, "vector")
"""Reading the vectors of 200 passages with the search takes 1 ms, and as much again to look them up by key."""


@dataclass(frozen=True)
class Found:
    """A ranking, and the cluster and (where read) the vector of every passage in it."""

    ranking: Ranking
    cluster_of: Mapping[str, str]
    vector_of: Mapping[str, np.ndarray]

    def vectors_of(self, chunk_ids: Sequence[str]) -> np.ndarray:
        """Shape (n, dimension) float32."""
        return np.stack([self.vector_of[chunk_id] for chunk_id in chunk_ids])

    def cosines(self, vector: np.ndarray, chunk_ids: Sequence[str]) -> dict[str, float]:
        """Cosine of one query vector with passages of this ranking."""
        if not chunk_ids:
            return {}
        return dict(zip(chunk_ids, (self.vectors_of(chunk_ids) @ vector).tolist(), strict=True))


def details(rows: pa.Table) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """Clusters and vectors by chunk_id, of rows with `COLUMNS` or `WITH_VECTORS`."""
    chunk_ids = rows.column("chunk_id").to_pylist()
    cluster_of = dict(zip(chunk_ids, rows.column("cluster_id").to_pylist(), strict=True))
    if "vector" not in rows.column_names:
        return cluster_of, {}
    column = rows.column("vector")
    return cluster_of, dict(zip(chunk_ids, vectors.as_matrix(column, column.type.list_size), strict=True))
