"""Keeping the folder from growing: old contents beyond what history needs, and what many small writes leave."""

import datetime as dt
from collections import defaultdict

from acronis_pipeline import schemas
from acronis_pipeline.crawl.memory.tables import CHANGES, CRAWLS, LINK_LISTS, PAGES, VERSIONS, VISITS
from acronis_pipeline.crawl.walk.plan import History
from acronis_pipeline.store import Store

KEEP_CRAWLS = 1_000
"""Summaries of the newest crawls, three years of nights or a week of a busy sensor's runs."""
KEEP_SWEEPS = 10
"""At least: the last of them say whether lastmod is believed and when the next is due."""

_SITE_FILES = "site_files"


def tidy(store: Store, *, keep_versions: int) -> None:
    """After any crawl: no page keeps more contents than `keep_versions`, and no table more files than it needs."""
    _trim(store, keep_versions)
    _trim_crawls(store)
    for table in (PAGES, VERSIONS, CHANGES, VISITS, LINK_LISTS, CRAWLS, _SITE_FILES):
        store.compact(table)


def forget_unreachable(store: Store, before: dt.datetime) -> None:
    """After a complete sweep: addresses that nothing leads to any more, and lists of links that nothing refers to."""
    visits = store.read(VISITS, schemas.VISITS, columns=["url", "asked_at", "links_id"])
    pages = set(store.read(PAGES, schemas.PAGES, columns=["url"]).column("url").to_pylist())
    forgotten, used = set(), set()
    for url, asked_at, links_id in zip(*visits.to_pydict().values(), strict=True):
        if asked_at < before and url not in pages:
            forgotten.add(url)
        else:
            used.add(links_id)
    lists = store.read(LINK_LISTS, schemas.LINK_LISTS, columns=["links_id"]).column("links_id").to_pylist()
    store.delete(VISITS, schemas.VISITS, forgotten)
    store.delete(LINK_LISTS, schemas.LINK_LISTS, set(lists) - used)


def _trim(store: Store, keep_versions: int) -> None:
    columns = ["version_id", "url", "content_hash", "first_seen_at"]
    versions = store.read(VERSIONS, schemas.PAGE_VERSIONS, columns=columns)
    pages = store.read(PAGES, schemas.PAGES, columns=["url", "content_hash"])
    current = set(zip(*pages.to_pydict().values(), strict=True))
    by_page: dict[str, list[tuple[bool, dt.datetime, str]]] = defaultdict(list)
    for version_id, url, content_hash, seen_at in zip(*versions.to_pydict().values(), strict=True):
        by_page[url].append(((url, content_hash) in current, seen_at, version_id))
    # The current content may be an old one: pages go back to what they were.
    doomed = [v for kept in by_page.values() for _, _, v in sorted(kept, reverse=True)[keep_versions:]]
    store.delete(VERSIONS, schemas.PAGE_VERSIONS, doomed)


def _trim_crawls(store: Store) -> None:
    if store.count(CRAWLS) <= KEEP_CRAWLS:
        return
    history = History.of(store)
    sweeps = [crawl for crawl in history.crawls if crawl.get("mode") == "sweep"]
    newest = (*history.crawls[:KEEP_CRAWLS], *sweeps[:KEEP_SWEEPS], *history.attempts[:KEEP_CRAWLS])
    kept = {crawl["crawl_id"] for crawl in newest}
    store.delete(CRAWLS, schemas.CRAWLS, {row["crawl_id"] for row in (*history.crawls, *history.attempts)} - kept)
