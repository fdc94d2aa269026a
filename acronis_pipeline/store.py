"""The one door to LanceDB: versioned tables with atomic writes, in a folder or an object store.

Readers always see the last committed version; a write is one version or nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pyarrow as pa


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


class Store:
    """Tables of one LanceDB database.

    Parameters
    ----------
    uri
        A folder, or an object-store URI (`s3://…`, `gs://…`, `az://…`).
    storage_options
        Passed to LanceDB (credentials, endpoint).
    """

    def __init__(self, uri: str, storage_options: dict[str, str] | None = None) -> None:
        import lancedb  # 1.6 s; not needed to read settings or print help

        self.uri = uri
        # Without a consistency interval a connection never sees what other processes write (LanceDB 0.40).
        self._db = lancedb.connect(uri, read_consistency_interval=timedelta(0), storage_options=storage_options)

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
        """Rows of a table (an SQL `where` narrows them), as Arrow; no rows if the table does not exist."""
        wanted = columns or schema.names
        if not self.exists(name):
            return schema.empty_table().select(wanted)
        query = self.open(name).search()
        if where:
            query = query.where(where)
        # Without a limit LanceDB answers 10 rows.
        return query.select(wanted).limit(max(1, self.count(name))).to_arrow().select(wanted)

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
        table = self.create(name, schema)
        if not keys and not doomed:
            return WriteResult(int(table.version))
        merge = table.merge_insert(key).when_matched_update_all().when_not_matched_insert_all()
        if doomed:
            merge = merge.when_not_matched_by_source_delete(is_in(key, doomed))
        result = merge.execute(rows)
        return WriteResult(
            int(result.version), result.num_inserted_rows, result.num_updated_rows, result.num_deleted_rows
        )

    def patch(self, name: str, schema: pa.Schema, rows: pa.Table) -> WriteResult:
        """Replace some columns of known rows: `rows` has the key column and those to replace; unknown keys are ignored.

        Nothing to write makes no version.

        Raises
        ------
        ValueError
            If two of `rows` share a key.
        KeyError
            If there is no such table.
        """
        key = primary_key(schema)
        rows = rows.cast(pa.schema([schema.field(column) for column in rows.column_names]))
        if len(set(rows.column(key).to_pylist())) != rows.num_rows:
            raise ValueError(f"{name}: duplicate {key} in the rows to write")
        table = self.open(name)
        if not rows.num_rows:
            return WriteResult(int(table.version))
        result = table.merge_insert(key).when_matched_update_all().execute(rows)
        return WriteResult(int(result.version), updated=result.num_updated_rows)

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


def primary_key(schema: pa.Schema) -> str:
    """Name of the key column of a schema of `acronis_pipeline.schemas`."""
    return next(
        field.name for field in schema if field.metadata and b"lance-schema:unenforced-primary-key" in field.metadata
    )


def is_in(column: str, values: Iterable[str]) -> str:
    """SQL condition `column IN (…)`, with values quoted."""
    return f"{column} IN ({', '.join(quoted(value) for value in values)})"


def quoted(value: str) -> str:
    """A string as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"
