"""Exact nearest passages by cosine: one query through LanceDB, many at once through numpy."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from acronis_pipeline import vectors
from acronis_pipeline.retrieve.ranking import Ranking, ordered
from acronis_pipeline.store import is_in

_BLOCK = 256
"""Queries multiplied at once: 256 x 100,000 float32 similarities are 100 MB."""


def search(table: Any, vector: np.ndarray, depth: int) -> Ranking:
    """The `depth` nearest passages of one query vector (shape (dimension,)), by cosine."""
    query = table.search(vector, vector_column_name="vector").distance_type("cosine").bypass_vector_index()
    found = query.select(["chunk_id", "_distance"]).limit(depth).to_arrow()
    similarity = 1.0 - found.column("_distance").to_numpy()
    return ordered(zip(found.column("chunk_id").to_pylist(), similarity, strict=True))


def scores_of(table: Any, vector: np.ndarray, chunk_ids: Sequence[str]) -> dict[str, float]:
    """Cosine of one query vector with the named passages."""
    if not chunk_ids:
        return {}
    query = table.search().where(is_in("chunk_id", chunk_ids)).select(["chunk_id", "vector"])
    found = query.limit(len(chunk_ids)).to_arrow()
    similarity = vectors.as_matrix(found.column("vector"), len(vector)) @ vector
    return dict(zip(found.column("chunk_id").to_pylist(), similarity.tolist(), strict=True))


class Matrix:
    """The vectors of a table in memory, for ranking many queries."""

    def __init__(self, table: Any) -> None:
        dimension = table.schema.field("vector").type.list_size
        rows = table.search().select(["chunk_id", "vector"]).limit(max(1, table.count_rows())).to_arrow()
        self.chunk_ids: list[str] = rows.column("chunk_id").to_pylist()
        self._row_of = {chunk_id: row for row, chunk_id in enumerate(self.chunk_ids)}
        self._vectors = vectors.as_matrix(rows.column("vector"), dimension)

    def search_many(self, queries: np.ndarray, depth: int) -> list[Ranking]:
        """As `search` for each row of `queries` (shape (n_queries, dimension))."""
        rankings: list[Ranking] = []
        for start in range(0, len(queries), _BLOCK):
            similarity = queries[start : start + _BLOCK] @ self._vectors.T
            rankings += [self._best(row, depth) for row in similarity]
        return rankings

    def scores_of(self, vector: np.ndarray, chunk_ids: Sequence[str]) -> dict[str, float]:
        """As the function of that name."""
        rows = [self._row_of[chunk_id] for chunk_id in chunk_ids if chunk_id in self._row_of]
        similarity = (self._vectors[rows] @ vector).tolist() if rows else []
        return dict(zip((self.chunk_ids[row] for row in rows), similarity, strict=True))

    def _best(self, similarity: np.ndarray, depth: int) -> Ranking:
        if depth < len(similarity):
            best = np.argpartition(-similarity, depth - 1)[:depth]
        else:
            best = np.arange(len(similarity))
        return ordered((self.chunk_ids[row], similarity[row]) for row in best)
