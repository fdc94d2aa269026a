"""Many queries asked of one table: encoded once, each list computed once, shared by all systems that use it."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from acronis_pipeline.encoders import Encoder
from acronis_pipeline.retrieve import dense, fusion, lexical
from acronis_pipeline.retrieve.ranking import Ranking
from acronis_pipeline.retrieve.reorder import reordered, reranker
from acronis_pipeline.retrieve.system import System, Tables


class Batch:
    """Rankings of `queries` in one table, computed when asked for.

    Parameters
    ----------
    tables
        Of a system that was checked.
    encoder
        The table's model; None if only BM25 is asked for.
    depth
        Length of the dense and BM25 lists, and the depth of fusion.
    words
        BM25 lists of other tables with the same passages, to save computing them again, or of other queries.
    device
        Where rerankers run; chosen automatically by default.
    """

    def __init__(
        self,
        tables: Tables,
        queries: Sequence[str],
        encoder: Encoder | None,
        depth: int,
        words: lexical.Lists | None = None,
        *,
        device: str | None = None,
    ) -> None:
        self.tables = tables
        self.queries = list(queries)
        self.depth = depth
        self._encoder = encoder
        self.words = words or lexical.Lists(tables, self.queries, depth)
        self._device = device

    def rankings(self, system: System) -> list[Ranking]:
        """One ranking a query: at most `depth` passages for BM25 and dense, at most twice that for a hybrid."""
        rankings = self._fused(system)
        if system.reranker is None and system.mmr is None:
            return rankings
        return [self._reordered(system, *asked) for asked in zip(self.queries, rankings, strict=True)]

    def _fused(self, system: System) -> list[Ranking]:
        if system.mode == "bm25":
            return self.words.of_passages
        if system.mode == "dense":
            return self.dense_lists
        if system.fusion == "reciprocal_rank":
            pairs = zip(self.dense_lists, self.words.with_excerpts, strict=True)
            return [fusion.reciprocal_rank(pair) for pair in pairs]
        return [pool.mixed(system.weight) for pool in self.pools]

    def _reordered(self, system: System, query: str, ranking: Ranking) -> Ranking:
        def scores_of(chunk_ids: Sequence[str]) -> list[float]:
            assert system.reranker is not None  # only called where the system has one
            passages = [self._passages[chunk_id] for chunk_id in chunk_ids]
            return reranker(system.reranker, self._device).scores(query, passages)

        return reordered(system, ranking, self._matrix.cluster_of, scores_of, self._matrix.centres_of)

    @cached_property
    def dense_lists(self) -> list[Ranking]:
        return self._matrix.search_many(self._vectors, self.depth)

    @cached_property
    def pools(self) -> list[fusion.Pool]:
        """Candidates of both lists with both scores, one pool a query."""
        return [
            fusion.pool(near, words, self.depth, lambda ids, vector=vector: self._matrix.cosines(vector, ids))
            for near, words, vector in zip(self.dense_lists, self.words.with_excerpts, self._vectors, strict=True)
        ]

    @cached_property
    def _matrix(self) -> dense.Matrix:
        return dense.Matrix(self.tables.passages)

    @cached_property
    def _passages(self) -> dict[str, str]:
        table = self.tables.passages
        rows = table.search().select(["chunk_id", "passage"]).limit(max(1, table.count_rows())).to_arrow()
        return dict(zip(rows.column("chunk_id").to_pylist(), rows.column("passage").to_pylist(), strict=True))

    @cached_property
    def _vectors(self) -> np.ndarray:
        if self._encoder is None:
            raise ValueError("a dense or hybrid ranking needs an encoder")
        return self._encoder.encode_queries(self.queries)
