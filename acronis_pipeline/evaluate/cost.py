"""What a system costs to run: milliseconds a question, and bytes of index."""

import random
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from acronis_pipeline import index, schemas, vectors
from acronis_pipeline.evaluate.report import Latency
from acronis_pipeline.retrieve import Retriever, System
from acronis_pipeline.store import Store

_K = 10
_MOST, _LEAST = 200, 10
"""Questions timed: below some fifty, a 95th percentile is little more than the slowest one."""
_BUDGET_S = 2.0
"""After that a slow system has been timed long enough, be it on fewer questions."""


def latency(retriever: Retriever, queries: Sequence[str]) -> Latency:
    """Time of single questions, asked one by one, drawn evenly and in random order from `queries` (at least one)."""
    sample = random.Random(0).sample(list(queries), min(_MOST, len(queries)))
    retriever.retrieve(sample[0], _K)  # the first question pays for opening files
    spent_ms: list[float] = []
    for query in sample:
        started = time.perf_counter()
        retriever.retrieve(query, _K)
        spent_ms.append((time.perf_counter() - started) * 1000)
        if len(spent_ms) >= _LEAST and sum(spent_ms) > _BUDGET_S * 1000:
            break
    p50, p95 = np.percentile(spent_ms, [50, 95])
    return Latency(round(float(p50), 1), round(float(p95), 1), len(spent_ms))


def index_size_bytes(store: Store, system: System) -> int:
    """Bytes that the system's search reads besides the passages: words of these, vectors, or both and the excerpts."""
    parts = index.part_bytes(store, system.table)
    near = _vector_bytes(store.open(system.table)) + parts.get("vector index", 0)
    words = parts.get("passage index", 0)
    return {"bm25": words, "dense": near, "hybrid": words + parts.get("excerpts", 0) + near}[system.mode]


def _vector_bytes(table: Any) -> int:
    n_vectors = table.count_rows()
    if schemas.is_windowed(table.schema):
        lists = table.search().select(["vector"]).limit(max(1, n_vectors)).to_arrow().column("vector")
        n_vectors = sum(len(chunk.flatten()) for chunk in lists.chunks)
    return n_vectors * vectors.dimension_of(table.schema) * np.dtype(np.float32).itemsize
