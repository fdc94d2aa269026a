"""Sitemaps: the site's own list of its pages, and when each last changed.

`resolved` tells what kind of source a site is: a website, a local folder, or a sitemap and what it lists. The site's
version is one string that differs when the site does: a digest of what sitemaps say where they say when each page
changed, elsewhere of the listed addresses and of the content of every page that is held.
"""

import asyncio
import html.entities
import io
import logging
import posixpath
import random
import re
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from lxml import etree

from acronis_pipeline.core import charset
from acronis_pipeline.core.addresses import path_of
from acronis_pipeline.core.errors import SiteError
from acronis_pipeline.core.hashing import digest, digest_rows
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl.fetching.fetch import Ask, Fetcher, FetchError, RedirectRefusedError
from acronis_pipeline.crawl.fetching.scope import Scope
from acronis_pipeline.crawl.fetching.site_files import Robots, SiteFiles, anywhere, unpacked

_log = logging.getLogger(__name__)

UNREAD = "sitemap"
"""What went wrong with one follows, where reasons are counted."""
MAX_FILES = 500
MAX_BYTES = 50 * 1024 * 1024
"""Of one file, unpacked: the limit in the sitemap protocol."""

MAX_ENTRIES = 200_000
"""Of one file; the protocol allows 50,000."""
MAX_TOTAL_BYTES = 10 * MAX_BYTES
"""Of all files of a site together, as they came."""
MIN_KEPT = 10_000
KEPT_PER_PAGE = 8
"""Entries kept of all files together, per page of `site.max_pages`: a crawl asks for four addresses a page at most."""

_DECLARED = re.compile(rb"\s*<\?xml[^>]*\bencoding\s*=\s*[\"']([\w.:-]+)")
_ROOT = re.compile(rb"<((?:[\w.-]+:)?(?:urlset|sitemapindex|rss|feed|RDF))\b")
_HTML = re.compile(rb"^\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S)
_END_TAG = re.compile(rb"</[^<>]*>")
_TAIL_BYTES = 65_536
_TAKEN_DOWN = frozenset({404, 410})
_AMPERSAND = re.compile(
    rb"<!\[CDATA\[.*?\]\]>|&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[\da-fA-F]+);)([a-zA-Z][a-zA-Z0-9]*(?=;)|)(;?)", re.S
)
_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_XHTML_LINK = "{http://www.w3.org/1999/xhtml}link"
_SITEMAP_NAME = re.compile(r".*\.xml(?:\.gz)?|.*sitemap.*\.txt(?:\.gz)?", re.IGNORECASE)
_CHARS = 40
"""Short enough for a Dagster tag value (63)."""


@dataclass(frozen=True)
class Listing:
    """One sitemap file.

    `pages` as (address, lastmod or None), `alternates` as (address, language) of their versions in several languages
    (`hreflang`), `files` that an index names. `problem` says in words fit for counting why this is not all that the
    file has to say, or why it is no sitemap.
    """

    pages: tuple[tuple[str, str | None], ...] = ()
    alternates: tuple[tuple[str, str], ...] = ()
    files: tuple[str, ...] = ()
    problem: str | None = None

    @property
    def says_something(self) -> bool:
        return bool(self.pages or self.files)


@dataclass(frozen=True)
class Sitemap:
    """All pages within scope that the site lists, by canonical address, with `lastmod` where given.

    `alternates` are addresses on the site with the language that `hreflang` gives them, listed themselves or not.
    `outside` counts the entries that are not ours to crawl, by reason. Of the files that did not answer, `stale` were
    taken as they were last read; of `failed` (address: why) nothing is known, or not all.
    """

    pages: dict[str, str | None] = field(default_factory=dict)
    alternates: dict[str, str] = field(default_factory=dict)
    outside: dict[str, int] = field(default_factory=dict)
    stale: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def tells_changes(self) -> bool:
        """Whether most entries say when their page changed; else only new and vanished pages can be seen in it."""
        return 2 * sum(lastmod is not None for lastmod in self.pages.values()) > len(self.pages)


def parse(body: bytes) -> Listing:
    """Read a sitemap, sitemap index, feed or plain list of addresses, in whatever charset, gzipped or not.

    What is none says so in `Listing.problem`, and so does one that ends too early, beside what there is of it.
    """
    text = unpacked(body, MAX_BYTES)
    if body and not text:
        return Listing(problem="gzip that cannot be unpacked")
    declared = _DECLARED.match(text)
    xml = charset.decode(text, (declared[1].decode("ascii"),) if declared else ()).encode("utf-8", "replace")
    root = _ROOT.search(xml)
    if root is None or _HTML.search(xml, 0, root.start()):
        return _plain_list(xml)
    return _parsed_xml(xml[max(xml.rfind(b"<?xml", 0, root.start()), 0) :], root)


def _plain_list(text: bytes) -> Listing:
    if _HTML.search(text):
        return Listing(problem="HTML and no sitemap")
    if not text.strip():
        return Listing(problem="empty")
    lines = (line.strip() for line in text.decode("utf-8", "replace").splitlines())
    pages = tuple((line, None) for line in lines if line.startswith(("http://", "https://")))
    return Listing(pages=pages[:MAX_ENTRIES], problem=None if pages else "no address in it")


def _parsed_xml(xml: bytes, root: re.Match[bytes]) -> Listing:
    ended = xml.rfind(b"</" + root[1]) >= 0 or xml[xml.find(root[0]) :].partition(b">")[0].endswith(b"/")
    if not ended:
        # What follows the last complete element may be half an address.
        xml = xml[: max((end.end() for end in _END_TAG.finditer(xml, max(len(xml) - _TAIL_BYTES, 0))), default=0)]
    pages: list[tuple[str, str | None]] = []
    alternates: dict[tuple[str, str], None] = {}  # every language version repeats them all
    files: list[str] = []
    for entry in _entries(_mended(xml)):
        kind = etree.QName(entry).localname
        location = _link(entry) if kind in {"item", "entry"} else _text(entry, "{*}loc")
        if location is None:
            continue
        location = location.replace("&amp;", "&")  # escaped twice, as some generators do
        if kind == "sitemap":
            files.append(location)
            continue
        pages.append((location, _text(entry, "{*}lastmod")))
        for link in entry.iterchildren(_XHTML_LINK):
            if link.get("rel") == "alternate" and link.get("href") and link.get("hreflang"):
                alternates[link.get("href").strip(), link.get("hreflang").strip()] = None
        if len(pages) == MAX_ENTRIES:
            return Listing(tuple(pages), tuple(alternates), tuple(files), f"more than {MAX_ENTRIES:,} entries")
    problem = None if ended else "cut off"
    if not (pages or files) and ended and b"://" in xml[xml.find(b">", xml.find(root[0])) :]:
        problem = "no entry that can be read"
    return Listing(tuple(pages), tuple(alternates), tuple(files), problem)


def _mended(xml: bytes) -> bytes:
    """XML with what a parser would stumble over: bare ampersands, entities of HTML, control characters."""

    def escaped(found: re.Match[bytes]) -> bytes:
        name = found[1]
        if name is None:
            return found[0]  # CDATA
        character = html.entities.html5.get(f"{name.decode('ascii', 'replace')};")
        return character.encode("ascii", "xmlcharrefreplace") if character else b"&amp;" + name + found[2]

    return _AMPERSAND.sub(escaped, _CONTROLS.sub(b"", xml))


def read_file(path: Path) -> Listing:
    """Read a local sitemap, as far as a sitemap may be long; raises OSError if it cannot be read."""
    with path.open("rb") as file:
        return parse(file.read(MAX_BYTES))


_PARENTS = {"url": "urlset", "sitemap": "sitemapindex", "item": "channel RDF", "entry": "feed"}


def _entries(xml: bytes) -> Iterator[etree._Element]:
    """The entries one by one: the tree of a file of 50 MB would take gigabytes."""
    tags = [f"{{*}}{name}" for name in _PARENTS]
    options: dict[str, Any] = {"resolve_entities": False, "no_network": True, "huge_tree": False, "recover": True}
    events = etree.iterparse(io.BytesIO(xml.lstrip()), tag=tags, encoding="utf-8", **options)
    try:
        for _, entry in events:
            parent = entry.getparent()
            if parent is not None and etree.QName(parent).localname in _PARENTS[etree.QName(entry).localname].split():
                yield entry
                entry.clear()
                while entry.getprevious() is not None:
                    del parent[0]
    except etree.XMLSyntaxError:
        return


def _text(entry: etree._Element, tag: str) -> str | None:
    child = next(entry.iterchildren(tag), None)
    return (child.text or "").strip() or None if child is not None else None


def _link(entry: etree._Element) -> str | None:
    """The page of an entry of a feed: RSS names it as text, Atom as an attribute."""
    for link in entry.iterchildren("{*}link"):
        if link.get("rel", "alternate") == "alternate" and (found := link.get("href") or (link.text or "").strip()):
            return found
    return None


async def load(
    fetcher: Fetcher,
    scope: Scope,
    robots: Robots,
    files: SiteFiles,
    *,
    named: tuple[str, ...] = (),
    only_named: bool = False,
    max_pages: int,
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
    max_pages
        `site.max_pages`: of a site that lists far more, only the beginning is kept.
    until
        Moment of the event loop's clock after which files are taken as they were last read. They are asked for in
        random order then, so that each has its turn now and then.
    """
    folder = scope.prefix[: scope.prefix.rfind("/") + 1]
    usual = dict.fromkeys([f"{scope.origin}/sitemap.xml", f"{scope.origin}{folder}sitemap.xml"])
    told = [*named, *(() if only_named else robots.sitemaps)]
    found = [] if only_named else [url for url in usual if robots.allows(url)]
    named_ones, guessed = (
        [spelt for url in urls if (spelt := scope.canonical(url, scope.origin + "/"))] for urls in (told, found)
    )
    queue = deque([*named_ones, *guessed])
    hosts = {scope.netloc, *(urlsplit(url).netloc for url in queue)}
    asked: set[str] = set()
    gathered = _Gathered(scope, max(MIN_KEPT, KEPT_PER_PAGE * max_pages))
    for listing, path in _local(named, gathered):
        queue.extend(filter(None, map(scope.canonical, listing.files)))
        hosts |= {urlsplit(url).netloc for url in queue}
        gathered.add(listing, scope.origin + "/")
        gathered.note(path, listing.problem)
    while queue and len(asked) < MAX_FILES and files.size_bytes < MAX_TOTAL_BYTES and not gathered.is_full:
        url = queue.popleft()
        if url in asked:
            continue
        asked.add(url)
        if urlsplit(url).netloc not in hosts:
            gathered.note(url, "on a host that nobody named")
            continue
        listing = await _read(fetcher, files, url, until, gathered, only_guessed=url not in named_ones)
        children = list(filter(None, (scope.canonical(child, url) for child in listing.files)))
        if until is not None:
            random.shuffle(children)
        named_ones.extend(children)
        queue.extend(children)
        gathered.add(listing, url)
    if unread := [url for url in queue if url not in asked]:
        limit = "entries" if gathered.is_full else "files" if len(asked) == MAX_FILES else "bytes"
        _log.warning("sitemaps: stopped after %d files (too many %s), %d were not read", len(asked), limit, len(unread))
        gathered.failed |= dict.fromkeys(unread, f"too many {limit} before it")
    return gathered.sitemap()


class _Gathered:
    """What the files read so far amount to, up to `most` pages."""

    def __init__(self, scope: Scope, most: int) -> None:
        self.stale: list[str] = []
        self.failed: dict[str, str] = {}
        self._scope, self._most = scope, most
        self._pages: dict[str, str | None] = {}
        self._alternates: dict[str, str] = {}
        self._outside: dict[str, str] = {}

    @property
    def is_full(self) -> bool:
        return len(self._pages) >= self._most

    def note(self, url: str, problem: str | None) -> None:
        """A file that cannot be read, or not to its end, is named; what it lists is no longer known."""
        if problem:
            _log.warning("sitemap %s: %s; what it lists is not known", url, problem)
            self.failed[url] = problem

    def note_taken_down(self, url: str, status: int) -> None:
        """A clear word of the site: what the file listed is not listed any more."""
        _log.warning("sitemap %s: HTTP %d; it lists nothing", url, status)
        self._outside[url] = f"{UNREAD}: HTTP {status}"

    def add(self, listing: Listing, url: str) -> None:
        for location, lastmod in listing.pages:
            page = self._scope.canonical(location, url)
            reason = self._scope.why_not(page) if page else "not an address"
            if page and not reason and (page in self._pages or not self.is_full):
                self._pages[page] = lastmod
            elif page and not reason:
                self.note(url, f"more than {self._most:,} pages are listed (site.max_pages)")
                break
            elif len(self._outside) < self._most:
                self._outside[page or location] = reason or ""
        for location, language in listing.alternates:
            page = self._scope.canonical(location, url)
            if len(self._alternates) >= MAX_ENTRIES:
                break
            if page and language.lower() != "x-default" and self._scope.is_same_site(page):
                self._alternates[page] = language

    def sitemap(self) -> Sitemap:
        outside = dict(Counter(self._outside.values()))
        return Sitemap(self._pages, self._alternates, outside, tuple(self.stale), self.failed)


def _local(named: tuple[str, ...], gathered: _Gathered) -> Iterator[tuple[Listing, str]]:
    for url in named:
        path = path_of(url)
        try:
            if path is not None:
                yield read_file(path), str(path)
        except OSError as error:
            gathered.note(str(path), error.strerror or "cannot be opened")


async def _read(
    fetcher: Fetcher, files: SiteFiles, url: str, until: float | None, gathered: _Gathered, *, only_guessed: bool
) -> Listing:
    """What a file lists. One that nobody named, where there is no sitemap, is no failure."""
    try:
        async with asyncio.timeout_at(until):
            file = await files.ask(fetcher, url, Ask(hop=anywhere, max_bytes=MAX_BYTES))
    except RedirectRefusedError as error:
        gathered.note(url, str(error))
        return Listing()
    except (FetchError, TimeoutError) as error:
        kept = files.kept(url)
        why = error.reason if isinstance(error, FetchError) else "no time left"
        if kept is None:
            gathered.note(url, why)
            return Listing()
        _log.info("sitemap %s: %s; taken as last read, %.1f h ago or later", url, why, kept.age_h)
        gathered.stale.append(url)
        return parse(kept.packed) if kept.status == 200 else Listing()
    if file.status in _TAKEN_DOWN:
        if not only_guessed:
            gathered.note_taken_down(url, file.status)
        return Listing()
    if file.status != 200:
        if not only_guessed:
            gathered.note(url, f"HTTP {file.status}")
        return Listing()
    listing = await asyncio.to_thread(parse, file.packed)
    if listing.says_something or not only_guessed:
        gathered.note(url, listing.problem)
    return listing


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
        why = f" ({listing.problem})" if listing.problem else ""
        raise SiteError(f"{file} lists no web address{why}; site.url takes a folder, a sitemap, or https://host/path")
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
