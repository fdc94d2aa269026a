"""The pages table during one crawl: what is known of each page, and batched writes of what was learnt.

Every batch leaves the tables consistent, so a killed crawl loses a few pages' work at most: a page's row is written
before its links, and a page without links on record is asked for in full, never conditionally.
"""

import asyncio
import datetime as dt
import time
from typing import Any

import pyarrow as pa

from acronis_pipeline import schemas
from acronis_pipeline.crawl import page_versions
from acronis_pipeline.crawl.fetch import Answer
from acronis_pipeline.crawl.frontier import Target
from acronis_pipeline.crawl.page import Reading
from acronis_pipeline.store import Store

PAGES = "pages"
LINKS = "visits"

_BATCH_ROWS = 100
_BATCH_S = 10.0

Row = dict[str, Any]


class Archive:
    """Known pages by address, and what this crawl changes about them.

    `known` has every row (tombstoned ones too) as it was before the crawl, without HTML; `confirmed` are the
    addresses that answered as pages in this crawl.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.known: dict[str, Row] = {row["url"]: row for row in store.read(PAGES, schemas.PAGES).to_pylist()}
        links = store.read(LINKS, schemas.VISITS, columns=["url", "links"])
        self._links = links.column("links")
        self._links_row = {url: index for index, url in enumerate(links.column("url").to_pylist())}
        self.confirmed: set[str] = set()
        self._full: list[Row] = []
        self._patches: list[Row] = []
        self._new_links: list[Row] = []
        self._written_at = time.monotonic()

    def live(self, url: str) -> Row | None:
        """The known row of a page that exists as far as we know."""
        row = self.known.get(url)
        return row if row and row["gone_at"] is None else None

    def validators(self, url: str) -> dict[str, str]:
        """Headers that make asking for a known page conditional."""
        row = self.live(url)
        if row is None or url not in self._links_row:
            return {}
        headers = {"If-None-Match": row["etag"], "If-Modified-Since": row["last_modified"]}
        return {name: value for name, value in headers.items() if value}

    def links(self, url: str) -> list[str]:
        """Where a page led when it was last read."""
        index = self._links_row.get(url)
        return [] if index is None else self._links[index].as_py() or []

    def confirm(self, target: Target, answer: Answer) -> Row:
        """The page answered 304."""
        row = {**self.known[answer.url], **_answered(answer, target, self.known[answer.url])}
        row["status"] = 200
        self.confirmed.add(answer.url)
        self._patches.append(row)
        return row

    def keep(self, target: Target, answer: Answer, reading: Reading) -> tuple[Row, str]:
        """The page answered in full: its row, and `new`, `changed`, `unchanged` or `returned`."""
        before = self.known.get(answer.url)
        row: Row = {
            "url": answer.url,
            **_answered(answer, target, before),
            "content_hash": reading.content_hash,
            "title": reading.title,
            "language": reading.language,
        }
        self.confirmed.add(answer.url)
        self._new_links.append({"url": answer.url, "links": list(reading.links)})
        if before and before["content_hash"] == reading.content_hash:
            row["changed_at"] = before["changed_at"]
            if before["gone_at"] is None:
                self._patches.append(row)
                return row, "unchanged"
        else:
            row["changed_at"] = row["fetched_at"]
        self._full.append({**row, "html": reading.html})
        if before is None:
            return row, "new"
        return row, "changed" if before["gone_at"] is None else "returned"

    def miss(self, url: str, *, gone_after: int) -> bool:
        """Count a sighting of absence; True if that makes the page a tombstone."""
        row = self.live(url)
        if row is None or url in self.confirmed:
            return False
        count = (row["missing_count"] or 0) + 1
        gone = count >= gone_after
        self._patches.append({**row, "missing_count": count, "gone_at": _now() if gone else None})
        return gone

    async def save_if_due(self) -> None:
        """Write when enough has gathered or enough time has passed."""
        waiting = len(self._full) + len(self._patches)
        if waiting >= _BATCH_ROWS or (waiting and time.monotonic() - self._written_at > _BATCH_S):
            await asyncio.to_thread(self._write, *self._taken())

    def save(self) -> None:
        """Write everything that is left."""
        self._write(*self._taken())

    def _taken(self) -> tuple[list[Row], list[Row], list[Row]]:
        batch = self._full, self._patches, self._new_links
        self._full, self._patches, self._new_links = [], [], []
        self._written_at = time.monotonic()
        return batch

    def _write(self, full: list[Row], patches: list[Row], links: list[Row]) -> None:
        if full:
            versions = [_version(row) for row in full]
            contents = pa.Table.from_pylist(versions, schema=schemas.PAGE_VERSIONS)
            self._store.upsert(page_versions.TABLE, schemas.PAGE_VERSIONS, contents)
        if full or patches:
            self._store.upsert(PAGES, schemas.PAGES, pa.Table.from_pylist([*full, *patches], schema=schemas.PAGES))
        if links:
            self._store.upsert(LINKS, schemas.VISITS, pa.Table.from_pylist(links, schema=schemas.VISITS))


def _version(row: Row) -> Row:
    return {
        "version_id": page_versions.version_id(row["url"], row["content_hash"]),
        "url": row["url"],
        "content_hash": row["content_hash"],
        "html": row["html"],
        "first_seen_at": row["fetched_at"],
    }


def _answered(answer: Answer, target: Target, before: Row | None) -> Row:
    """Columns that every answer renews. A page that only the recheck found keeps where it was found first."""
    found_again = target.source == "recheck" and before is not None
    return {
        "final_url": answer.url,
        "status": answer.status,
        "etag": answer.headers.get("etag") or (before or {}).get("etag"),
        "last_modified": answer.headers.get("last-modified") or (before or {}).get("last_modified"),
        "fetched_at": _now(),
        "depth": before["depth"] if before and found_again else target.depth,
        "source": before["source"] if before and found_again else target.source,
        "missing_count": 0,
        "gone_at": None,
    }


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
