"""A quick look at the site: what differs from the last crawl? A few requests, within a deadline.

Pages whose changes no sitemap tells take turns: `choose` says which ones this time, `look_at` what became of each.
"""

import asyncio
import datetime as dt
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from acronis_pipeline.core.errors import SiteError
from acronis_pipeline.core.hashing import digest, digest_rows
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl.fetching import sitemap as sitemaps
from acronis_pipeline.crawl.fetching.fetch import Ask, FetchError, RedirectRefusedError, conditional
from acronis_pipeline.crawl.fetching.site_files import SiteFiles
from acronis_pipeline.crawl.fetching.sitemap import Sitemap, resolved
from acronis_pipeline.crawl.judging import verdict
from acronis_pipeline.crawl.memory.archive import extractor_of
from acronis_pipeline.crawl.memory.plan import History, latest, vouches
from acronis_pipeline.crawl.running.session import Session, arrive, run_within, start_on_record
from acronis_pipeline.store import Store, tables

_NEAREST_SHARE = 0.3
"""Of a sample, for the pages nearest to the start: that is where news shows first."""
_ABSENT = frozenset({404, 410})
_log = logging.getLogger(__name__)
_SHARE_FOR_WORK = 0.9
"""Of the deadline; the rest is for closing connections and telling the result."""
_SHARE_FOR_SITEMAPS = 0.6
_MANY = 0.5
"""More of the listed pages than this, all said to have changed at once, are not believed before one is seen to."""
_FEW_PAGES = 20
"""So many may, without a second look."""
_SIGNATURE_CHARS = 40
"""Fits a Dagster tag value (63)."""


@dataclass(frozen=True)
class SiteChanges:
    """What a quick look found.

    `changed`, `added` and `removed` are the addresses that a crawl should ask for, and `seen` says of each what was
    seen there (a lastmod, a content hash, a status …). `version` is the site's, see `crawl.version`. `n_urls` are the
    entries of the sitemaps, or the pages held where these tell no changes (`basis`); `n_sampled` pages answered a
    conditional request. `position` is where the next look goes on sampling. `stale` are sitemaps that did not answer.
    """

    changed: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    version: str
    basis: Literal["sitemap", "pages"]
    n_urls: int
    n_sampled: int
    requests: int
    duration_s: float
    position: str = ""
    stale: tuple[str, ...] = ()
    seen: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def urls(self) -> tuple[str, ...]:
        """Every address that differs, sorted."""
        return tuple(sorted(self.seen))

    @property
    def signature(self) -> str:
        """The same exactly when the same addresses differ in the same way."""
        return signature(self.seen)


def signature(seen: Mapping[str, str]) -> str:
    """Digest of addresses and what was seen there, 40 hex characters."""
    return digest_rows(seen.items())[:_SIGNATURE_CHARS]


class Page(NamedTuple):
    """A live page, as far as a quick look needs it."""

    content_hash: str
    extractor: str | None
    etag: str | None
    last_modified: str | None
    depth: int
    from_sitemap: bool
    missing: bool


class Visit(NamedTuple):
    """When an address was last asked for, and what the sitemap said of it then."""

    asked_at: dt.datetime | None
    lastmod: str | None


@dataclass(frozen=True)
class Baseline:
    """The site as it was last crawled: live pages, and visits to every address ever asked for.

    `lastmod_is_believed` unless the last sweep caught the sitemap's lastmod lying.
    """

    pages: dict[str, Page]
    visits: dict[str, Visit]
    lastmod_is_believed: bool = True

    @classmethod
    def of(cls, store: Store) -> "Baseline":
        # Column by column: 50,000 rows as dictionaries would take 100 MB.
        names = ["url", "content_hash", "extractor", "etag", "last_modified", "depth", "source", "missing_count"]
        pages = store.read(tables.PAGES, columns=names, where="gone_at IS NULL")
        visits = store.read(tables.VISITS, columns=["url", "asked_at", "lastmod"])
        return cls(
            {
                url: Page(content, extractor, etag, modified, depth or 0, source == "sitemap", bool(missing))
                for url, content, extractor, etag, modified, depth, source, missing in zip(
                    *pages.to_pydict().values(), strict=True
                )
            },
            {
                url: Visit(asked_at, lastmod)
                for url, asked_at, lastmod in zip(*visits.to_pydict().values(), strict=True)
            },
            History.of(store).lastmod_is_believed,
        )


@dataclass(frozen=True)
class Listed:
    """What the sitemaps alone tell: address to what was seen of it; `untold` are the live pages they say nothing of."""

    changed: dict[str, str]
    added: dict[str, str]
    removed: dict[str, str]
    untold: list[str]


def compare(sitemap: Sitemap, known: Baseline) -> Listed:
    """What the sitemaps say that differs from when each address was last asked for."""
    changed, added = {}, {}
    believed = known.lastmod_is_believed
    for url, lastmod in sitemap.pages.items():
        visit = known.visits.get(url)
        if visit is None:
            added[url] = f"listed {lastmod}"
        elif believed and lastmod and _is_news(lastmod, visit):
            changed[url] = f"lastmod {lastmod}"
    # A page once missed is left to the crawls; else every look until it is tombstoned would ask for one.
    present = [url for url, page in known.pages.items() if not page.missing]
    removed = {} if sitemap.failed or not sitemap.pages else _no_longer_listed(sitemap, known, present)
    untold = [
        url
        for url in present
        if url not in changed and url not in removed and not (believed and _is_vouched_for(url, sitemap, known))
    ]
    return Listed(changed, added, removed, untold)


def _is_vouched_for(url: str, sitemap: Sitemap, known: Baseline) -> bool:
    visit = known.visits.get(url)
    if visit is None or visit.asked_at is None:
        return False
    return vouches(sitemap.pages.get(url), visit.lastmod, visit.asked_at)


def _is_news(lastmod: str, visit: Visit) -> bool:
    if visit.lastmod is not None:
        return lastmod != visit.lastmod
    # The sitemap did not tell when the page was visited, so the lastmod itself must say that it came later.
    end = latest(lastmod)
    return end is not None and (visit.asked_at is None or end > visit.asked_at)


def _no_longer_listed(sitemap: Sitemap, known: Baseline, present: list[str]) -> dict[str, str]:
    def was_listed(url: str) -> bool:
        if not sitemap.tells_changes:
            return known.pages[url].from_sitemap
        # Unlike where it was first found, this follows every visit: one look at a page that is still there will do.
        visit = known.visits.get(url)
        return visit is not None and visit.lastmod is not None

    return {url: "no longer listed" for url in present if url not in sitemap.pages and was_listed(url)}


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


async def look_at(session: Session, pages: Mapping[str, Page], urls: list[str], left_s: float) -> dict[str, Look]:
    """What each page is now, for those that answer within `left_s`; asked for conditionally, in this order."""
    slots = asyncio.Semaphore(session.site.concurrency)

    async def one(url: str) -> Look | None:
        async with slots:
            return await _look(session, url, pages[url])

    asking = {url: asyncio.create_task(one(url)) for url in urls}
    if not asking:
        return {}
    done, late = await asyncio.wait(asking.values(), timeout=max(left_s, 0.0))
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    looks = {url: task.result() for url, task in asking.items() if task in done}
    return {url: look for url, look in looks.items() if look}


async def _look(session: Session, url: str, before: Page) -> Look | None:
    formats = session.formats
    ask = Ask(
        hop=lambda location, base: (location, "moved"),
        validators=lambda url: conditional(before.etag, before.last_modified),
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
        verdict.read, answer, session.site, session.scope, languages=session.languages, formats=formats
    )
    # Hashes of two extractors say nothing; the next crawl renews them.
    same = reading.content_hash == before.content_hash or before.extractor != extractor_of(session.site)
    return Look(reading.no_page or (None if same else reading.content_hash), links=reading.links)


def probe(
    store: Store, site: SiteSettings, *, deadline_s: float, sample_pages: int = 50, position: str = ""
) -> SiteChanges:
    """What differs between the site now and as it was last crawled.

    The sitemaps come first: addresses with another lastmod, new ones, those no longer listed. Of the pages that they
    say nothing of, `sample_pages` are asked for conditionally, and where these lead is looked at too. Pages that cannot
    be asked in time, or do not answer, count as unchanged. Writes nothing but what is new of robots.txt and sitemaps.
    `position` is `SiteChanges.position` of the look before, so that every page has its turn.

    Raises
    ------
    SiteError
        The site cannot be reached or does not say what it allows, or takes longer than `deadline_s` for that.
    """
    started = time.monotonic()
    known, files = Baseline.of(store), SiteFiles(store)
    site = resolved(site)
    start = start_on_record(store, site)
    # Without retries: the next look is due in minutes anyway.
    hasty = site.model_copy(update={"retries": 0, "timeout_s": min(site.timeout_s, deadline_s)})
    left_s = max(deadline_s - (time.monotonic() - started), 0.0)

    async def look() -> SiteChanges:
        until = asyncio.get_running_loop().time() + left_s * _SHARE_FOR_WORK
        async with asyncio.timeout_at(until) as limit:
            sitemaps_until = asyncio.get_running_loop().time() + left_s * _SHARE_FOR_SITEMAPS
            async with arrive(hasty, files, known_start=start, until=sitemaps_until) as session:
                limit.reschedule(None)
                if not files.answered and (session.sitemap.stale or session.sitemap.failed):
                    raise SiteError(f"{site.url}: neither robots.txt nor a sitemap answers")
                found = _Findings(session, known)
                await found.sample(sample_pages, position, until)
                return found.changes(time.monotonic() - started)

    try:
        changes = run_within(look(), left_s)
    except TimeoutError as error:
        raise SiteError(
            f"{site.url} did not say within {deadline_s:g} s whether it changed; the nightly recrawl will tell, "
            "or raise automation.sensor_deadline_s"
        ) from error
    files.save()
    return changes


class _Findings:
    """What the sitemaps say and sampled pages show, put together."""

    def __init__(self, session: Session, known: Baseline) -> None:
        self._site, self._session, self._known = session.site, session, known
        self._listed = compare(session.sitemap, known)
        self._looks: dict[str, Look] = {}
        self._position = ""
        many = max(_FEW_PAGES, _MANY * len(session.sitemap.pages))
        self._doubtful = len(self._listed.changed) > many

    async def sample(self, n: int, position: str, until: float) -> None:
        """Look at `n` pages, for as long as the event loop's clock allows."""
        pages = self._known.pages
        doubted = [url for url in self._listed.changed if url in pages] if self._doubtful else []
        chosen = choose(pages, [*self._listed.untold, *doubted], n, position)
        left_s = until - asyncio.get_running_loop().time()
        self._looks = await look_at(self._session, pages, chosen, left_s)
        self._position = next_position(chosen, self._looks, n, position)
        if chosen and not self._looks and not self._session.sitemap.pages:
            raise SiteError(f"{self._site.url}: none of {len(chosen)} known pages answered in time")
        if doubted and not any(self._looks[url].seen for url in doubted if url in self._looks):
            _log.info("probe: %d pages have a new lastmod at once, and none that was looked at changed", len(doubted))
        else:
            self._doubtful = False

    def changes(self, duration_s: float) -> SiteChanges:
        sitemap, pages = self._session.sitemap, self._known.pages
        sampled = {url: look.seen for url, look in self._looks.items() if look.seen}
        absent = {url: seen for url, seen in sampled.items() if self._looks[url].absent}
        changed = {} if self._doubtful else dict(self._listed.changed)
        changed = {url: seen for url, seen in (changed | sampled).items() if url not in absent}
        removed = self._listed.removed | absent
        added = self._added()
        told = (
            None if self._doubtful or not self._known.lastmod_is_believed else sitemaps.from_sitemap(sitemap, sampled)
        )
        contents = {url: page.content_hash for url, page in pages.items()}
        return SiteChanges(
            changed=tuple(sorted(changed)),
            added=tuple(sorted(added)),
            removed=tuple(sorted(removed)),
            version=told or sitemaps.from_pages(sitemap, contents | sampled),
            basis="sitemap" if told else "pages",
            n_urls=len(sitemap.pages) if told else len(pages),
            n_sampled=len(self._looks),
            requests=self._session.fetcher.requests,
            duration_s=duration_s,
            position=self._position,
            stale=(*sitemap.stale, *sitemap.failed),
            seen=changed | added | removed,
        )

    def _added(self) -> dict[str, str]:
        """New addresses that a crawl would ask for: listed, or linked from a sampled page."""
        pages = self._known.pages
        if len(pages) >= self._site.max_pages:
            return {}
        linked = {
            link: "linked"
            for url, look in self._looks.items()
            if pages[url].depth < self._site.max_depth
            for link in look.links
            if link not in self._known.visits and not self._session.scope.why_not(link)
        }
        return {
            url: seen
            for url, seen in (linked | self._listed.added).items()
            if self._session.robots.allows(url) and not self._session.languages.why_not(url)
        }
