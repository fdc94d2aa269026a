"""Metrics of one ranked list with binary relevance; averages over questions are taken elsewhere.

A ranked list holds units (near-duplicate clusters or pages), each at most once. Names and definitions are those of
trec_eval and ir-measures, which the tests use as oracle: hit rate is their Success, MRR their RR.
"""

import math
from collections.abc import Collection, Sequence

CUTOFFS = (1, 3, 5, 10)
METRICS = (*(f"hit_rate_at_{k}" for k in CUTOFFS), "mrr_at_10", "ndcg_at_10")
PRIMARY = "ndcg_at_10"
"""What weights, checkpoints and champions are chosen by."""


def hit_rate_at(ranked: Sequence[str], relevant: Collection[str], k: int) -> float:
    """1 if a relevant unit stands among the first `k`, else 0 (Success@k)."""
    return float(any(unit in relevant for unit in ranked[:k]))


def mrr_at(ranked: Sequence[str], relevant: Collection[str], k: int) -> float:
    """1 / rank of the first relevant unit among the first `k`, else 0.

    Voorhees: The TREC-8 question answering track report, 1999 (RR@k).
    """
    rank = first_relevant_rank(ranked[:k], relevant)
    return 1.0 / rank if rank else 0.0


def ndcg_at(ranked: Sequence[str], relevant: Collection[str], k: int) -> float:
    """Sum of 1 / log2(rank + 1) over relevant units among the first `k`, divided by the best possible sum.

    Järvelin, Kekäläinen: Cumulated gain-based evaluation of IR techniques, TOIS 2002 (nDCG@k with binary gains). Zero
    where nothing is relevant.
    """
    gained = sum(1.0 / math.log2(rank + 1) for rank, unit in enumerate(ranked[:k], start=1) if unit in relevant)
    possible = sum(1.0 / math.log2(rank + 1) for rank in range(1, min(k, len(set(relevant))) + 1))
    return gained / possible if possible else 0.0


def first_relevant_rank(ranked: Sequence[str], relevant: Collection[str]) -> int | None:
    """Rank, from 1, of the first relevant unit; None if there is none."""
    return next((rank for rank, unit in enumerate(ranked, start=1) if unit in relevant), None)


def all_metrics(ranked: Sequence[str], relevant: Collection[str]) -> dict[str, float]:
    """Every metric of `METRICS`, by name."""
    hits = {f"hit_rate_at_{k}": hit_rate_at(ranked, relevant, k) for k in CUTOFFS}
    return hits | {"mrr_at_10": mrr_at(ranked, relevant, 10), "ndcg_at_10": ndcg_at(ranked, relevant, 10)}
