"""Nearest passages by cosine: one query through LanceDB, many at once through numpy."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from acronis_pipeline.encoders import PassageVectors, vector_cache
from acronis_pipeline.index import search_options
from acronis_pipeline.retrieve.ranking import WITH_VECTORS, Found, Ranking, details, ordered

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
    cluster_of, vectors_of = details((query.where(where) if where else query).to_arrow())
    found = Found([], cluster_of, vectors_of)
    return replace(found, ranking=ordered(found.cosines(vector, list(vectors_of)).items()))


class Matrix:
    """The vectors of a table in memory, for ranking many queries."""

    def __init__(self, table: Any) -> None:
        rows = table.search().select([*WITH_VECTORS]).limit(max(1, table.count_rows())).to_arrow()
        self.chunk_ids: list[str] = rows.column("chunk_id").to_pylist()
        self.cluster_of = dict(zip(self.chunk_ids, rows.column("cluster_id").to_pylist(), strict=True))
        self._row_of = {chunk_id: row for row, chunk_id in enumerate(self.chunk_ids)}
        self._vectors = vector_cache.read_column(rows.column("vector"))

    def search_many(self, queries: np.ndarray, depth: int) -> list[Ranking]:
        """The ranking of an exact `search` for each row of `queries` (shape (n_queries, dimension))."""
        rankings: list[Ranking] = []
        for start in range(0, len(queries), _BLOCK):
            similarity = self._vectors.similarities(queries[start : start + _BLOCK])
            rankings += [self._best(row, depth) for row in similarity]
        return rankings

    def centres_of(self, chunk_ids: Sequence[str]) -> np.ndarray:
        """One vector a passage, shape (n, dimension) float32."""
        return self._of(chunk_ids).centres()

    def cosines(self, vector: np.ndarray, chunk_ids: Sequence[str]) -> dict[str, float]:
        """Cosine of one query vector with the named passages; unknown ones (new since this was read) are left out."""
        known = [chunk_id for chunk_id in chunk_ids if chunk_id in self._row_of]
        return dict(zip(known, self._of(known).similarities(vector).tolist(), strict=True)) if known else {}

    def _of(self, chunk_ids: Sequence[str]) -> PassageVectors:
        return self._vectors.take([self._row_of[chunk_id] for chunk_id in chunk_ids])

    def _best(self, similarity: np.ndarray, depth: int) -> Ranking:
        if depth < len(similarity):
            best = np.argpartition(-similarity, depth - 1)[:depth]
        else:
            best = np.arange(len(similarity))
        return ordered((self.chunk_ids[row], similarity[row]) for row in best)
