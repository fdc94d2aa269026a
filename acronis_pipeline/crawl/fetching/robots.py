"""robots.txt (RFC 9309): what we may ask for, and how often."""

import logging
from dataclasses import dataclass

from protego import Protego

from acronis_pipeline.core.errors import SiteDownError
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl.fetching.fetch import Ask, Fetcher, FetchError, RedirectRefusedError
from acronis_pipeline.crawl.fetching.scope import Scope
from acronis_pipeline.crawl.fetching.site_files import SiteFile, SiteFiles, anywhere

_log = logging.getLogger(__name__)

_MAX_BYTES = 512 * 1024
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
    rules = Protego.parse(text)
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


async def load(fetcher: Fetcher, scope: Scope, site: SiteSettings, files: SiteFiles, *, max_age_h: float) -> Robots:
    """What the site's robots.txt says, asked for unless a copy younger than `max_age_h` is kept.

    A file that does not exist (4xx) allows everything. Redirects are followed to other hosts too (RFC 9309, 2.3.1.2).
    While the site fails to say (no answer, 5xx, 429), what it said within the last `site.robots_cache_h` hours holds.

    Raises
    ------
    SiteDownError
        The site cannot be reached or fails to say, and did not say lately either: then we keep away.
    """
    url = f"{scope.origin}/robots.txt"
    kept = files.kept(url)
    if kept and kept.age_h < max_age_h:
        return parse(_text(kept), site)
    try:
        file = await files.ask(fetcher, url, Ask(hop=anywhere, max_bytes=_MAX_BYTES))
        files.keep(file)  # unchanged or not: when it was asked for is what makes it fresh
    except RedirectRefusedError as error:
        _log.warning("%s %s; taken as absent", url, error)
        return parse("", site)
    except FetchError as error:
        if error.reason == "too many redirects":
            return parse("", site)
        if kept and kept.age_h < site.robots_cache_h:
            _log.warning("%s: %s; obeying the copy that is %.1f h old", url, error, kept.age_h)
            return parse(_text(kept), site)
        if error.reason.startswith("HTTP "):
            raise SiteDownError(
                f"{url} answers {error}, so the site has not said what may be crawled; try again later"
            ) from error
        raise SiteDownError(
            f"{scope.origin} cannot be reached ({error}); check the address (site.url) and the network"
        ) from error
    return parse(_text(file), site)


def _text(file: SiteFile) -> str:
    return file.body(_MAX_BYTES).decode("utf-8-sig", "replace")
