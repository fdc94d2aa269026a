"""A quick look at the site: has it changed since the last crawl? A few requests, within a deadline."""

import asyncio
import logging
import time

from acronis_pipeline import schemas
from acronis_pipeline.crawl import page, version
from acronis_pipeline.crawl.archive import PAGES, Row
from acronis_pipeline.crawl.fetch import Ask, FetchError, RedirectRefusedError
from acronis_pipeline.crawl.robots import product_token
from acronis_pipeline.crawl.running import run_within
from acronis_pipeline.crawl.session import Session, arrive
from acronis_pipeline.crawl.version import SiteVersion
from acronis_pipeline.errors import SiteError
from acronis_pipeline.settings import SiteSettings
from acronis_pipeline.store import Store

__all__ = ["SiteVersion", "probe"]

_log = logging.getLogger(__name__)

_SHARE_FOR_WORK = 0.9
"""Of the deadline; the rest is for closing connections and telling the result."""
_COLUMNS = ["url", "etag", "last_modified", "content_hash", "depth", "missing_count", "gone_at"]


def probe(store: Store, site: SiteSettings, *, deadline_s: float) -> SiteVersion:
    """The site's version now, comparable with `crawl.last_site_version`.

    Reads robots.txt and the sitemaps; where these do not tell changes, asks for up to 30 known pages, conditionally.
    Pages that cannot be asked in time, or do not answer, count as unchanged. Writes nothing.

    Raises
    ------
    SiteError
        The site cannot be reached, does not say what it is, or takes longer than `deadline_s`.
    """
    known = version.sample(store.read(PAGES, schemas.PAGES, columns=_COLUMNS, where="gone_at IS NULL").to_pylist())
    # Without retries: the next look is due in minutes anyway.
    hasty = site.model_copy(update={"retries": 0, "timeout_s": min(site.timeout_s, deadline_s)})
    try:
        return run_within(_look(hasty, known, deadline_s * _SHARE_FOR_WORK), deadline_s)
    except TimeoutError as error:
        raise SiteError(
            f"{site.url} did not say within {deadline_s:g} s whether it changed; the nightly recrawl will tell, "
            "or raise automation.sensor_deadline_s"
        ) from error


async def _look(site: SiteSettings, known: list[Row], deadline_s: float) -> SiteVersion:
    started = time.monotonic()
    async with asyncio.timeout(deadline_s) as limit, arrive(site) as session:
        failed = session.sitemap.failed
        if failed:
            raise SiteError(f"{failed[0]} does not answer, so nothing can be said about changes; try again later")
        told = version.from_sitemap(session.sitemap)
        if told:
            n_urls = len(session.sitemap.pages)
            return SiteVersion(told, "sitemap", n_urls, session.fetcher.requests, time.monotonic() - started)
        limit.reschedule(None)
        left_s = deadline_s - (time.monotonic() - started)
        contents = await _contents(site, session, known, left_s)
        told = version.from_pages(session.sitemap, contents)
        return SiteVersion(told, "pages", len(contents), session.fetcher.requests, time.monotonic() - started)


async def _contents(site: SiteSettings, session: Session, known: list[Row], left_s: float) -> dict[str, str]:
    """Content hash of each known page as it is now; the stored one for pages that do not answer in time.

    Raises
    ------
    SiteError
        If none answers.
    """
    if not known:
        return {}
    slots = asyncio.Semaphore(site.concurrency)

    async def one(row: Row) -> str | None:
        async with slots:
            return await _content(site, session, row)

    asking = {row["url"]: asyncio.create_task(one(row)) for row in known}
    done, late = await asyncio.wait(asking.values(), timeout=max(left_s, 0.0))
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    seen = {url: task.result() if task in done else None for url, task in asking.items()}
    if not any(seen.values()):
        raise SiteError(f"{site.url}: none of {len(known)} known pages answered in time; try again later")
    if late:
        _log.info("probe: %d of %d pages were not reached in time", len(late), len(known))
    return {row["url"]: seen[row["url"]] or row["content_hash"] for row in known}


async def _content(site: SiteSettings, session: Session, row: Row) -> str | None:
    """Content hash of a page now, another word for what became of it, or None if it does not answer."""
    headers = {"If-None-Match": row["etag"], "If-Modified-Since": row["last_modified"]}
    conditional = {name: value for name, value in headers.items() if value}
    refused = Ask(
        hop=lambda location, base: (location, "moved"), validators=lambda url: conditional, reads=page.is_html
    )
    try:
        answer = await session.fetcher.get(row["url"], refused)
    except RedirectRefusedError:
        return "moved"
    except FetchError:
        return None
    if answer.status == 304:
        return row["content_hash"]
    if answer.status >= 500 or answer.status == 429:
        return None
    if answer.status != 200 or answer.truncated or not page.is_html(answer.media_type):
        return f"HTTP {answer.status} {answer.media_type}"
    agent = product_token(site)
    reading = await asyncio.to_thread(page.read, answer, session.scope, selector=site.content_selector, agent=agent)
    return reading.no_page or reading.content_hash
