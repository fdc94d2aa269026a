"""What a retrieval system is, everything that decides a ranking besides index and model, and the tables it searches."""

from dataclasses import dataclass, field
from typing import Any, Literal

from acronis_pipeline.core.errors import IdentityMismatchError
from acronis_pipeline.encoders import Encoder
from acronis_pipeline.index import is_finished
from acronis_pipeline.index.rows import read_identity, require
from acronis_pipeline.store import Store, tables

Mode = Literal["bm25", "dense", "hybrid"]
Fusion = Literal["standard_score", "reciprocal_rank"]


@dataclass(frozen=True)
class System:
    """A way to search one passages table.

    Parameters
    ----------
    name
        As reports show it: `bm25`, `base`, `fine_tuned`, `hybrid_base`, `hybrid`, `hybrid_rerank` …
    table
        The passages table it searches.
    dense_weight
        Share of the dense score in a hybrid by standard scores, from 0 (BM25 alone) to 1; None for other systems.
    reranker
        Cross-encoder (hub name or folder) that orders the first `rerank_depth` passages anew; None for none.
    rerank_depth
        Passages, near-duplicates as one, that the reranker and MMR look at.
    mmr
        Share of relevance against variety in maximal marginal relevance, from 0 to 1; None for none.
    min_similarity
        A question whose most similar passage has a smaller cosine has no answer here (learned in
        `evaluate.validation`); None where every question is answered. No part of how passages are ranked: systems that
        differ in it alone are equal.
    """

    name: str
    mode: Mode
    table: str
    dense_weight: float | None = None
    fusion: Fusion = "standard_score"
    reranker: str | None = None
    rerank_depth: int = 50
    mmr: float | None = None
    min_similarity: float | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.mode not in ("bm25", "dense", "hybrid"):
            raise ValueError(f"system {self.name}: mode {self.mode!r} is none of bm25, dense, hybrid")
        if self.rerank_depth < 1:
            raise ValueError(f"system {self.name}: rerank_depth must be at least 1, got {self.rerank_depth}")
        if self.mmr is not None and not 0.0 <= self.mmr <= 1.0:
            raise ValueError(f"system {self.name}: mmr must lie between 0 and 1, got {self.mmr}")
        weighted = self.mode == "hybrid" and self.fusion == "standard_score"
        if weighted and (self.dense_weight is None or not 0.0 <= self.dense_weight <= 1.0):
            raise ValueError(f"system {self.name}: a hybrid needs a dense_weight from 0 to 1, got {self.dense_weight}")

    @property
    def weight(self) -> float:
        """`dense_weight` of a hybrid by standard scores."""
        if self.dense_weight is None:
            raise ValueError(f"system {self.name} is no hybrid by standard scores and has no dense_weight")
        return self.dense_weight

    @property
    def needs_encoder(self) -> bool:
        return self.mode != "bm25"


@dataclass(frozen=True)
class Tables:
    """An open passages table and that of its excerpts."""

    passages: Any
    excerpts: Any


def open_checked(store: Store, system: System, encoder: Encoder | None) -> Tables:
    """The system's tables, after making sure that `encoder` is the model of their vectors.

    Raises
    ------
    IdentityMismatchError
        If the table does not exist, is not finished, or holds vectors of another model than the one given.
    """
    found = read_identity(store, system.table)
    if system.needs_encoder:
        if encoder is None:
            raise IdentityMismatchError(
                f"system {system.name} searches by vectors and needs model {found.model_id} ({found.base}), got none"
            )
        require(found, encoder.identity, system.table)
    if not is_finished(store, system.table):
        raise IdentityMismatchError(
            f"table {system.table} lacks a full-text index: its build was interrupted, or an older version of this "
            "program made it; build the index again"
        )
    return Tables(store.open(system.table), store.open(tables.excerpts(system.table)))
