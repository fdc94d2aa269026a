"""What crawls leave in the tables, planted without crawling: history and status are read from there alone."""

import datetime as dt
import json
from typing import Any

from acronis_pipeline.content import extract
from acronis_pipeline.crawl.memory.records import version_id
from acronis_pipeline.store import Store, tables

SITE = "https://docs.example.com/"
FIRST_DAY = dt.datetime(2026, 11, 1, 3, 0, tzinfo=dt.UTC)


def day(n: int) -> dt.datetime:
    """Three in the morning of the nth of November 2026."""
    return FIRST_DAY + dt.timedelta(days=n - 1)


def html(*paragraphs: str, title: str = "Retention") -> str:
    body = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    return f"<html lang=en><head><title>{title}</title></head><body><main><h1>{title}</h1>{body}</main></body></html>"


def plant(store: Store, table: tables.Table, row: dict[str, Any]) -> None:
    store.upsert(table, table.rows([row]))


def plant_page(store: Store, path: str, *, gone_at: dt.datetime | None = None, missing_count: int = 0) -> str:
    url = SITE + path
    plant(store, tables.PAGES, {"url": url, "gone_at": gone_at, "missing_count": missing_count})
    return url


def plant_change(store: Store, url: str, what: str, seen_at: dt.datetime, page: str, *, kept: bool = True) -> None:
    content_hash = extract(page, url=url).content_hash
    event = {"url": url, "seen_at": seen_at, "what": what, "content_hash": content_hash}
    plant(store, tables.PAGE_CHANGES, {"change_id": f"{url} {seen_at} {what}", **event})
    if kept and what != "gone":
        version = {"version_id": version_id(url, content_hash), "url": url, "content_hash": content_hash}
        plant(store, tables.PAGE_VERSIONS, {**version, "html": page, "first_seen_at": seen_at})


def plant_crawl(store: Store, started_at: dt.datetime, **counts: Any) -> None:
    summary = {"mode": "incremental", "failed": {}, "skipped": {}, **counts}
    row = {
        "crawl_id": f"{started_at:%Y%m%dT%H%M%S}",
        "site_url": SITE,
        "started_at": started_at,
        "finished_at": started_at + dt.timedelta(minutes=5),
        "summary": json.dumps(summary),
    }
    plant(store, tables.CRAWLS, row)
