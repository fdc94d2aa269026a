"""One page, looked at as a crawl would: fetched politely or read from a file, and judged; nothing is stored."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx2

from acronis_pipeline.content import Content, Removed, extract
from acronis_pipeline.core.errors import SiteError
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl.fetching.fetch import Answer, Ask, Fetcher, FetchError, RedirectRefusedError
from acronis_pipeline.crawl.fetching.guard import HostNotFoundError, private_site
from acronis_pipeline.crawl.fetching.pace import Pace
from acronis_pipeline.crawl.fetching.scope import Scope
from acronis_pipeline.crawl.fetching.site_files import SiteFiles, load_robots
from acronis_pipeline.crawl.judging import verdict
from acronis_pipeline.crawl.judging.formats import Formats, media_type_of_file
from acronis_pipeline.crawl.judging.non_pages import NOTHING_LEARNT, SoftNotFound, learn
from acronis_pipeline.crawl.judging.verdict import Languages
from acronis_pipeline.crawl.running.session import run
from acronis_pipeline.store import Store

_NOWHERE = "http://localhost/"
"""Where a file stands whose address nobody told."""


@dataclass(frozen=True)
class Seen:
    """A page at `url` (after redirects), what its media type is, and its content."""

    url: str
    media_type: str
    content: Content


def look(where: str, site: SiteSettings, *, url: str | None = None) -> Seen:
    """Read one page.

    Parameters
    ----------
    where
        An http(s) address, or a file.
    site
        How to ask and to read: user agent, formats, languages, `content_selector`. What is in scope does not matter.
    url
        The address of a file, for its relative links.

    Raises
    ------
    SiteError
        There is no such file or answer, robots.txt forbids it, or it is no page: a crawl's reason is named.
    """
    if urlsplit(where).scheme in {"http", "https"}:
        if url is not None:
            raise SiteError(f"{where} is an address itself; leave out --url")
        site = _anywhere_on(where, site)
        answer, not_found = run(_fetched(where, site))
    else:
        path = Path(where).expanduser()
        site = _anywhere_on(url or _NOWHERE + quote(path.name), site)
        answer, not_found = _of_file(path, site), NOTHING_LEARNT
    return _read(answer, site, not_found, where)


def _anywhere_on(url: str, site: SiteSettings) -> SiteSettings:
    everything = {"path_prefix": "/", "include": (), "exclude": (), "published_at": None}
    return site.model_copy(update={"url": url, **everything})


def _of_file(path: Path, site: SiteSettings) -> Answer:
    try:
        body = path.read_bytes()
    except OSError as error:
        raise SiteError(
            f"{path} cannot be read ({error.strerror or error}); name a file, or an address that begins with https://"
        ) from error
    address = Scope.of(site).canonical(site.url) or site.url
    media_type = media_type_of_file(path.name) or "text/plain"  # which is looked at: it may be HTML
    return Answer(address, 200, httpx2.Headers({"content-type": media_type}), body)


async def _fetched(url: str, site: SiteSettings) -> tuple[Answer, SoftNotFound]:
    scope, formats = Scope.of(site), Formats(site)
    asked = scope.canonical(url) or url
    parts = urlsplit(scope.origin)
    try:
        private = await private_site(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
    except HostNotFoundError as error:
        raise SiteError(f"{url}: {error}; check the address and the network") from error
    pace = Pace(site.delay_s, site.concurrency)
    with tempfile.TemporaryDirectory() as folder:
        async with Fetcher(site, private_site=private, pace=pace) as fetcher:
            robots = await load_robots(fetcher, scope, site, SiteFiles(Store(folder)), max_age_h=0.0)
            pace.delay_s = max(site.delay_s, robots.delay_s)
            if not robots.allows(asked):
                raise SiteError(f"{url}: robots.txt does not allow {robots.agent} to ask for it")
            try:
                answer = await fetcher.get(asked, Ask(scope.redirect, reads=formats.reads, cap=formats.cap))
            except RedirectRefusedError as error:
                raise SiteError(f"{url} redirects to {error.target}, on another site; look at that address") from error
            except FetchError as error:
                raise SiteError(f"{url} cannot be fetched ({error}); check the address and the network") from error
            return answer, await learn(fetcher, scope, robots.allows, None)


def _read(answer: Answer, site: SiteSettings, not_found: SoftNotFound, where: str) -> Seen:
    scope, formats = Scope.of(site), Formats(site)
    contents: list[Content] = []

    def extracting(html: str, *, url: str, selector: str | None = None) -> Content:
        contents.append(extract(html, url=url, selector=selector))
        return contents[-1]

    if found := verdict.of_answer(answer, formats):
        raise SiteError(f"{where} gives no page: {found.reason}")
    reading = verdict.read(
        answer,
        site,
        scope,
        languages=Languages(site.languages),
        formats=formats,
        not_found=not_found,
        extracting=extracting,
    )
    if reading.no_page:
        taken = ", ".join(f"{one.rule} ({one.count}: {one.samples[0]})" for one in _with_samples(contents))
        raise SiteError(f"{where} gives no page: {reading.no_page}" + (f"; taken out of it: {taken}" if taken else ""))
    return Seen(answer.url, reading.media_type, contents[-1])


def _with_samples(contents: list[Content]) -> list[Removed]:
    return [one for content in contents[-1:] for one in content.removed if one.samples]
