"""Round-trip consistency: does the untouched base find a query's own passage again, roughly?

Near-duplicates count as one place, and the passage needs to be among the first k only: asking for rank one would keep
what the base knows already and throw away what there is to learn. Dai et al.: Promptagator, ICLR 2023.
"""

import logging
import time
from collections.abc import Sequence

import numpy as np

from acronis_pipeline.encoders import Encoder
from acronis_pipeline.encoders.vector_cache import embed_passages
from acronis_pipeline.pairs.filters import Case, Refusals, Step
from acronis_pipeline.store import Store

LOST = "the base does not find its passage again"

_log = logging.getLogger(__name__)
_BLOCK = 512
"""Queries scored at once: 20 MB over 10,000 passages."""


def round_trip(store: Store, encoder: Encoder, k: int) -> Step:
    """The step that rejects cases whose best gold cluster is not among the first `k` of the base.

    Every case that it sees gets its rank as score `round_trip_rank`. Passages come from the store's vector cache, where
    the index will look for them too.
    """

    def refusals(cases: Sequence[Case]) -> Refusals:
        started = time.monotonic()
        chunks = cases[0].site.chunks
        passage_vectors = embed_passages(store, encoder, [chunk.passage for chunk in chunks.values()]).centres()
        query_vectors = encoder.encode_queries([case.candidate.query for case in cases])
        gold = [{chunks[chunk_id].cluster_id for chunk_id in case.chunk_ids} for case in cases]
        found = ranks(query_vectors, passage_vectors, [chunk.cluster_id for chunk in chunks.values()], gold)
        for case, rank in zip(cases, found, strict=True):
            case.scores["round_trip_rank"] = rank
            if rank > k:
                yield case, LOST
        lost = sum(rank > k for rank in found)
        _log.info("round trip: %d of %d queries lost, %.1f s", lost, len(cases), time.monotonic() - started)

    return Step("round trip", refusals)


def ranks(
    query_vectors: np.ndarray, passage_vectors: np.ndarray, clusters: Sequence[str], gold: Sequence[set[str]]
) -> list[int]:
    """1-based rank of each query's best gold cluster among all clusters, each at the place of its best passage.

    Parameters
    ----------
    query_vectors, passage_vectors
        Shapes (n_queries, dimension) and (n_passages, dimension), L2-normalised.
    clusters
        Cluster of every passage.
    gold
        Clusters that answer each query, at least one of which is among `clusters`.
    """
    names, index = np.unique(np.asarray(clusters, dtype=object).astype(str), return_inverse=True)
    column = {str(name): position for position, name in enumerate(names)}
    order = np.argsort(index, kind="stable")
    starts = np.searchsorted(index[order], np.arange(len(names)))
    found: list[int] = []
    for start in range(0, len(query_vectors), _BLOCK):
        scores = query_vectors[start : start + _BLOCK] @ passage_vectors[order].T
        best = np.maximum.reduceat(scores, starts, axis=1)
        for row, answers in zip(best, gold[start : start + _BLOCK], strict=True):
            own = max(row[column[cluster]] for cluster in answers if cluster in column)
            found.append(int(np.sum(row > own)) + 1)
    return found
