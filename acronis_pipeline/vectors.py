"""Passage vectors, each computed once: a cache keyed by (document encoder, passage text).

A re-run, another recipe with the same document encoder, or a run continued after a kill embeds only what is new.
"""

import logging
import time
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from acronis_pipeline import schemas
from acronis_pipeline.embedding import Embedder
from acronis_pipeline.fingerprint import digest
from acronis_pipeline.store import Store

_log = logging.getLogger(__name__)
_SLICE = 512
"""Passages embedded between two writes: what a kill can cost."""


def table_name(document_fingerprint: str) -> str:
    """Name of the cache table of one document encoder."""
    return f"vectors_{document_fingerprint[:12]}"


def embed_passages(store: Store, embedder: Embedder, passages: Sequence[str]) -> np.ndarray:
    """Vectors of `passages`, in their order, from the cache where they are known.

    Returns
    -------
    np.ndarray
        Shape (n_passages, dimension) float32, L2-normalised.
    """
    identity = embedder.identity
    name, schema = table_name(identity.document_fingerprint), schemas.vectors(identity.dimension)
    hashes = [digest(passage) for passage in passages]
    rows = cached(store, identity.document_fingerprint, identity.dimension)
    text_of = dict(zip(hashes, passages, strict=True))
    # Similar lengths together: a batch is padded to its longest text.
    missing = sorted((h for h in text_of if h not in rows), key=lambda h: len(text_of[h]))
    started = time.monotonic()
    for start in range(0, len(missing), _SLICE):
        part = missing[start : start + _SLICE]
        vectors = embedder.encode_passages([text_of[h] for h in part])
        rows.update(zip(part, vectors, strict=True))
        store.upsert(name, schema, _as_table(part, vectors, schema))
        done = start + len(part)
        _log.info("embedded %d of %d new passages, %.0f/s", done, len(missing), done / (time.monotonic() - started))
    if not hashes:
        return np.zeros((0, identity.dimension), np.float32)
    return np.stack([rows[h] for h in hashes])


def cached(store: Store, document_fingerprint: str, dimension: int) -> dict[str, np.ndarray]:
    """Every known vector of one document encoder, by passage hash."""
    found = store.read(table_name(document_fingerprint), schemas.vectors(dimension))
    matrix = as_matrix(found.column("vector"), dimension)
    return dict(zip(found.column("passage_hash").to_pylist(), matrix, strict=True))


def as_matrix(column: pa.ChunkedArray, dimension: int) -> np.ndarray:
    """A fixed-size-list column as (n_rows, dimension) float32."""
    if len(column) == 0:
        return np.zeros((0, dimension), np.float32)
    flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(-1, dimension).astype(np.float32, copy=False)


def as_column(matrix: np.ndarray) -> pa.FixedSizeListArray:
    """(n_rows, dimension) float32 as a fixed-size-list array."""
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1), pa.float32()), matrix.shape[1])


def _as_table(hashes: Sequence[str], vectors: np.ndarray, schema: pa.Schema) -> pa.Table:
    return pa.table([pa.array(hashes, pa.string()), as_column(vectors)], schema=schema)
