"""What one visit adds to the tables, as one record that is kept, passed on and written whole."""

import datetime as dt
import json
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from acronis_pipeline import schemas
from acronis_pipeline.crawl.memory import page_versions
from acronis_pipeline.store import Store, primary_key

PAGES = "pages"
VERSIONS = page_versions.TABLE
CHANGES = "page_changes"
VISITS = "visits"
LINK_LISTS = "link_lists"
CRAWLS = "crawls"

Row = dict[str, Any]
Record = dict[str, list[Row]]
"""Rows by table."""

_SCHEMAS = {
    LINK_LISTS: schemas.LINK_LISTS,
    VERSIONS: schemas.PAGE_VERSIONS,
    PAGES: schemas.PAGES,
    CHANGES: schemas.PAGE_CHANGES,
    VISITS: schemas.VISITS,
    CRAWLS: schemas.CRAWLS,
}
"""In the order of writing: what a row refers to stands before it, so a kill in between leaves no loose end."""

_WRITTEN_ONCE = frozenset({LINK_LISTS, VERSIONS})


def write(store: Store, records: Iterable[Record]) -> None:
    """Write records, the last row of a key winning. Writing them again changes nothing."""
    rows: dict[str, dict[str, Row]] = {table: {} for table in _SCHEMAS}
    for record in records:
        for table, added in record.items():
            key = primary_key(_SCHEMAS[table])
            rows[table].update((row[key], row) for row in added)
    for table, schema in _SCHEMAS.items():
        if rows[table]:
            new = pa.Table.from_pylist(list(rows[table].values()), schema=schema)
            if table in _WRITTEN_ONCE:
                store.add_missing(table, schema, new)
            else:
                store.upsert(table, schema, new)


def encode(record: Record) -> str:
    return json.dumps(record, default=dt.datetime.isoformat)


def decode(text: str) -> Record:
    record: Record = json.loads(text)
    for table, rows in record.items():
        times = [field.name for field in _SCHEMAS[table] if pa.types.is_timestamp(field.type)]
        for row in rows:
            row.update({name: dt.datetime.fromisoformat(row[name]) for name in times if row.get(name)})
    return record
