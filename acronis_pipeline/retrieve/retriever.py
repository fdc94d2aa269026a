"""Questions asked of one passages table: many at once for evaluation, or one by one for whoever waits for its hits.

Both rank alike. Of many, questions are encoded once and each list is computed once, shared by all systems that use it.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from acronis_pipeline.core.text import normal_form
from acronis_pipeline.encoders import Encoder
from acronis_pipeline.index.rows import every_row
from acronis_pipeline.retrieve import search
from acronis_pipeline.retrieve.filters import Filters, explain
from acronis_pipeline.retrieve.ranking import (
    COLUMNS,
    WITH_VECTORS,
    Found,
    Pool,
    Ranking,
    candidate_pool,
    first_of_each,
    reciprocal_rank,
)
from acronis_pipeline.retrieve.reorder import Reranker, reordered, reranker
from acronis_pipeline.retrieve.system import System, Tables, open_checked
from acronis_pipeline.store import Store, is_in

_SHOWN = ["chunk_id", "url", "title", "heading_path", "anchor", "text", "passage", "cluster_id"]


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
        words: search.WordLists | None = None,
        *,
        device: str | None = None,
    ) -> None:
        self.tables = tables
        self.queries = list(queries)
        self.depth = depth
        self._encoder = encoder
        self.words = words or search.WordLists(tables, self.queries, depth)
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
            return [reciprocal_rank(pair) for pair in pairs]
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
    def pools(self) -> list[Pool]:
        """Candidates of both lists with both scores, one pool a query."""
        return [
            candidate_pool(near, words, self.depth, lambda ids, vector=vector: self._matrix.cosines(vector, ids))
            for near, words, vector in zip(self.dense_lists, self.words.with_excerpts, self._vectors, strict=True)
        ]

    @cached_property
    def _matrix(self) -> search.Matrix:
        return search.Matrix(self.tables.passages)

    @cached_property
    def _passages(self) -> dict[str, str]:
        rows = every_row(self.tables.passages, ["chunk_id", "passage"])
        return dict(zip(rows.column("chunk_id").to_pylist(), rows.column("passage").to_pylist(), strict=True))

    @cached_property
    def _vectors(self) -> np.ndarray:
        if self._encoder is None:
            raise ValueError("a dense or hybrid ranking needs an encoder")
        return self._encoder.encode_queries(self.queries)


@dataclass(frozen=True)
class Hit:
    """A retrieved passage; `rank` counts from 1. Scores compare within one query only.

    `similarity` is the cosine of question and passage, None where the system does not encode questions.
    """

    chunk_id: str
    url: str
    title: str
    heading_path: tuple[str, ...]
    anchor: str | None
    text: str
    passage: str
    cluster_id: str
    score: float
    rank: int
    similarity: float | None = None


class Retriever:
    """Finds the passages for a question in one passages table.

    Parameters
    ----------
    store, system
        Where and how to search.
    encoder
        The model of the table's vectors (a `DeferredEncoder` is loaded at the first question); None for BM25.
    candidates
        Depth to which the dense and BM25 rankings are fused, and before near-duplicates are collapsed.
    device
        Where the system's reranker runs, if it has one; chosen automatically by default.

    Raises
    ------
    IdentityMismatchError
        If `encoder` is not the model that the table was built with.
    """

    def __init__(
        self,
        store: Store,
        system: System,
        encoder: Encoder | None,
        candidates: int = 200,
        *,
        device: str | None = None,
    ) -> None:
        self.system = system
        self.candidates = candidates
        self._encoder, self._device = encoder, device
        self._reranker: Reranker | None = reranker(system.reranker, device) if system.reranker else None
        self._tables = open_checked(store, system, encoder)
        # Words are looked up while the question is encoded.
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="bm25")

    def retrieve(self, question: str, k: int, *, where: Filters | None = None) -> list[Hit]:
        """The `k` best passages that meet `where`, one of each near-duplicate cluster.

        Fewer only where fewer of the passages found match. The question is only ever tokenized, never parsed: quotes
        and operators in it are plain text.
        """
        question = normal_form(question)
        found, vector = self._search(question, where.sql() if where else None)
        rows: dict[str, dict[str, Any]] = {}

        def scores_of(chunk_ids: Sequence[str]) -> list[float]:
            assert self._reranker is not None  # only called where the system has one
            rows.update(self._rows(chunk_ids))
            return self._reranker.scores(question, [rows[i]["passage"] if i in rows else "" for i in chunk_ids])

        ranking = reordered(self.system, found.ranking, found.cluster_of, scores_of, found.centres_of)
        best = first_of_each(ranking, found.cluster_of)[:k]
        rows |= self._rows([chunk_id for chunk_id, _ in best if chunk_id not in rows])
        # A refresh may have removed a passage since the search.
        best = [(chunk_id, score) for chunk_id, score in best if chunk_id in rows]
        cosine = (
            {} if vector is None else {chunk_id: found.cosines(vector, [chunk_id])[chunk_id] for chunk_id, _ in best}
        )
        return [
            Hit(**rows[chunk_id], score=score, rank=rank, similarity=cosine.get(chunk_id))
            for rank, (chunk_id, score) in enumerate(best, start=1)
        ]

    def why_nothing(self, where: Filters) -> str | None:
        """Why no passage meets `where`, with what would, in one line; None if one does."""
        return explain(self._tables.passages, where)

    def rank(self, queries: Sequence[str], depth: int | None = None) -> list[Ranking]:
        """Rankings of many queries at once, near-duplicates included, cut to `depth`.

        The same ranking as `retrieve` builds on, but dense similarities come from one matrix product.
        """
        batch = Batch(self._tables, queries, self._encoder, self.candidates, device=self._device)
        return [ranking[:depth] for ranking in batch.rankings(self.system)]

    def _search(self, question: str, where: str | None) -> tuple[Found, np.ndarray | None]:
        """The ranking that is left to reorder, and the question's vector if one was needed."""
        mode = self.system.mode
        if mode == "bm25":
            columns = COLUMNS if self.system.mmr is None else WITH_VECTORS
            found = search.by_words(self._tables.passages, question, self.candidates, where=where, columns=columns)
            return found, None
        if mode == "dense":
            vector = self._encode(question)
            return search.by_vector(self._tables.passages, vector, self.candidates, where=where), vector
        searching = self._beside.submit(self._words, question, where)
        vector = self._encode(question)
        near = search.by_vector(self._tables.passages, vector, self.candidates, where=where)
        words = searching.result()
        return Found(
            self._fused(near, words, vector),
            {**near.cluster_of, **words.cluster_of},
            {**near.vectors_of, **words.vectors_of},
        ), vector

    def _words(self, question: str, where: str | None) -> Found:
        passages, excerpts = self._tables.passages, self._tables.excerpts
        found = search.by_words(passages, question, self.candidates, where=where, columns=WITH_VECTORS)
        return replace(found, ranking=search.with_best_excerpts(excerpts, question, found.ranking))

    def _encode(self, question: str) -> np.ndarray:
        assert self._encoder is not None  # open_checked made sure
        return self._encoder.encode_queries([question])[0]

    def _fused(self, near: Found, words: Found, vector: np.ndarray) -> Ranking:
        if self.system.fusion == "reciprocal_rank":
            return reciprocal_rank([near.ranking, words.ranking])
        pool = candidate_pool(near.ranking, words.ranking, self.candidates, lambda ids: words.cosines(vector, ids))
        return pool.mixed(self.system.weight)

    def _rows(self, chunk_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        if not chunk_ids:
            return {}
        query = self._tables.passages.search().where(is_in("chunk_id", chunk_ids)).select(_SHOWN).limit(len(chunk_ids))
        found = query.to_arrow().select(_SHOWN).to_pylist()
        return {
            row["chunk_id"]: row | {"title": row["title"] or "", "heading_path": tuple(row["heading_path"] or ())}
            for row in found
        }
