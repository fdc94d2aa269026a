"""robots.txt (RFC 9309): what we may ask for, and how often."""

import logging
from dataclasses import dataclass

from protego import Protego

from acronis_pipeline.crawl.fetch import Ask, Fetcher, FetchError, RedirectRefusedError
from acronis_pipeline.crawl.urls import Scope
from acronis_pipeline.errors import SiteError
from acronis_pipeline.settings import SiteSettings

_log = logging.getLogger(__name__)

_MAX_CHARS = 512 * 1024
"""RFC 9309 asks for at least 500 KiB; what comes after is ignored."""


@dataclass(frozen=True)
class Robots:
    """The rules that apply to us. `delay_s` is the robots' wish, already cut to what the settings accept."""

    rules: Protego
    agent: str
    delay_s: float
    sitemaps: tuple[str, ...]

    def allows(self, url: str) -> bool:
        return self.rules.can_fetch(url, self.agent)


def parse(text: str, site: SiteSettings) -> Robots:
    """Rules for our product token (`acronis-pipeline` of `acronis-pipeline/0.1 (…)`); HTML or rubbish means none."""
    rules = Protego.parse(text[:_MAX_CHARS])
    agent = product_token(site)
    rate = rules.request_rate(agent)
    wished_s = max(rules.crawl_delay(agent) or 0.0, rate.seconds / rate.requests if rate and rate.requests else 0.0)
    if wished_s > site.max_crawl_delay_s:
        _log.warning(
            "robots.txt asks for %g s between requests; using %g s (site.max_crawl_delay_s)",
            wished_s,
            site.max_crawl_delay_s,
        )
    return Robots(rules, agent, min(wished_s, site.max_crawl_delay_s), tuple(rules.sitemaps))


def product_token(site: SiteSettings) -> str:
    """The part of the user agent that robots.txt and X-Robots-Tag address."""
    return site.user_agent.split("/")[0].split(" ")[0].lower()


async def load(fetcher: Fetcher, scope: Scope, site: SiteSettings) -> Robots:
    """Ask the site for its robots.txt.

    A file that does not exist (4xx) or has moved to another host allows everything.

    Raises
    ------
    SiteError
        The site cannot be reached, or it fails to say (5xx, 429): then we keep away.
    """
    url = f"{scope.origin}/robots.txt"
    try:
        answer = await fetcher.get(url, Ask(hop=scope.redirect))
    except RedirectRefusedError as error:
        _log.warning("%s %s; taken as absent", url, error)
        return parse("", site)
    except FetchError as error:
        if error.reason == "too many redirects":
            return parse("", site)
        raise SiteError(
            f"{scope.origin} cannot be reached ({error}); check the address (site.url) and the network"
        ) from error
    if answer.status >= 500 or answer.status == 429:
        raise SiteError(
            f"{url} answers HTTP {answer.status}, so the site has not said what may be crawled; try again later"
        )
    return parse(answer.body.decode("utf-8-sig", "replace"), site)
