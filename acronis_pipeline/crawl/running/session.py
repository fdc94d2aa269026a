"""Arriving at a site: who it is, what it allows, where its start page really is, what it lists.

`run` and `run_within` run coroutines from plain functions, even where the thread already has an event loop (Dagster,
Jupyter).
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from acronis_pipeline.core.errors import SiteDownError, SiteError
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl.fetching import sitemap as sitemaps
from acronis_pipeline.crawl.fetching.fetch import MAX_REDIRECTS, Ask, Fetcher, FetchError, RedirectRefusedError
from acronis_pipeline.crawl.fetching.guard import HostNotFoundError, private_site
from acronis_pipeline.crawl.fetching.pace import Pace
from acronis_pipeline.crawl.fetching.scope import Scope
from acronis_pipeline.crawl.fetching.site_files import Robots, SiteFiles, load_robots, parse_robots
from acronis_pipeline.crawl.fetching.sitemap import Sitemap
from acronis_pipeline.crawl.judging.formats import Formats
from acronis_pipeline.crawl.judging.non_pages import NOTHING_LEARNT, SoftNotFound, learn
from acronis_pipeline.crawl.judging.verdict import Languages
from acronis_pipeline.crawl.running.folder import FolderFetcher, scan
from acronis_pipeline.store import Store, quoted, tables

T = TypeVar("T")
_log = logging.getLogger(__name__)
Validators = Callable[[str], dict[str, str]]


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run to completion, in a thread of its own if this one has a running loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(main)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, main).result()


def run_within(main: Coroutine[Any, Any, T], deadline_s: float) -> T:
    """Run to completion, or leave it behind in a daemon thread and raise TimeoutError after `deadline_s`.

    Cancelling alone does not do: a name look-up runs in a thread that asyncio waits for, for as long as it takes.
    """
    outcome: Future[T] = Future()

    def work() -> None:
        try:
            outcome.set_result(asyncio.run(main))
        except BaseException as error:  # handed over whole: the caller raises it
            outcome.set_exception(error)

    threading.Thread(target=work, daemon=True, name="run-within").start()
    return outcome.result(timeout=deadline_s)


@dataclass(frozen=True)
class Session:
    """A site that answered.

    `start` is the start page's address after redirects, None if robots.txt forbids it or only what is listed is wanted.
    `not_found` is how the site says that a page does not exist, where it does not say 404.
    """

    site: SiteSettings
    fetcher: Fetcher | FolderFetcher
    scope: Scope
    robots: Robots
    sitemap: Sitemap
    start: str | None
    languages: Languages
    formats: Formats
    not_found: SoftNotFound = NOTHING_LEARNT


@asynccontextmanager
async def arrive(
    site: SiteSettings,
    files: SiteFiles,
    *,
    validators: Validators = lambda url: {},
    known_start: str | None = None,
    until: float | None = None,
) -> AsyncIterator[Session]:
    """Connect to a site and read its robots.txt and sitemaps, or list a folder.

    `site` is what `sitemap.resolved` makes of the configured one.

    Parameters
    ----------
    files
        What is kept of these; the caller saves it.
    validators
        Headers that ask for the start page only if it changed: where it is is all that matters here.
    known_start
        Where the start page was found to be, see `start_on_record`. Then it is not asked for, nor is a robots.txt
        that is fresh enough.
    until
        See `sitemap.load`. In such a hurry nothing is learnt of how the site says that a page does not exist.

    Raises
    ------
    SiteError
        The host does not resolve or answer, fails to say what it allows, or sends its start page elsewhere.
    """
    scope = Scope.of(site)
    if site.folder is not None:
        yield await _open_folder(site.folder, site, scope, files)
        return
    parts = urlsplit(scope.origin)
    host = parts.hostname or ""
    try:
        private = await private_site(host, parts.port or (443 if parts.scheme == "https" else 80))
    except HostNotFoundError as error:
        raise SiteDownError(f"{site.url}: {error}; check the address (site.url) and the network") from error
    if private is None and until is None:
        _want_contact(site)
    pace = Pace(site.delay_s, site.concurrency)
    async with Fetcher(site, private_site=private, pace=pace) as fetcher:
        max_age_h = site.robots_cache_h if known_start else 0.0
        robots = await load_robots(fetcher, scope, site, files, max_age_h=max_age_h)
        pace.delay_s = max(site.delay_s, robots.delay_s)
        start = None
        if site.follow_links:
            start = known_start or await _locate_start(fetcher, scope, robots, site, validators)
        scope = scope.moved_to(start, site) if start else scope
        only_named = bool(site.sitemaps) and not site.follow_links
        sitemap = await sitemaps.load(
            fetcher,
            scope,
            robots,
            files,
            named=site.sitemaps,
            only_named=only_named,
            max_pages=site.max_pages,
            until=until,
        )
        languages = Languages(site.languages)
        languages.note(sitemap.alternates.items())
        learnt = await learn(fetcher, scope, robots.allows, start) if until is None else NOTHING_LEARNT
        yield Session(site, fetcher, scope, robots, sitemap, start, languages, Formats(site), learnt)


async def _open_folder(folder: Path, site: SiteSettings, scope: Scope, files: SiteFiles) -> Session:
    listing = await asyncio.to_thread(scan, folder, site, scope)
    files.answered += 1
    sitemap = Sitemap(pages=listing.lastmods, outside=dict(listing.outside))
    fetcher = FolderFetcher(folder, listing, site)
    everything = parse_robots("", site)
    return Session(site, fetcher, scope, everything, sitemap, None, Languages(site.languages), Formats(site))


def _want_contact(site: SiteSettings) -> None:
    if not site.contact and "http" not in site.user_agent and "@" not in site.user_agent:
        _log.warning("crawl: %s cannot tell who asks: set site.contact to a page or an address of yours", site.url)


def start_on_record(store: Store, site: SiteSettings) -> str | None:
    """Where the last crawl found the start page to be, after redirects; None if it did not find it."""
    url = Scope.of(site).canonical(site.url)
    for _ in range(MAX_REDIRECTS + 1):
        where = f"url = {quoted(url or '')}"
        visits = store.read(tables.VISITS, columns=["outcome", "target"], where=where).to_pylist()
        if not visits or visits[0]["outcome"] != "redirect":
            return url if visits else None
        url = visits[0]["target"]
    return None


async def _locate_start(
    fetcher: Fetcher, scope: Scope, robots: Robots, site: SiteSettings, validators: Validators
) -> str | None:
    """Where the start page is after its redirects; its own errors show when the crawl asks for it like any page."""
    asked = scope.canonical(site.url) or site.url
    if not robots.allows(asked):
        return None
    try:
        # The body is read although it is not used: hanging up on it would cost the connection.
        answer = await fetcher.get(asked, Ask(scope.redirect, validators, Formats(site).reads))
    except RedirectRefusedError as error:
        raise SiteError(
            f"{site.url} redirects to {error.target}, which is another site; set site.url to the one you mean"
        ) from error
    except FetchError as error:
        raise SiteDownError(
            f"{site.url} cannot be fetched ({error}); check the address (site.url) and the network"
        ) from error
    scope = scope.moved_to(answer.url, site)
    if answer.status in {200, 304} and not urlsplit(answer.url).path.startswith(scope.prefix):
        raise SiteError(
            f"{site.url} leads to {answer.url}, which is not below {scope.prefix}; set site.url to the page you mean, "
            "or site.path_prefix"
        )
    return answer.url
