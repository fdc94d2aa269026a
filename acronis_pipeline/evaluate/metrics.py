"""Metrics of one ranked list with binary relevance; averages over questions are taken elsewhere.

A ranked list holds units (near-duplicate clusters or pages), each at most once. Names and definitions are those of
trec_eval and ir-measures, which the tests use as oracle: hit rate is their Success, MRR their RR, MAP their AP.
"""

import math
from collections.abc import Callable, Collection, Sequence

from acronis_pipeline.store.tables import CUTOFFS, MEASURES, METRICS

__all__ = ["CUTOFFS", "METRICS", "PRIMARY", "all_metrics", "first_relevant_rank", "short_name"]

PRIMARY = "ndcg_at_10"
"""What weights, checkpoints and champions are chosen by."""
_SHORT_NAMES = {"hit_rate": "hit", "mrr": "MRR", "ndcg": "nDCG", "precision": "P", "recall": "R", "map": "MAP"}


def short_name(metric: str) -> str:
    """A metric as the field writes it: `hit_rate_at_5` as `hit@5`, `ndcg_at_10` as `nDCG@10`."""
    measure, _, k = metric.partition("_at_")
    return f"{_SHORT_NAMES.get(measure, measure)}@{k}" if k else measure


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


def precision_at(ranked: Sequence[str], relevant: Collection[str], k: int) -> float:
    """Relevant units among the first `k`, divided by `k`, however few were retrieved (P@k)."""
    return sum(unit in relevant for unit in ranked[:k]) / k


def recall_at(ranked: Sequence[str], relevant: Collection[str], k: int) -> float:
    """Relevant units among the first `k`, divided by all relevant ones (R@k); zero where nothing is relevant."""
    return sum(unit in relevant for unit in ranked[:k]) / len(set(relevant)) if relevant else 0.0


def map_at(ranked: Sequence[str], relevant: Collection[str], k: int) -> float:
    """Precision at every relevant unit among the first `k`, summed, divided by all relevant ones (AP@k)."""
    ranks = (rank for rank, unit in enumerate(ranked[:k], start=1) if unit in relevant)
    precisions = (found / rank for found, rank in enumerate(ranks, start=1))
    return sum(precisions) / len(set(relevant)) if relevant else 0.0


def first_relevant_rank(ranked: Sequence[str], relevant: Collection[str]) -> int | None:
    """Rank, from 1, of the first relevant unit; None if there is none."""
    return next((rank for rank, unit in enumerate(ranked, start=1) if unit in relevant), None)


_FUNCTIONS: dict[str, Callable[[Sequence[str], Collection[str], int], float]] = {
    "hit_rate": hit_rate_at,
    "mrr": mrr_at,
    "ndcg": ndcg_at,
    "precision": precision_at,
    "recall": recall_at,
    "map": map_at,
}


def all_metrics(ranked: Sequence[str], relevant: Collection[str]) -> dict[str, float]:
    """Every metric of `METRICS`, by name."""
    return {f"{name}_at_{k}": _FUNCTIONS[name](ranked, relevant, k) for name in MEASURES for k in CUTOFFS}
