"""Looking at some of the pages whose changes no sitemap tells: which ones this time, and what became of each."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from acronis_pipeline.crawl.judge import page
from acronis_pipeline.crawl.memory.archive import extractor_of
from acronis_pipeline.crawl.site.fetch import Ask, FetchError, RedirectRefusedError
from acronis_pipeline.crawl.site.robots import product_token
from acronis_pipeline.crawl.site.session import Session
from acronis_pipeline.crawl.watch.changes import Page
from acronis_pipeline.fingerprint import digest
from acronis_pipeline.settings import SiteSettings

_NEAREST_SHARE = 0.3
"""Of a sample, for the pages nearest to the start: that is where news shows first."""
_ABSENT = frozenset({404, 410})


@dataclass(frozen=True)
class Look:
    """What a page showed: `seen` is None if it is what it was, `links` are known only of an answer in full."""

    seen: str | None = None
    absent: bool = False
    links: tuple[str, ...] = ()


def choose(pages: Mapping[str, Page], urls: Iterable[str], n: int, position: str) -> list[str]:
    """`n` of the addresses: the nearest to the start, then those whose turn it is after `position`.

    Looks that hand on `position` (see `next_position`) see every page in the end, whatever comes and goes meanwhile.
    """
    by_depth = sorted(urls, key=lambda url: (pages[url].depth, turn(url)))
    if len(by_depth) <= n:
        return by_depth
    n_nearest = int(n * _NEAREST_SHARE)
    rest = sorted(by_depth[n_nearest:], key=turn)
    due = [url for url in rest if turn(url) > position]
    return by_depth[:n_nearest] + (due + rest)[: n - n_nearest]


def next_position(chosen: list[str], looked_at: Mapping[str, Look], n: int, position: str) -> str:
    """Where the next look goes on: behind the last page of the sample before the first that did not get its turn."""
    for url in chosen[int(n * _NEAREST_SHARE) :]:
        if url not in looked_at:
            break
        position = turn(url)
    return position


def turn(url: str) -> str:
    """Place of an address in the order of sampling: arbitrary, but always the same; 8 hex characters."""
    return digest(url)[:8]


async def look_at(
    site: SiteSettings,
    session: Session,
    pages: Mapping[str, Page],
    urls: list[str],
    left_s: float,
) -> dict[str, Look]:
    """What each page is now, for those that answer within `left_s`; asked for conditionally, in this order."""
    slots = asyncio.Semaphore(site.concurrency)

    async def one(url: str) -> Look | None:
        async with slots:
            return await _look(site, session, url, pages[url])

    asking = {url: asyncio.create_task(one(url)) for url in urls}
    if not asking:
        return {}
    done, late = await asyncio.wait(asking.values(), timeout=max(left_s, 0.0))
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    looks = {url: task.result() for url, task in asking.items() if task in done}
    return {url: look for url, look in looks.items() if look}


async def _look(site: SiteSettings, session: Session, url: str, before: Page) -> Look | None:
    headers = {"If-None-Match": before.etag, "If-Modified-Since": before.last_modified}
    conditional = {name: value for name, value in headers.items() if value}
    formats = session.formats
    ask = Ask(
        hop=lambda location, base: (location, "moved"),
        validators=lambda url: conditional,
        reads=formats.reads,
        cap=formats.cap,
    )
    try:
        answer = await session.fetcher.get(url, ask)
    except RedirectRefusedError as error:
        return Look(f"moved to {error.target}")
    except FetchError:
        return None
    if answer.status == 304:
        return Look()
    if answer.status >= 500 or answer.status == 429:
        return None
    if answer.status in _ABSENT:
        return Look(f"HTTP {answer.status}", absent=True)
    if answer.status != 200 or answer.truncated or not formats.reads(answer.media_type):
        return Look(f"HTTP {answer.status} {answer.media_type}")
    reading = await asyncio.to_thread(
        page.read,
        answer,
        session.scope,
        selector=site.content_selector,
        agent=product_token(site),
        languages=session.languages,
        formats=formats,
    )
    # Hashes of two extractors say nothing; the next crawl renews them.
    same = reading.content_hash == before.content_hash or before.extractor != extractor_of(site)
    return Look(reading.no_page or (None if same else reading.content_hash), links=reading.links)
