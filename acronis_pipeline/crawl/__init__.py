"""raw_pages: from a website to the `pages` table, politely and again and again.

`crawl` takes in what changed since the last time; `probe.probe` says cheaply whether there is anything to take in.
One concern a file: `urls` (spelling and scope), `robots`, `sitemap`, `fetch` (one request), `pace`, `guard` (private
networks), `charset`, `page` (what an answer is), `frontier`, `crawler` (the work), `archive` (the tables), `version`.
"""

import datetime as dt
import json
import logging
import time
import uuid
from urllib.parse import urlsplit

import pyarrow as pa

from acronis_pipeline import schemas
from acronis_pipeline.crawl import page, version
from acronis_pipeline.crawl.archive import PAGES, Archive
from acronis_pipeline.crawl.crawler import Crawler
from acronis_pipeline.crawl.result import CrawlResult
from acronis_pipeline.crawl.running import run
from acronis_pipeline.crawl.session import Session, arrive
from acronis_pipeline.crawl.tally import Tally
from acronis_pipeline.crawl.urls import Scope
from acronis_pipeline.errors import SiteError
from acronis_pipeline.fingerprint import digest_rows
from acronis_pipeline.settings import SiteSettings
from acronis_pipeline.store import Store

__all__ = ["VERSION", "CrawlResult", "crawl", "last_site_version", "live_pages"]

VERSION = "1"
"""Raise it when a crawl of the same site would store something else."""

_log = logging.getLogger(__name__)

_CRAWLS = "crawls"


def crawl(store: Store, site: SiteSettings) -> CrawlResult:
    """Bring the `pages` table up to date with a website.

    Pages are written in batches on the way, so a killed crawl loses little and the next one goes on from there.
    A page that did not change costs one conditional request. A failing page keeps its old content; one that is absent
    `site.gone_after` times is tombstoned (`gone_at`), at once if the site or the settings now forbid it.

    Parameters
    ----------
    store
        Holds `pages`, `page_links` and `crawls` (a row per finished crawl).
    site
        `site.url` is a real http(s) address.

    Raises
    ------
    SiteError
        The site cannot be reached, forbids crawling, has not a single page, or is not the one that `store` holds. Its
        pages stay as they were.
    """
    started = time.monotonic()
    started_at = dt.datetime.now(dt.UTC)
    archive = Archive(store)
    _refuse_another_site(archive, site)
    previous_n_live = sum(row["gone_at"] is None for row in archive.known.values())
    tally = Tally()
    _log.info("crawl: %s, %d pages known", site.url, previous_n_live)
    session = run(_work(site, archive, tally))
    if not tally.n_kept:
        raise SiteError(_why_empty(site, tally))
    live = live_pages(store, ["url", "content_hash", "depth", "missing_count", "gone_at"]).to_pylist()
    contents = {row["url"]: row["content_hash"] for row in version.sample(live)}
    result = CrawlResult(
        site_url=site.url,
        site_version=version.from_sitemap(session.sitemap) or version.from_pages(session.sitemap, contents),
        n_live=len(live),
        previous_n_live=previous_n_live,
        **{what: tally.kept[what] for what in ("new", "changed", "unchanged", "returned")},
        gone=tally.gone,
        failed=dict(tally.failed.most_common()),
        skipped=dict(tally.skipped.most_common()),
        requests=session.fetcher.requests,
        not_modified=tally.not_modified,
        size_bytes=session.fetcher.received_bytes,
        duration_s=time.monotonic() - started,
        table_version=store.version(PAGES),
        data_version=digest_rows((row["url"], row["content_hash"]) for row in live),
        examples=tally.examples(),
    )
    _record(store, result, started_at)
    _log_result(result)
    return result


def live_pages(store: Store, columns: list[str] | None = None) -> pa.Table:
    """Pages that exist as far as we know (`schemas.PAGES`, or some of its columns); no rows before the first crawl."""
    return store.read(PAGES, schemas.PAGES, columns=columns, where="gone_at IS NULL")


def last_site_version(store: Store) -> str | None:
    """The site's version that the newest finished crawl took in; None before the first."""
    crawls = store.read(_CRAWLS, schemas.CRAWLS, columns=["site_version", "finished_at"]).to_pylist()
    return max(crawls, key=lambda row: row["finished_at"])["site_version"] if crawls else None


async def _work(site: SiteSettings, archive: Archive, tally: Tally) -> Session:
    async with arrive(site) as session:
        _log.info(
            "crawl: %d pages in sitemaps, %g s between requests",
            len(session.sitemap.pages),
            session.fetcher.pace.delay_s,
        )
        try:
            await Crawler(site, session, archive, tally).run()
        finally:
            archive.save()
    return session


def _refuse_another_site(archive: Archive, site: SiteSettings) -> None:
    """Pages of two sites in one folder would each be tombstoned by the other's crawl."""
    asked = Scope.of(site).netloc
    held = next((urlsplit(url).netloc for url in archive.known), asked)
    if held != asked:
        raise SiteError(f"the data folder holds pages of {held}, not of {asked}; use another folder (--data DIR)")


def _why_empty(site: SiteSettings, tally: Tally) -> str:
    reasons = tally.failed + tally.skipped
    counts = ", ".join(f"{reason} ({count})" for reason, count in reasons.most_common(4)) or "nothing found"
    if "robots" in reasons:
        remedy = "robots.txt forbids it to us: ask the site's owner to allow it"
    elif reasons.keys() & {page.LOGIN_WALL, "HTTP 401", "HTTP 403"}:
        remedy = "it wants a login or turns robots away: ask its owner for access, or crawl a public address"
    elif page.EMPTY_WITHOUT_SCRIPTS in reasons:
        remedy = "its pages are built by JavaScript, which is not run here: point site.url at a static version"
    else:
        remedy = "check site.url, site.path_prefix, site.include and site.exclude"
    return f"{site.url} gave not a single page: {counts}; {remedy}"


def _record(store: Store, result: CrawlResult, started_at: dt.datetime) -> None:
    finished_at = dt.datetime.now(dt.UTC)
    summary = {name: value for name, value in vars(result).items() if name not in {"examples", "site_version"}}
    row = {
        "crawl_id": f"{started_at:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}",
        "site_url": result.site_url,
        "site_version": result.site_version,
        "started_at": started_at,
        "finished_at": finished_at,
        "summary": json.dumps(summary),
    }
    store.upsert(_CRAWLS, schemas.CRAWLS, pa.Table.from_pylist([row], schema=schemas.CRAWLS))


def _log_result(result: CrawlResult) -> None:
    _log.info(
        "crawl: %d pages live (%d new, %d changed, %d unchanged, %d returned, %d gone), %d failed, %d requests, %.1f s",
        result.n_live,
        result.new,
        result.changed,
        result.unchanged,
        result.returned,
        result.gone,
        sum(result.failed.values()),
        result.requests,
        result.duration_s,
    )
