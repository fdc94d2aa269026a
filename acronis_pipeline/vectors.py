"""Vectors, each computed once: a cache keyed by (encoder, text).

A re-run, another recipe with the same document encoder, or a run continued after a kill embeds only what is new.
"""

import logging
import time
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from acronis_pipeline import schemas
from acronis_pipeline.embedding import Embedder
from acronis_pipeline.fingerprint import digest
from acronis_pipeline.store import Store, is_in

_log = logging.getLogger(__name__)
_SLICE = 512
"""Texts embedded between two writes: what a kill can cost."""
_FEW = 4
"""A cache is read whole, which is fastest per vector, unless fewer than one in so many are wanted."""
_KEYS_AT_ONCE = 5_000

Encode = Callable[[Sequence[str]], np.ndarray]


def table_name(fingerprint: str) -> str:
    """Name of the cache table of one encoder."""
    return f"vectors_{fingerprint[:12]}"


def embed_passages(store: Store, embedder: Embedder, passages: Sequence[str]) -> np.ndarray:
    """Vectors of `passages`, in their order, from the cache where they are known.

    Returns
    -------
    np.ndarray
        Shape (n_passages, dimension) float32, L2-normalised.
    """
    identity = embedder.identity
    return _embedded(store, identity.document_fingerprint, identity.dimension, embedder.encode_passages, passages)


def embed_queries(store: Store, embedder: Embedder, queries: Sequence[str]) -> np.ndarray:
    """As `embed_passages`, for questions that are asked of every model again, such as those of a probe."""
    identity = embedder.identity
    return _embedded(store, identity.query_fingerprint, identity.dimension, embedder.encode_queries, queries)


def _embedded(store: Store, fingerprint: str, dimension: int, encode: Encode, texts: Sequence[str]) -> np.ndarray:
    """Encoders with the same fingerprint give a text the same vector, whichever side they are for."""
    name, schema = table_name(fingerprint), schemas.vectors(dimension)
    hashes = [digest(text) for text in texts]
    text_of = dict(zip(hashes, texts, strict=True))
    rows = cached(store, fingerprint, dimension, list(text_of))
    # Similar lengths together: a batch is padded to its longest text.
    missing = sorted((h for h in text_of if h not in rows), key=lambda h: len(text_of[h]))
    started = time.monotonic()
    for start in range(0, len(missing), _SLICE):
        part = missing[start : start + _SLICE]
        vectors = encode([text_of[h] for h in part])
        rows.update(zip(part, vectors, strict=True))
        store.upsert(name, schema, _as_table(part, vectors, schema))
        done = start + len(part)
        _log.info("embedded %d of %d new texts, %.0f/s", done, len(missing), done / (time.monotonic() - started))
    if missing:
        store.compact(name)
    if not hashes:
        return np.zeros((0, dimension), np.float32)
    return np.stack([rows[h] for h in hashes])


def cached(store: Store, fingerprint: str, dimension: int, hashes: Sequence[str]) -> dict[str, np.ndarray]:
    """The known ones among the vectors of one encoder, by the hash of their text."""
    name, schema = table_name(fingerprint), schemas.vectors(dimension)
    if len(hashes) * _FEW < store.count(name):
        parts = [hashes[start : start + _KEYS_AT_ONCE] for start in range(0, len(hashes), _KEYS_AT_ONCE)]
        found = [store.read(name, schema, where=is_in("passage_hash", part)) for part in parts]
    else:
        found = [store.read(name, schema)]
    rows: dict[str, np.ndarray] = {}
    for part in found:
        matrix = as_matrix(part.column("vector"), dimension)
        rows.update(zip(part.column("passage_hash").to_pylist(), matrix, strict=True))
    return rows


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
