"""The two searches in a passages table, by words and by vectors: of one query through LanceDB, or of many at once.

Words are searched by LanceDB's full-text index (BM25), of passages and for hybrids of their excerpts too: on 790
questions over 395 passages it reaches nDCG@10 .803 and hit rate@5 .899; bm25s with the same stemmer .798 and .884.
Vectors are compared by cosine; for many queries at once that is a matrix product in numpy.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import pyarrow as pa

from acronis_pipeline.core.text import normal_form
from acronis_pipeline.encoders import PassageVectors, vector_cache
from acronis_pipeline.index import search_options
from acronis_pipeline.index.rows import every_row
from acronis_pipeline.retrieve.ranking import COLUMNS, WITH_VECTORS, Found, Ranking, details, ordered
from acronis_pipeline.retrieve.system import Tables
from acronis_pipeline.store import is_in

_THREADS = 2
_EXCERPTS_EACH = 50
"""Excerpts looked at, per passage: the best come first, so a passage of a hundred pages loses none that counts."""

_BLOCK = 256
"""Queries multiplied at once: 256 x 100,000 float32 similarities are 100 MB."""


def by_words(
    table: Any, query: str, depth: int, *, where: str | None = None, columns: Sequence[str] = COLUMNS
) -> Found:
    """The `depth` best passages that share a word with the query; fewer where fewer do.

    Parameters
    ----------
    where
        SQL condition that every passage found meets.
    columns
        `ranking.COLUMNS`, or `ranking.WITH_VECTORS`.
    """
    rows = _rows(table, query, depth, where, columns)
    return Found(_ranking_of(rows), *details(rows))


def with_best_excerpts(excerpts: Any, query: str, ranking: Ranking) -> Ranking:
    """The passages of a BM25 ranking, each by its own score and that of its best excerpt together.

    Parameters
    ----------
    excerpts
        The open table of the passages' excerpts.
    """
    if not ranking:
        return ranking
    chunk_ids = [chunk_id for chunk_id, _ in ranking]
    search = excerpts.search(_match(query, "text"), query_type="fts").where(is_in("chunk_id", chunk_ids))
    rows = search.select(["chunk_id", "_score"]).limit(_EXCERPTS_EACH * len(chunk_ids)).to_arrow()
    best = dict(reversed(_ranking_of(rows)))
    return ordered((chunk_id, score + best.get(chunk_id, 0.0)) for chunk_id, score in ranking)


class WordLists:
    """BM25 rankings of many queries in one passages table, computed when asked for.

    Parameters
    ----------
    tables
        Any with the same passages give the same lists, whichever model made their vectors.
    depth
        Length of the lists.
    """

    def __init__(self, tables: Tables, queries: Sequence[str], depth: int) -> None:
        self._tables, self._queries, self._depth = tables, queries, depth

    @cached_property
    def of_passages(self) -> list[Ranking]:
        """The ranking of `by_words` for every query, in their order."""
        return _in_threads(
            lambda query: _ranking_of(_rows(self._tables.passages, query, self._depth, None, ["chunk_id"])),
            self._queries,
        )

    @cached_property
    def with_excerpts(self) -> list[Ranking]:
        """The same passages `with_best_excerpts`."""
        return _in_threads(partial(with_best_excerpts, self._tables.excerpts), self._queries, self.of_passages)


def _in_threads(rank: Callable[..., Ranking], *arguments: Sequence[Any]) -> list[Ranking]:
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(rank, *arguments))


def _rows(table: Any, query: str, depth: int, where: str | None, columns: Sequence[str]) -> pa.Table:
    search = table.search(_match(query, "passage"), query_type="fts").select([*columns, "_score"]).limit(depth)
    return (search.where(where) if where else search).to_arrow()


def _match(query: str, column: str) -> Any:
    from lancedb.query import MatchQuery

    # A bare string in quotation marks would be parsed as a phrase query; MatchQuery only ever tokenizes.
    return MatchQuery(normal_form(query), column)  # pyright: ignore[reportCallIssue]  # its defaults are invisible to checkers


def _ranking_of(rows: pa.Table) -> Ranking:
    return ordered(zip(rows.column("chunk_id").to_pylist(), rows.column("_score").to_pylist(), strict=True))


def by_vector(table: Any, vector: np.ndarray, depth: int, *, where: str | None = None) -> Found:
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
        rows = every_row(table, WITH_VECTORS)
        self.chunk_ids: list[str] = rows.column("chunk_id").to_pylist()
        self.cluster_of = dict(zip(self.chunk_ids, rows.column("cluster_id").to_pylist(), strict=True))
        self._row_of = {chunk_id: row for row, chunk_id in enumerate(self.chunk_ids)}
        self._vectors = vector_cache.read_column(rows.column("vector"))

    def search_many(self, queries: np.ndarray, depth: int) -> list[Ranking]:
        """The ranking of an exact `by_vector` for each row of `queries` (shape (n_queries, dimension))."""
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
