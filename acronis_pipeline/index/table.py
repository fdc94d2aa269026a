"""Bringing a passages table in line with the chunks: only what is new or changed is embedded and written."""

import logging
import time
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute

from acronis_pipeline.core.errors import EmptyCorpusError
from acronis_pipeline.core.settings import IndexSettings
from acronis_pipeline.encoders import DeferredEncoder, Encoder, ModelIdentity, vector_cache
from acronis_pipeline.index import excerpts, lance_indexes
from acronis_pipeline.index.lance_indexes import EXACT, SearchOptions
from acronis_pipeline.index.rows import data_version_of, marked, read_identity, require
from acronis_pipeline.store import Store, tables

pc: Any = pyarrow.compute  # its functions are made at import, invisible to checkers
_LIST_SEPARATOR = "\x1f"


def difference(before: pa.Table, after: pa.Table, key: str) -> tuple[pa.Table, list[str]]:
    """Rows of `after` that are new or differ, and keys that only `before` has.

    Both tables have the same columns (strings, numbers, lists of strings) and no key twice. They are compared column by
    column in Arrow: 20,000 rows take some 30 ms, and a second as Python dictionaries.
    """
    place = pc.index_in(after[key], value_set=before[key])
    aligned = before.take(place)
    equal = pc.is_valid(place)
    for name in after.column_names:
        if name != key:
            equal = pc.and_(equal, _equal(_comparable(aligned[name]), _comparable(after[name])))
    gone = before[key].filter(pc.invert(pc.is_in(before[key], value_set=after[key])))
    return after.filter(pc.invert(equal)), sorted(gone.to_pylist())


def _equal(one: pa.ChunkedArray, other: pa.ChunkedArray) -> pa.ChunkedArray:
    """Element by element, two nulls being equal."""
    both_null = pc.and_(pc.is_null(one), pc.is_null(other))
    return pc.or_(both_null, pc.fill_null(pc.equal(one, other), False))


def _comparable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Arrow compares no lists: they are joined, with their length in front, since an empty list joins like [""]."""
    if not pa.types.is_list(column.type):
        return column
    length = pc.cast(pc.list_value_length(column), pa.string())
    return pc.binary_join_element_wise(length, pc.binary_join(column, _LIST_SEPARATOR), _LIST_SEPARATOR)


_log = logging.getLogger(__name__)
PREFIX = "passages_"
_DEFAULTS = IndexSettings()  # pyright: ignore[reportCallIssue]


@dataclass(frozen=True)
class IndexResult:
    """What a refresh did to a passages table.

    `embedded` counts passages that went through the model: neither in the table nor in the vector cache. `size_bytes`
    is all of `part_bytes`: the rows with their vectors, and each index by its column.
    """

    table: str
    n_passages: int
    added: int
    updated: int
    removed: int
    embedded: int
    version: int
    identity: ModelIdentity
    data_version: str
    size_bytes: int
    duration_s: float
    search: SearchOptions = EXACT
    n_unindexed: int = 0
    part_bytes: dict[str, int] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        return bool(self.added or self.updated or self.removed)


@dataclass(frozen=True)
class IndexedModel:
    """An encoder and the table of the passages that it embedded."""

    table: str
    encoder: Encoder


def table_name(recipe: str, model_id: str) -> str:
    """Name of the passages table of one model, for example `passages_query_adapter_1f0c5d2e9ab34c77`."""
    return f"{PREFIX}{recipe}_{model_id}"


def refresh(store: Store, indexed: IndexedModel, settings: IndexSettings = _DEFAULTS) -> IndexResult:
    """Bring a model's passages table in line with the chunks table.

    The change of content is one atomic version. The model encodes only passages that are in no cache yet: a
    `DeferredEncoder` is loaded for nothing else.

    Raises
    ------
    EmptyCorpusError
        If there are no chunks; the table keeps its last version.
    IdentityMismatchError
        If the table belongs to another model, or a deferred model turns out to be another one when it is loaded.
    """
    rows = store.read(tables.CONTENT)
    if rows.num_rows == 0:
        raise EmptyCorpusError(
            f"table {tables.CHUNKS.name} in {store.uri} is empty: nothing to index; crawl and chunk the site first"
        )
    return refresh_from(store, indexed, rows, settings)


def refresh_from(
    store: Store, indexed: IndexedModel, rows: pa.Table, settings: IndexSettings = _DEFAULTS
) -> IndexResult:
    """`refresh` from content rows at hand (see `passage_rows`) instead of the chunks table."""
    started, table, identity = time.monotonic(), indexed.table, indexed.encoder.identity
    if rows.num_rows == 0:
        raise EmptyCorpusError(f"no passages to index into table {table}; the table was left as it is")
    if store.exists(table):
        require(read_identity(store, table), identity, table)
    changed, gone = difference(store.read(tables.CONTENT.named(table)), rows, "chunk_id")
    encoder = DeferredEncoder(identity, lambda: indexed.encoder)  # counts what it encodes
    excerpts.bring_in_step(store, table, rows)
    write = store.upsert(
        marked(_table(table, identity), identity), _embedded(store, encoder, changed), delete_keys=gone
    )
    search = lance_indexes.bring_up_to_date(store, table, settings)
    opened, parts = store.open(table), part_bytes(store, table)
    result = IndexResult(
        table=table,
        n_passages=rows.num_rows,
        added=write.inserted,
        updated=write.updated,
        removed=write.deleted,
        embedded=encoder.n_encoded_passages,
        version=int(opened.version),
        identity=identity,
        data_version=data_version_of(identity, rows),
        size_bytes=sum(parts.values()),
        duration_s=time.monotonic() - started,
        search=search,
        n_unindexed=max(index.num_unindexed_rows for index in opened.list_indices()),
        part_bytes=parts,
    )
    _log.info(
        "%s: %d passages (%d added, %d updated, %d removed, %d embedded) in %.1f s",
        *(table, result.n_passages, result.added, result.updated, result.removed, result.embedded, result.duration_s),
    )
    return result


def part_bytes(store: Store, table: str) -> dict[str, int]:
    """What a passages table takes at its current version: its `rows`, each index by its column, and its `excerpts`."""
    opened, of_excerpts = store.open(table), tables.excerpts(table)
    parts = {"rows": int(opened.stats()["total_bytes"])} | _index_bytes(opened)
    if store.exists(of_excerpts):
        opened = store.open(of_excerpts)
        parts["excerpts"] = int(opened.stats()["total_bytes"]) + sum(_index_bytes(opened).values())
    return parts


def _index_bytes(table: Any) -> dict[str, int]:
    return {f"{index.columns[0]} index": int(index.size_bytes or 0) for index in table.list_indices()}


def _embedded(store: Store, encoder: Encoder, rows: pa.Table) -> pa.Table:
    """`rows` with their vectors."""
    schema = _table("", encoder.identity).schema
    if rows.num_rows == 0:
        return schema.empty_table()
    made = vector_cache.embed_passages(store, encoder, rows.column("passage").to_pylist())
    return rows.append_column(schema.field("vector"), vector_cache.as_column(made, schema)).select(schema.names)


def _table(name: str, identity: ModelIdentity) -> tables.Table:
    return tables.passages(name, identity.dimension, windowed=identity.windowed)
