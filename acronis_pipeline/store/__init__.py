"""The one door to LanceDB: versioned tables with atomic writes, in a folder or an object store.

Readers always see the last committed version; a write is one version or nothing.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from acronis_pipeline.core.errors import StoreError
from acronis_pipeline.core.settings import Settings

KEEP_VERSIONS_FOR = dt.timedelta(hours=1)
"""Longer than any reader needs one: a table is read whole."""
_MARGIN = dt.timedelta(seconds=5)
"""Between asking a version's age and removing what is older."""
MANY_FILES = MANY_VERSIONS = 16
"""Merging rewrites a table, so not after every write; a version takes some 60 kB beside its rows."""
_KEYS_AT_ONCE = 10_000


@dataclass(frozen=True)
class WriteResult:
    """What a write did to a table. `version` is the table's version afterwards, changed or not."""

    version: int
    inserted: int = 0
    updated: int = 0
    deleted: int = 0

    @property
    def changed(self) -> bool:
        return bool(self.inserted or self.updated or self.deleted)


def open_store(settings: Settings) -> "Store":
    """The database that the settings name."""
    return Store(settings.store_uri, settings.store_options)


def open_known(settings: Settings) -> "Store | None":
    """The database that the settings name; None where there is none yet, as opening one makes its folder."""
    return open_store(settings) if settings.lancedb_uri or Path(settings.store_uri).is_dir() else None


class Store:
    """Tables of one LanceDB database.

    Parameters
    ----------
    uri
        A folder, or an object-store URI (`s3://…`, `gs://…`, `az://…`).
    storage_options
        Passed to LanceDB: `aws_access_key_id`, `aws_secret_access_key`, `aws_region`; for another service than AWS
        `aws_endpoint`, and `allow_http` if that has no TLS. What is not given comes from the usual variables
        (`AWS_ACCESS_KEY_ID` …). The service must honour `If-None-Match` on PUT, which makes commits atomic.

    Raises
    ------
    StoreError
        If there is nothing that answers at the URI.
    """

    def __init__(self, uri: str, storage_options: Mapping[str, str] | None = None) -> None:
        import lancedb  # 1.6 s; not needed to read settings or print help

        self.uri = uri
        self.storage_options = options = dict(storage_options or {})
        try:
            # Without a consistency interval a connection never sees what other processes write (LanceDB 0.40).
            self._db = lancedb.connect(uri, read_consistency_interval=dt.timedelta(0), storage_options=options)
        except (ValueError, OSError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:300]
            raise StoreError(
                f"database {uri} cannot be opened ({reason}); check lancedb_uri and storage_options"
            ) from error

    def names(self) -> list[str]:
        """All table names, sorted."""
        names: list[str] = []
        token: str | None = None
        while True:
            page = self._db.list_tables(page_token=token)
            names += page.tables
            token = page.page_token
            if not token:
                return sorted(names)

    def exists(self, name: str) -> bool:
        return name in self.names()

    def open(self, name: str) -> Any:
        """The LanceDB table itself, for searches and indexes; write through `upsert` and `sync`.

        Raises
        ------
        KeyError
            If there is no such table.
        """
        if not self.exists(name):
            raise KeyError(name)
        return self._db.open_table(name)

    def create(self, name: str, schema: pa.Schema) -> Any:
        """The table, made empty if it does not exist."""
        return self._db.create_table(name, schema=schema, exist_ok=True)

    def drop(self, name: str) -> None:
        """Remove a table with all its versions; no error if it does not exist."""
        if self.exists(name):
            self._db.drop_table(name)

    def version(self, name: str) -> int:
        """Current version of a table, 0 if it does not exist."""
        return int(self.open(name).version) if self.exists(name) else 0

    def count(self, name: str, where: str | None = None) -> int:
        return int(self.open(name).count_rows(where)) if self.exists(name) else 0

    def read(
        self, name: str, schema: pa.Schema, *, columns: list[str] | None = None, where: str | None = None
    ) -> pa.Table:
        """Rows of a table (an SQL `where` narrows them), as Arrow; no rows if the table does not exist.

        Raises
        ------
        StoreError
            If another version of this program wrote the table and a column is missing.
        """
        wanted = columns or schema.names
        if not self.exists(name):
            return schema.empty_table().select(wanted)
        table = self._open_with(name, wanted)
        query = table.search()
        if where:
            query = query.where(where)
        # Without a limit LanceDB answers 10 rows.
        return query.select(wanted).limit(max(1, table.count_rows())).to_arrow().select(wanted)

    def _made(self, name: str, schema: pa.Schema) -> Any:
        """The table to write to."""
        if not self.exists(name):
            return self.create(name, schema)
        table = self._open_with(name, schema.names)
        self._refuse(name, "a column", set(table.schema.names) - set(schema.names))
        return table

    def _open_with(self, name: str, columns: list[str]) -> Any:
        table = self.open(name)
        self._refuse(name, "no column", set(columns) - set(table.schema.names))
        return table

    def _refuse(self, name: str, has: str, columns: set[str]) -> None:
        if columns:
            raise StoreError(
                f"table {name} in {self.uri} has {has} {', '.join(sorted(columns))}: another version of this program "
                "wrote it; use another folder (--data DIR), or delete this one to build it anew"
            )

    def upsert(self, name: str, schema: pa.Schema, rows: pa.Table, *, delete_keys: Iterable[str] = ()) -> WriteResult:
        """Insert new rows, replace those with a known key, and delete `delete_keys`, as one version.

        Nothing to write makes no version.

        Raises
        ------
        ValueError
            If two of `rows` share a key.
        """
        key = primary_key(schema)
        rows = rows.select(schema.names).cast(schema)
        keys = rows.column(key).to_pylist()
        if len(set(keys)) != len(keys):
            raise ValueError(f"{name}: duplicate {key} in the rows to write")
        doomed = sorted(set(delete_keys) - set(keys))
        table = self._made(name, schema)
        if not keys and not doomed:
            return WriteResult(int(table.version))
        merge = table.merge_insert(key).when_matched_update_all().when_not_matched_insert_all()
        if doomed:
            merge = merge.when_not_matched_by_source_delete(is_in(key, doomed))
        result = merge.execute(rows)
        return WriteResult(
            int(result.version), result.num_inserted_rows, result.num_updated_rows, result.num_deleted_rows
        )

    def append(self, name: str, schema: pa.Schema, rows: pa.Table) -> None:
        """Add rows whose keys the caller knows to be new: 3 ms a call where an upsert takes 10 and more.

        Each call leaves a small file; `compact` now and then.
        """
        if rows.num_rows:
            self._made(name, schema).add(rows.select(schema.names).cast(schema))

    def add_missing(self, name: str, schema: pa.Schema, rows: pa.Table) -> WriteResult:
        """Insert the rows whose key is unknown and leave known ones as they are: for what is written once."""
        key = primary_key(schema)
        rows = rows.select(schema.names).cast(schema)
        table = self._made(name, schema)
        if not rows.num_rows:
            return WriteResult(int(table.version))
        result = table.merge_insert(key).when_not_matched_insert_all().execute(rows)
        return WriteResult(int(result.version), inserted=result.num_inserted_rows)

    def delete(self, name: str, schema: pa.Schema, keys: Iterable[str]) -> None:
        """Remove rows by key; unknown keys are ignored, and no keys make no version."""
        doomed = sorted(set(keys))
        for start in range(0, len(doomed), _KEYS_AT_ONCE):
            self.open(name).delete(is_in(primary_key(schema), doomed[start : start + _KEYS_AT_ONCE]))

    def compact(self, name: str) -> None:
        """Merge the files that many writes left and drop versions older than an hour, once there are many of either.

        Readers of an older version than that fail. The oldest tagged version stays, and everything after it.
        """
        if not self.exists(name):
            return
        table = self.open(name)
        files = table.stats()["fragment_stats"]["num_fragments"]
        if files < MANY_FILES and len(table.list_versions()) < MANY_VERSIONS:
            return
        table.optimize(cleanup_older_than=_keep_for(table))

    def tags(self, name: str) -> dict[str, int]:
        """Named versions of a table, empty if it does not exist."""
        found = self.open(name).tags.list() if self.exists(name) else {}
        return {tag: int(entry["version"]) for tag, entry in found.items()}

    def tag(self, name: str, tag: str, version: int | None = None) -> None:
        """Name a version of a table (the current one by default), moving the tag if it stands on another.

        A tagged version and all after it survive `compact`. Move a tag along, or the table only grows.

        Raises
        ------
        KeyError
            If there is no such table.
        StoreError
            If the table has no such version (any more).
        """
        table = self.open(name)
        version = int(table.version) if version is None else version
        known = self.tags(name)
        if known.get(tag) == version:
            return
        if version not in {entry["version"] for entry in table.list_versions()}:
            raise StoreError(
                f"table {name} in {self.uri} has no version {version} to call {tag}: it was cleaned up; tag a newer one"
            )
        if tag in known:
            table.tags.update(tag, version)
        else:
            table.tags.create(tag, version)

    def untag(self, name: str, tag: str) -> None:
        """Take a tag away; no error if there is none, or no such table."""
        if tag in self.tags(name):
            self.open(name).tags.delete(tag)

    def sync(self, name: str, schema: pa.Schema, rows: pa.Table, *, scope: str | None = None) -> WriteResult:
        """Make the table's rows (those matching the SQL `scope`, if given) equal `rows`, writing only differences.

        Unlike an upsert it reads what is there, so an unchanged table keeps its version.
        """
        key = primary_key(schema)
        rows = rows.select(schema.names).cast(schema)
        before = {row[key]: row for row in self.read(name, schema, where=scope).to_pylist()}
        after = rows.to_pylist()
        changed = [index for index, row in enumerate(after) if before.get(row[key]) != row]
        gone = before.keys() - {row[key] for row in after}
        return self.upsert(name, schema, rows.take(pa.array(changed, pa.int64())), delete_keys=gone)


def _keep_for(table: Any) -> dt.timedelta:
    """How old a version may get. A tag on one that is to go makes all of `optimize` fail (LanceDB 0.40)."""
    tagged = {entry["version"] for entry in table.tags.list().values()}
    times = [entry["timestamp"] for entry in table.list_versions() if entry["version"] in tagged]
    if not times:
        return KEEP_VERSIONS_FOR
    now = dt.datetime.now()  # LanceDB gives local times without a zone
    return max(KEEP_VERSIONS_FOR, now - min(times) + _MARGIN)


def primary_key(schema: pa.Schema) -> str:
    """Name of the key column of a schema of `acronis_pipeline.store.schemas`."""
    return next(
        field.name for field in schema if field.metadata and b"lance-schema:unenforced-primary-key" in field.metadata
    )


def is_in(column: str, values: Iterable[str]) -> str:
    """SQL condition `column IN (…)`, with values quoted."""
    return f"{column} IN ({', '.join(quoted(value) for value in values)})"


def quoted(value: str) -> str:
    """A string as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def timestamp(moment: dt.datetime) -> str:
    """A moment as an SQL literal that compares with the tables' times."""
    return f"timestamp '{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S.%f}+00:00'"
