"""BM25 by LanceDB's full-text index: of passages, and for hybrids of their excerpts too.

On 790 questions over 395 passages it reaches nDCG@10 .803 and hit rate@5 .899; bm25s with the same
stemmer .798 and .884.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import Any

import pyarrow as pa

from acronis_pipeline.retrieve.ranking import COLUMNS, Found, Ranking, details, ordered
from acronis_pipeline.retrieve.system import Tables
from acronis_pipeline.store import is_in

_THREADS = 2
_EXCERPTS_EACH = 50
"""Excerpts looked at, per passage: the best come first, so a passage of a hundred pages loses none that counts."""


def search(table: Any, query: str, depth: int, *, where: str | None = None, columns: Sequence[str] = COLUMNS) -> Found:
    """The `depth` best passages that share a word with the query; fewer where fewer do.

    Parameters
    ----------
    where
        SQL condition that every passage found meets.
    columns
        `found.COLUMNS`, or `found.WITH_VECTORS`.
    """
    rows = _rows(table, query, depth, where, columns)
    return Found(_ranking(rows), *details(rows))


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
    best = dict(reversed(_ranking(rows)))
    return ordered((chunk_id, score + best.get(chunk_id, 0.0)) for chunk_id, score in ranking)


class Lists:
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
        """The ranking of `search` for every query, in their order."""
        return _in_threads(
            lambda query: _ranking(_rows(self._tables.passages, query, self._depth, None, ["chunk_id"])), self._queries
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
    return MatchQuery(query, column)  # pyright: ignore[reportCallIssue]  # its defaults are invisible to checkers


def _ranking(rows: pa.Table) -> Ranking:
    return ordered(zip(rows.column("chunk_id").to_pylist(), rows.column("_score").to_pylist(), strict=True))
