"""Rows of the tables, and parts of rows, as a visit makes them."""

import datetime as dt

from acronis_pipeline.crawl.memory import page_versions
from acronis_pipeline.crawl.memory.tables import Row
from acronis_pipeline.crawl.site.fetch import Answer
from acronis_pipeline.crawl.walk.frontier import Target
from acronis_pipeline.fingerprint import digest


def change(url: str, seen_at: dt.datetime, what: str, content_hash: str) -> Row:
    """A row of `page_changes`."""
    change_id = digest(url, seen_at.isoformat(), what)[:40]
    return {"change_id": change_id, "url": url, "seen_at": seen_at, "what": what, "content_hash": content_hash}


def content_version(row: Row, html: str) -> Row:
    return {
        "version_id": page_versions.version_id(row["url"], row["content_hash"]),
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
