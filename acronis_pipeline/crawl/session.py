"""Arriving at a site: who it is, what it allows, where its start page really is, what it lists."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from acronis_pipeline.crawl import robots as robots_txt
from acronis_pipeline.crawl import sitemap as sitemaps
from acronis_pipeline.crawl.fetch import Ask, Fetcher, FetchError, RedirectRefusedError
from acronis_pipeline.crawl.guard import HostNotFoundError, private_host
from acronis_pipeline.crawl.pace import Pace
from acronis_pipeline.crawl.page import is_html
from acronis_pipeline.crawl.robots import Robots
from acronis_pipeline.crawl.sitemap import Sitemap
from acronis_pipeline.crawl.urls import Scope
from acronis_pipeline.errors import SiteError
from acronis_pipeline.settings import SiteSettings


@dataclass(frozen=True)
class Session:
    """A site that answered. `start` is the start page's address after redirects, None if robots.txt forbids it."""

    fetcher: Fetcher
    scope: Scope
    robots: Robots
    sitemap: Sitemap
    start: str | None


@asynccontextmanager
async def arrive(site: SiteSettings) -> AsyncIterator[Session]:
    """Connect to a site and read its robots.txt and sitemaps.

    Raises
    ------
    SiteError
        The host does not resolve or answer, fails to say what it allows, or sends its start page elsewhere.
    """
    scope = Scope.of(site)
    parts = urlsplit(scope.origin)
    host = parts.hostname or ""
    try:
        private = await private_host(host, parts.port or (443 if parts.scheme == "https" else 80))
    except HostNotFoundError as error:
        raise SiteError(f"{site.url}: {error}; check the address (site.url) and the network") from error
    pace = Pace(site.delay_s)
    async with Fetcher(site, private_host=private, pace=pace) as fetcher:
        robots = await robots_txt.load(fetcher, scope, site)
        pace.delay_s = max(site.delay_s, robots.delay_s)
        start = await _locate_start(fetcher, scope, robots, site)
        scope = scope.moved_to(start, site) if start else scope
        yield Session(fetcher, scope, robots, await sitemaps.load(fetcher, scope, robots), start)


async def _locate_start(fetcher: Fetcher, scope: Scope, robots: Robots, site: SiteSettings) -> str | None:
    """Where the start page is after its redirects; its own errors show when the crawl asks for it like any page."""
    asked = scope.canonical(site.url) or site.url
    if not robots.allows(asked):
        return None
    try:
        # The body is read although it is not used: hanging up on it would cost the connection.
        answer = await fetcher.get(asked, Ask(hop=scope.redirect, reads=is_html))
    except RedirectRefusedError as error:
        raise SiteError(
            f"{site.url} redirects to {error.target}, which is another site; set site.url to the one you mean"
        ) from error
    except FetchError as error:
        raise SiteError(
            f"{site.url} cannot be fetched ({error}); check the address (site.url) and the network"
        ) from error
    scope = scope.moved_to(answer.url, site)
    if answer.status == 200 and not urlsplit(answer.url).path.startswith(scope.prefix):
        raise SiteError(
            f"{site.url} leads to {answer.url}, which is not below {scope.prefix}; set site.url to the page you mean, "
            "or site.path_prefix"
        )
    return answer.url
