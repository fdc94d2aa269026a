"""Sitemaps: the site's own list of its pages, and when each last changed.

`resolved` tells what kind of source a site is: a website, a local folder, or a sitemap and what it lists. The site's
version is one string that differs when the site does: a digest of what sitemaps say where they say when each page
changed, elsewhere of the listed addresses and of the content of every page that is held.
"""

import asyncio
import io
import logging
import posixpath
import random
import re
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from lxml import etree

from acronis_pipeline.core.addresses import path_of
from acronis_pipeline.core.errors import SiteError
from acronis_pipeline.core.hashing import digest, digest_rows
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl.fetching.fetch import Ask, Fetcher, FetchError, RedirectRefusedError
from acronis_pipeline.crawl.fetching.scope import Scope
from acronis_pipeline.crawl.fetching.site_files import Robots, SiteFile, SiteFiles, anywhere, unpacked

_log = logging.getLogger(__name__)

MAX_FILES = 500
MAX_BYTES = 50 * 1024 * 1024
"""Of one file, unpacked: the limit in the sitemap protocol."""

_XHTML_LINK = "{http://www.w3.org/1999/xhtml}link"
_SITEMAP_NAME = re.compile(r".*\.xml(?:\.gz)?|.*sitemap.*\.txt(?:\.gz)?", re.IGNORECASE)
_CHARS = 40
"""Short enough for a Dagster tag value (63)."""


@dataclass(frozen=True)
class Listing:
    """One sitemap file.

    `pages` as (address, lastmod or None), `alternates` as (address, language) of their versions in several languages
    (`hreflang`), `files` that an index names.
    """

    pages: tuple[tuple[str, str | None], ...] = ()
    alternates: tuple[tuple[str, str], ...] = ()
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sitemap:
    """All pages within scope that the site lists, by canonical address, with `lastmod` where given.

    `alternates` are addresses on the site with the language that `hreflang` gives them, listed themselves or not.
    `outside` counts the entries that are not ours to crawl, by reason. Of the files that did not answer, `stale` were
    taken as they were last read, and of `failed` nothing is known.
    """

    pages: dict[str, str | None] = field(default_factory=dict)
    alternates: dict[str, str] = field(default_factory=dict)
    outside: dict[str, int] = field(default_factory=dict)
    stale: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()

    @property
    def tells_changes(self) -> bool:
        """Whether most entries say when their page changed; else only new and vanished pages can be seen in it."""
        return 2 * sum(lastmod is not None for lastmod in self.pages.values()) > len(self.pages)


def parse(body: bytes) -> Listing:
    """Read a sitemap, sitemap index or plain list of addresses, gzipped or not; anything else is an empty listing."""
    if body[:2] == b"\x1f\x8b":
        body = unpacked(body, MAX_BYTES)
    if not body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        lines = (line.strip() for line in body.decode("utf-8", "replace").splitlines())
        return Listing(pages=tuple((line, None) for line in lines if line.startswith(("http://", "https://"))))
    pages: list[tuple[str, str | None]] = []
    alternates: dict[tuple[str, str], None] = {}  # every language version repeats them all
    files: list[str] = []
    for entry in _entries(body):
        location = _text(entry, "{*}loc")
        if location is None:
            continue
        if etree.QName(entry).localname == "sitemap":
            files.append(location)
            continue
        pages.append((location, _text(entry, "{*}lastmod")))
        for link in entry.iterchildren(_XHTML_LINK):
            if link.get("rel") == "alternate" and link.get("href") and link.get("hreflang"):
                alternates[link.get("href").strip(), link.get("hreflang").strip()] = None
    return Listing(tuple(pages), tuple(alternates), tuple(files))


def read_file(path: Path) -> Listing:
    """Read a local sitemap, as far as a sitemap may be long; raises OSError if it cannot be read."""
    with path.open("rb") as file:
        return parse(file.read(MAX_BYTES))


def _entries(body: bytes) -> Iterator[etree._Element]:
    """The `url` and `sitemap` elements one by one: the tree of a file of 50 MB would take gigabytes."""
    tags = ("{*}url", "{*}sitemap")
    events = etree.iterparse(
        io.BytesIO(body.lstrip()), tag=tags, resolve_entities=False, no_network=True, huge_tree=False, recover=True
    )
    try:
        for _, entry in events:
            parent = entry.getparent()
            if parent is not None and etree.QName(parent).localname in {"urlset", "sitemapindex"}:
                yield entry
                entry.clear()
                while entry.getprevious() is not None:
                    del parent[0]
    except etree.XMLSyntaxError:
        return


def _text(entry: etree._Element, tag: str) -> str | None:
    child = next(entry.iterchildren(tag), None)
    return (child.text or "").strip() or None if child is not None else None


async def load(
    fetcher: Fetcher,
    scope: Scope,
    robots: Robots,
    files: SiteFiles,
    *,
    named: tuple[str, ...] = (),
    only_named: bool = False,
    until: float | None = None,
) -> Sitemap:
    """Read the sitemaps that robots.txt or the settings name and those at the usual places, and all they lead to.

    A sitemap that does not answer is taken as it was last read, or costs itself only. One on another host is read if
    robots.txt, the settings or an index there names it; what it lists must be on the site nevertheless.

    Parameters
    ----------
    named
        `site.sitemaps`, local files among them.
    only_named
        Whether these are all that is to be read.
    until
        Moment of the event loop's clock after which files are taken as they were last read. They are asked for in
        random order then, so that each has its turn now and then.
    """
    folder = scope.prefix[: scope.prefix.rfind("/") + 1]
    usual = dict.fromkeys([f"{scope.origin}/sitemap.xml", f"{scope.origin}{folder}sitemap.xml"])
    found = [] if only_named else [*robots.sitemaps, *(url for url in usual if robots.allows(url))]
    queue = deque(filter(None, (scope.canonical(url, scope.origin + "/") for url in [*named, *found])))
    hosts = {scope.netloc, *(urlsplit(url).netloc for url in queue)}
    asked: set[str] = set()
    gathered = _Gathered(scope)
    for listing in _local(named, gathered):
        queue.extend(filter(None, map(scope.canonical, listing.files)))
        hosts |= {urlsplit(url).netloc for url in queue}
        gathered.add(listing, scope.origin + "/")
    while queue and len(asked) < MAX_FILES:
        url = queue.popleft()
        if url in asked:
            continue
        asked.add(url)
        if urlsplit(url).netloc not in hosts:
            _log.warning("sitemap %s is on a host that nobody named; not read", url)
            continue
        listing = await _read(fetcher, files, url, until, gathered)
        children = list(filter(None, (scope.canonical(child, url) for child in listing.files)))
        if until is not None:
            random.shuffle(children)
        queue.extend(children)
        gathered.add(listing, url)
    if queue:
        _log.warning("sitemaps: stopped after %d files, %d were not read", MAX_FILES, len(queue))
        gathered.failed.extend(queue)
    return gathered.sitemap()


class _Gathered:
    """What the files read so far amount to."""

    def __init__(self, scope: Scope) -> None:
        self.stale: list[str] = []
        self.failed: list[str] = []
        self._scope = scope
        self._pages: dict[str, str | None] = {}
        self._alternates: dict[str, str] = {}
        self._outside: dict[str, str] = {}

    def add(self, listing: Listing, url: str) -> None:
        for location, lastmod in listing.pages:
            page = self._scope.canonical(location, url)
            reason = self._scope.why_not(page) if page else "not an address"
            if page and not reason:
                self._pages[page] = lastmod
            else:
                self._outside[page or location] = reason or ""
        for location, language in listing.alternates:
            page = self._scope.canonical(location, url)
            if page and language.lower() != "x-default" and self._scope.is_same_site(page):
                self._alternates[page] = language

    def sitemap(self) -> Sitemap:
        outside = dict(Counter(self._outside.values()))
        return Sitemap(self._pages, self._alternates, outside, tuple(self.stale), tuple(self.failed))


def _local(named: tuple[str, ...], gathered: _Gathered) -> Iterator[Listing]:
    for url in named:
        path = path_of(url)
        try:
            if path is not None:
                yield read_file(path)
        except OSError as error:
            _log.warning("sitemap %s: %s; not read", path, error.strerror)
            gathered.failed.append(url)


async def _read(fetcher: Fetcher, files: SiteFiles, url: str, until: float | None, gathered: _Gathered) -> Listing:
    try:
        async with asyncio.timeout_at(until):
            file = await files.ask(fetcher, url, Ask(hop=anywhere, max_bytes=MAX_BYTES))
    except RedirectRefusedError as error:
        _log.warning("sitemap %s %s; not read", url, error)
        return Listing()
    except (FetchError, TimeoutError) as error:
        kept = files.kept(url)
        why = str(error) or "no time left"
        if kept is None:
            _log.warning("sitemap %s: %s; not read", url, why)
            gathered.failed.append(url)
            return Listing()
        _log.info("sitemap %s: %s; taken as last read, %.1f h ago or later", url, why, kept.age_h)
        gathered.stale.append(url)
        return _parsed(kept)
    return _parsed(file)


def _parsed(file: SiteFile) -> Listing:
    return parse(file.packed) if file.status == 200 else Listing()


def resolved(site: SiteSettings) -> SiteSettings:
    """The site as it is crawled: of a folder or a sitemap only what is listed, of the latter from the host it lists.

    Raises
    ------
    SiteError
        `site.url` is a local file that is no sitemap.
    """
    if site.folder is not None:
        return site.model_copy(update={"follow_links": False})
    file = path_of(site.url)
    if file is None and not _SITEMAP_NAME.fullmatch(posixpath.basename(urlsplit(site.url).path)):
        return site
    host = _listed_host(file) if file else urljoin(site.url, "/")
    prefix = site.path_prefix or "/"
    return site.model_copy(update={"url": host, "path_prefix": prefix, "sitemaps": (site.url,), "follow_links": False})


def _listed_host(file: Path) -> str:
    """The front page of the host that most entries of a local sitemap are on."""
    try:
        listing = read_file(file)
    except OSError as error:
        raise SiteError(f"sitemap {file} cannot be read ({error.strerror}); check the path (site.url)") from error
    parts = (urlsplit(url) for url in [*(url for url, _ in listing.pages), *listing.files])
    hosts = Counter(f"{part.scheme}://{part.netloc}/" for part in parts if part.scheme in {"http", "https"})
    if not hosts:
        raise SiteError(f"{file} lists no web address; site.url takes a folder, a sitemap, or https://host/path")
    return hosts.most_common(1)[0][0]


def from_sitemap(sitemap: Sitemap, seen: Mapping[str, str] | None = None) -> str | None:
    """Version by addresses and modification times, and what was `seen` to differ beside these.

    None where the sitemaps do not tell changes.
    """
    if not sitemap.pages or not sitemap.tells_changes:
        return None
    return f"sitemap-{digest(digest_rows(sitemap.pages.items()), digest_rows((seen or {}).items()))[:_CHARS]}"


def from_pages(sitemap: Sitemap, contents: Mapping[str, str]) -> str:
    """Version by the addresses that are listed, if any, and the content hash of each page."""
    return f"pages-{digest(digest_rows((url,) for url in sitemap.pages), digest_rows(contents.items()))[:_CHARS]}"
