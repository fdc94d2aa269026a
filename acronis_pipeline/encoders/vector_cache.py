"""Vectors, each computed once: a cache keyed by (encoder, text).

A re-run, another recipe with the same document encoder, or a run continued after a kill embeds only what is new.
"""

import logging
import time
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from acronis_pipeline.core.hashing import digest
from acronis_pipeline.encoders.encoder import Encoder
from acronis_pipeline.encoders.windows import PassageVectors
from acronis_pipeline.store import Store, is_in, tables

_log = logging.getLogger(__name__)
_SLICE, _WINDOWED_SLICE = 512, 128
"""Texts embedded between two writes: what a kill can cost. With windows a text is several."""
_FEW = 4
"""A cache is read whole, which is fastest per vector, unless fewer than one in so many are wanted."""
_KEYS_AT_ONCE = 5_000

Encode = Callable[[Sequence[str]], PassageVectors]


def embed_passages(store: Store, encoder: Encoder, passages: Sequence[str]) -> PassageVectors:
    """Vectors of `passages`, in their order, from the cache where they are known; several each with windows."""
    identity = encoder.identity
    cache = tables.vectors(identity.document_fingerprint, identity.dimension, windowed=identity.windowed)
    return _embedded(store, cache, encoder.encode_windows, passages)


def embed_queries(store: Store, encoder: Encoder, queries: Sequence[str]) -> np.ndarray:
    """Shape (n_queries, dimension): of questions that are asked of every model again, such as those of a probe."""
    identity = encoder.identity
    cache = tables.vectors(identity.query_fingerprint, identity.dimension)

    def encode(texts: Sequence[str]) -> PassageVectors:
        return PassageVectors.single(encoder.encode_queries(texts))

    return _embedded(store, cache, encode, queries).matrix


def _embedded(store: Store, cache: tables.Table, encode: Encode, texts: Sequence[str]) -> PassageVectors:
    """Encoders with the same fingerprint give a text the same vectors, whichever side they are for."""
    hashes = [digest(text) for text in texts]
    text_of = dict(zip(hashes, texts, strict=True))
    rows = cached(store, cache, list(text_of))
    # Similar lengths together: a batch is padded to its longest text.
    missing = sorted((h for h in text_of if h not in rows), key=lambda h: len(text_of[h]))
    started = time.monotonic()
    size = _WINDOWED_SLICE if tables.is_windowed(cache.schema) else _SLICE
    for start in range(0, len(missing), size):
        part = missing[start : start + size]
        made = encode([text_of[h] for h in part])
        rows.update(zip(part, map(made.of, range(len(part))), strict=True))
        columns = [pa.array(part, pa.string()), as_column(made, cache.schema)]
        store.upsert(cache, pa.table(columns, schema=cache.schema))
        done = start + len(part)
        _log.info("embedded %d of %d new texts, %.0f/s", done, len(missing), done / (time.monotonic() - started))
    if missing:
        store.compact(cache)
    return PassageVectors.joined([rows[h] for h in hashes], tables.dimension_of(cache.schema))


def cached(store: Store, cache: tables.Table, hashes: Sequence[str]) -> dict[str, np.ndarray]:
    """The known ones among the vectors of one encoder, by the hash of their text: (n_vectors, dimension) each."""
    if len(hashes) * _FEW < store.count(cache):
        parts = [hashes[start : start + _KEYS_AT_ONCE] for start in range(0, len(hashes), _KEYS_AT_ONCE)]
        found = [store.read(cache, where=is_in("passage_hash", part)) for part in parts]
    else:
        found = [store.read(cache)]
    rows: dict[str, np.ndarray] = {}
    for part in found:
        read = read_column(part.column("vector"))
        rows.update(zip(part.column("passage_hash").to_pylist(), map(read.of, range(len(read))), strict=True))
    return rows


def read_column(column: pa.ChunkedArray) -> PassageVectors:
    """A column `vector` of either kind."""
    if pa.types.is_fixed_size_list(column.type):
        return PassageVectors.single(as_matrix(column, column.type.list_size))
    dimension = column.type.value_type.list_size
    if len(column) == 0:
        return PassageVectors.joined([], dimension)
    lists = column.combine_chunks()
    ends = np.cumsum(lists.value_lengths().to_numpy(zero_copy_only=False), dtype=np.int64)
    return PassageVectors(_flat(lists.flatten(), dimension), np.concatenate([[0], ends]))


def as_column(vectors: PassageVectors, schema: pa.Schema) -> pa.Array:
    """The column `vector` of a table with this schema."""
    one = pa.FixedSizeListArray.from_arrays(
        pa.array(vectors.matrix.reshape(-1), pa.float32()), tables.dimension_of(schema)
    )
    return pa.ListArray.from_arrays(pa.array(vectors.starts, pa.int32()), one) if tables.is_windowed(schema) else one


def as_matrix(column: pa.ChunkedArray, dimension: int) -> np.ndarray:
    """A fixed-size-list column as (n_rows, dimension) float32."""
    return _flat(column.combine_chunks(), dimension) if len(column) else np.zeros((0, dimension), np.float32)


def _flat(lists: pa.FixedSizeListArray, dimension: int) -> np.ndarray:
    return lists.flatten().to_numpy(zero_copy_only=False).reshape(-1, dimension).astype(np.float32, copy=False)
