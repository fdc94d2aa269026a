"""Nearest passages by cosine: one query through LanceDB, many at once through numpy."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from acronis_pipeline import vectors
from acronis_pipeline.index import search_options
from acronis_pipeline.retrieve.found import WITH_VECTORS, Found, details
from acronis_pipeline.retrieve.ranking import Ranking, ordered

_BLOCK = 256
"""Queries multiplied at once: 256 x 100,000 float32 similarities are 100 MB."""


def search(table: Any, vector: np.ndarray, depth: int, *, where: str | None = None) -> Found:
    """The `depth` nearest passages of one query vector (shape (dimension,)), by cosine.

    Searched as the table says (`search_options`), by its ANN index or exactly; the cosines are exact either way.

    Parameters
    ----------
    where
        SQL condition that every passage found meets.
    """
    query = table.search(vector, vector_column_name="vector").distance_type("cosine")
    query = search_options(table).apply(query, depth).select([*WITH_VECTORS, "_distance"])
    cluster_of, vector_of = details((query.where(where) if where else query).to_arrow())
    similarity = np.stack([*vector_of.values()]) @ vector if vector_of else ()
    return Found(ordered(zip(vector_of, similarity, strict=True)), cluster_of, vector_of)


class Matrix:
    """The vectors of a table in memory, for ranking many queries."""

    def __init__(self, table: Any) -> None:
        rows = table.search().select([*WITH_VECTORS]).limit(max(1, table.count_rows())).to_arrow()
        self.chunk_ids: list[str] = rows.column("chunk_id").to_pylist()
        self.cluster_of = dict(zip(self.chunk_ids, rows.column("cluster_id").to_pylist(), strict=True))
        self._row_of = {chunk_id: row for row, chunk_id in enumerate(self.chunk_ids)}
        column = rows.column("vector")
        self._vectors = vectors.as_matrix(column, column.type.list_size)

    def search_many(self, queries: np.ndarray, depth: int) -> list[Ranking]:
        """The ranking of an exact `search` for each row of `queries` (shape (n_queries, dimension))."""
        rankings: list[Ranking] = []
        for start in range(0, len(queries), _BLOCK):
            similarity = queries[start : start + _BLOCK] @ self._vectors.T
            rankings += [self._best(row, depth) for row in similarity]
        return rankings

    def vectors_of(self, chunk_ids: Sequence[str]) -> np.ndarray:
        """Shape (n, dimension) float32."""
        return self._vectors[[self._row_of[chunk_id] for chunk_id in chunk_ids]]

    def cosines(self, vector: np.ndarray, chunk_ids: Sequence[str]) -> dict[str, float]:
        """Cosine of one query vector with the named passages; unknown ones (new since this was read) are left out."""
        known = [chunk_id for chunk_id in chunk_ids if chunk_id in self._row_of]
        return dict(zip(known, (self.vectors_of(known) @ vector).tolist(), strict=True)) if known else {}

    def _best(self, similarity: np.ndarray, depth: int) -> Ranking:
        if depth < len(similarity):
            best = np.argpartition(-similarity, depth - 1)[:depth]
        else:
            best = np.arange(len(similarity))
        return ordered((self.chunk_ids[row], similarity[row]) for row in best)
