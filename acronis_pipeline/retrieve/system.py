"""What a retrieval system is: everything that decides a ranking besides the index and the model."""

from dataclasses import dataclass
from typing import Literal

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
    mmr
        Share of relevance against variety in maximal marginal relevance, from 0 to 1; None for none.
    """

    name: str
    mode: Mode
    table: str
    dense_weight: float | None = None
    fusion: Fusion = "standard_score"
    reranker: str | None = None
    rerank_depth: int = 50
    mmr: float | None = None

    def __post_init__(self) -> None:
        if self.mode not in ("bm25", "dense", "hybrid"):
            raise ValueError(f"system {self.name}: mode {self.mode!r} is none of bm25, dense, hybrid")
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
