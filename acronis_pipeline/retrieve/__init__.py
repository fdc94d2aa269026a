"""The query side: one `Retriever` that evaluation, the command line and the API share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from acronis_pipeline.embedding import Embedder
from acronis_pipeline.errors import IdentityMismatchError
from acronis_pipeline.index.identity import read_identity, require
from acronis_pipeline.retrieve import dense, fusion, lexical
from acronis_pipeline.retrieve.batch import Batch
from acronis_pipeline.retrieve.ranking import Ranking, first_of_each
from acronis_pipeline.retrieve.system import Fusion, Mode, System
from acronis_pipeline.store import Store, is_in

__all__ = ["Batch", "Fusion", "Hit", "Mode", "Ranking", "Retriever", "System", "open_checked"]

_SHOWN = ["chunk_id", "url", "title", "heading_path", "anchor", "text", "passage", "cluster_id"]
_SLICE = 4
"""Passages read per hit wanted."""


@dataclass(frozen=True)
class Hit:
    """A retrieved passage; `rank` counts from 1. Scores compare within one query only."""

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


def open_checked(store: Store, system: System, embedder: Embedder | None) -> Any:
    """The system's table, after making sure that `embedder` is the model of its vectors.

    Raises
    ------
    IdentityMismatchError
        If the table does not exist, is not finished, or holds vectors of another model than the one given.
    """
    found = read_identity(store, system.table)
    if system.needs_encoder:
        if embedder is None:
            raise IdentityMismatchError(
                f"system {system.name} searches by vectors and needs model {found.model_id} ({found.base}), got none"
            )
        require(found, embedder.identity, system.table)
    table = store.open(system.table)
    # Without its index LanceDB would search the text all the same, but without stemming.
    if not any(part.columns == ["passage"] for part in table.list_indices()):
        raise IdentityMismatchError(
            f"table {system.table} has no full-text index, its build was interrupted; build the index again"
        )
    return table


class Retriever:
    """Finds the passages for a question in one passages table.

    Parameters
    ----------
    store, system
        Where and how to search.
    embedder
        The model of the table's vectors (a `DeferredEmbedder` is loaded at the first question); None for BM25.
    candidates
        Depth to which the dense and BM25 rankings are fused, and before near-duplicates are collapsed.

    Raises
    ------
    IdentityMismatchError
        If `embedder` is not the model that the table was built with.
    """

    def __init__(self, store: Store, system: System, embedder: Embedder | None, candidates: int = 200) -> None:
        self.system = system
        self.candidates = candidates
        self._embedder = embedder
        self._table = open_checked(store, system, embedder)

    def retrieve(self, query: str, k: int) -> list[Hit]:
        """The `k` best passages, one of each near-duplicate cluster.

        Notes
        -----
        The question is only ever tokenized, never parsed: quotes and operators in it are plain text.
        """
        ranking, rows = self._ranking(query), {}
        best: Ranking = []
        # Rows are read in slices: the first one nearly always holds k clusters.
        for end in range(_SLICE * k, len(ranking) + _SLICE * k, _SLICE * k):
            rows |= self._rows([chunk_id for chunk_id, _ in ranking[end - _SLICE * k : end]])
            read = [(chunk_id, score) for chunk_id, score in ranking[:end] if chunk_id in rows]
            best = first_of_each(read, {chunk_id: row["cluster_id"] for chunk_id, row in rows.items()})[:k]
            if len(best) == k:
                break
        return [_hit(rows[chunk_id], score, rank) for rank, (chunk_id, score) in enumerate(best, start=1)]

    def rank(self, queries: Sequence[str], depth: int | None = None) -> list[Ranking]:
        """Rankings of many queries at once, near-duplicates included, cut to `depth`.

        The same ranking as `retrieve` builds on, but dense similarities come from one matrix product.
        """
        batch = Batch(self._table, queries, self._embedder, self.candidates)
        return [ranking[:depth] for ranking in batch.rankings(self.system)]

    def _ranking(self, query: str) -> Ranking:
        depth = self.candidates
        if self.system.mode == "bm25":
            return lexical.search(self._table, query, depth)
        assert self._embedder is not None  # open_checked made sure
        vector = self._embedder.encode_queries([query])[0]
        near = dense.search(self._table, vector, depth)
        if self.system.mode == "dense":
            return near
        words = lexical.search(self._table, query, depth)
        if self.system.fusion == "reciprocal_rank":
            return fusion.reciprocal_rank([near, words])
        pool = fusion.pool(near, words, depth, lambda ids: dense.scores_of(self._table, vector, ids))
        return pool.mixed(self.system.weight)

    def _rows(self, chunk_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        if not chunk_ids:
            return {}
        query = self._table.search().where(is_in("chunk_id", chunk_ids)).select(_SHOWN).limit(len(chunk_ids))
        return {row["chunk_id"]: row for row in query.to_arrow().to_pylist()}


def _hit(row: dict[str, Any], score: float, rank: int) -> Hit:
    return Hit(
        chunk_id=row["chunk_id"],
        url=row["url"],
        title=row["title"] or "",
        heading_path=tuple(row["heading_path"] or ()),
        anchor=row["anchor"],
        text=row["text"],
        passage=row["passage"],
        cluster_id=row["cluster_id"],
        score=score,
        rank=rank,
    )
