"""BM25 by LanceDB's full-text index.

On 790 questions over 395 passages it reaches nDCG@10 .803 and hit rate@5 .899; bm25s with the same
stemmer .798 and .884.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from acronis_pipeline.retrieve.ranking import Ranking, ordered

_THREADS = 2


def search(table: Any, query: str, depth: int) -> Ranking:
    """The `depth` best passages that share a word with the query; fewer where fewer do."""
    from lancedb.query import MatchQuery

    # A bare string in quotation marks would be parsed as a phrase query; MatchQuery only ever tokenizes.
    words = MatchQuery(query, "passage")  # pyright: ignore[reportCallIssue]  # its defaults are invisible to checkers
    found = table.search(words, query_type="fts").select(["chunk_id", "_score"]).limit(depth).to_arrow()
    return ordered(zip(found.column("chunk_id").to_pylist(), found.column("_score").to_pylist(), strict=True))


def search_many(table: Any, queries: Sequence[str], depth: int) -> list[Ranking]:
    """`search` for every query, in their order."""
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(lambda query: search(table, query, depth), queries))
