"""What one visit adds to the tables, as one record that is kept, passed on and written whole.

Beside it: addresses still to be asked for, each once, nearest to the start first; and every content of every page, by
address and content hash.
"""

import datetime as dt
import json
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from acronis_pipeline.core.hashing import digest
from acronis_pipeline.crawl.fetching.fetch import Answer
from acronis_pipeline.store import Store, is_in, tables

Source = Literal["seed", "sitemap", "link", "recheck"]
Row = dict[str, Any]
Record = dict[str, list[Row]]
"""Rows by table."""
_TABLES = {
    table.name: table
    for table in (
        tables.LINK_LISTS,
        tables.PAGE_VERSIONS,
        tables.PAGES,
        tables.PAGE_CHANGES,
        tables.VISITS,
        tables.CRAWLS,
    )
}
"""In the order of writing: what a row refers to stands before it, so a kill in between leaves no loose end."""
TABLES = (
    *(tables.PAGES, tables.PAGE_VERSIONS, tables.PAGE_CHANGES, tables.VISITS, tables.LINK_LISTS),
    *(tables.SITE_FILES, tables.CRAWLS),
)
"""Every table that crawls write, what a reader asks for first before the others."""
_WRITTEN_ONCE = frozenset({tables.LINK_LISTS, tables.PAGE_VERSIONS})


@dataclass(frozen=True, slots=True)
class Target:
    """`depth` counts links from the start page or the sitemap; `recheck` is a known page that nothing led to."""

    url: str
    depth: int
    source: Source


class Frontier:
    """A queue that remembers everything ever put into it.

    First in, first out is breadth first, because a page's links are added after the page was taken.
    """

    def __init__(self) -> None:
        self._queue: deque[Target] = deque()
        self._seen: set[str] = set()

    def claim(self, url: str) -> bool:
        """Mark an address as dealt with; False if it already was."""
        if url in self._seen:
            return False
        self._seen.add(url)
        return True

    def push(self, target: Target) -> None:
        """Queue a target whose address was claimed."""
        self._queue.append(target)

    def pop(self) -> Target | None:
        return self._queue.popleft() if self._queue else None

    def __contains__(self, url: str) -> bool:
        return url in self._seen

    def __len__(self) -> int:
        return len(self._queue)


def version_id(url: str, content_hash: str) -> str:
    """Key of one content of one page, 40 hex characters; a page that goes A, B, A has two."""
    return digest(url, content_hash)[:40]


def html_of(store: Store, pages: Mapping[str, str]) -> dict[str, str]:
    """HTML of pages, given as address to content hash; pages whose version is not kept any more are missing."""
    ids = [version_id(url, content_hash) for url, content_hash in pages.items()]
    if not ids:
        return {}
    rows = store.read(tables.PAGE_VERSIONS, columns=["url", "html"], where=is_in("version_id", ids))
    return dict(zip(*rows.to_pydict().values(), strict=True))


def write(store: Store, records: Iterable[Record]) -> None:
    """Write records, the last row of a key winning. Writing them again changes nothing."""
    rows: dict[str, dict[str, Row]] = {name: {} for name in _TABLES}
    for record in records:
        for name, added in record.items():
            key = _TABLES[name].key
            rows[name].update((row[key], row) for row in added)
    for name, table in _TABLES.items():
        if rows[name]:
            new = table.rows(rows[name].values())
            if table in _WRITTEN_ONCE:
                store.add_missing(table, new)
            else:
                store.upsert(table, new)


def encode(record: Record) -> str:
    return json.dumps(record, default=dt.datetime.isoformat)


def decode(text: str) -> Record:
    record: Record = json.loads(text)
    for name, rows in record.items():
        times = [field.name for field in _TABLES[name].schema if pa.types.is_timestamp(field.type)]
        for row in rows:
            row.update({time: dt.datetime.fromisoformat(row[time]) for time in times if row.get(time)})
    return record


def change(url: str, seen_at: dt.datetime, what: str, content_hash: str) -> Row:
    """A row of `page_changes`."""
    change_id = digest(url, seen_at.isoformat(), what)[:40]
    return {"change_id": change_id, "url": url, "seen_at": seen_at, "what": what, "content_hash": content_hash}


def content_version(row: Row, html: str) -> Row:
    return {
        "version_id": version_id(row["url"], row["content_hash"]),
        "url": row["url"],
        "content_hash": row["content_hash"],
        "html": html,
        "first_seen_at": row["fetched_at"],
    }


def found(target: Target, before: Row) -> Row:
    """How the page was found. One that nothing led to this time keeps where it was found first."""
    kept = target.source == "recheck" and bool(before)
    return {
        "depth": before["depth"] if kept else target.depth,
        "source": before["source"] if kept else target.source,
        "missing_count": 0,
        "gone_at": None,
    }


def validators(answer: Answer, before: Row) -> Row:
    """What the answer is to be asked with next time; a 304 need not repeat it."""
    held = before if answer.status == 304 else {}
    return {
        "etag": answer.headers.get("etag") or held.get("etag"),
        "last_modified": answer.headers.get("last-modified") or held.get("last_modified"),
    }


def links_id(links: tuple[str, ...]) -> str | None:
    return digest(*links)[:40] if links else None


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
