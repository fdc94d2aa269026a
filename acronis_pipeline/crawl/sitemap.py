"""Sitemaps: the site's own list of its pages, and when each last changed."""

import logging
import zlib
from collections import Counter, deque
from dataclasses import dataclass, field

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] -- a C extension without stubs

from acronis_pipeline.crawl.fetch import Ask, Fetcher, FetchError, RedirectRefusedError
from acronis_pipeline.crawl.robots import Robots
from acronis_pipeline.crawl.urls import Scope

_log = logging.getLogger(__name__)

MAX_FILES = 500
MAX_BYTES = 50 * 1024 * 1024
"""Of one file, unpacked: the limit in the sitemap protocol."""


@dataclass(frozen=True)
class Listing:
    """One sitemap file: `pages` as (address, lastmod or None), `files` that an index names."""

    pages: tuple[tuple[str, str | None], ...] = ()
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sitemap:
    """All pages within scope that the site lists, by canonical address, with `lastmod` where given.

    `outside` counts the entries that are not ours to crawl, by reason; `failed` are files that exist, perhaps, but did
    not answer.
    """

    pages: dict[str, str | None] = field(default_factory=dict)
    outside: dict[str, int] = field(default_factory=dict)
    failed: tuple[str, ...] = ()

    @property
    def tells_changes(self) -> bool:
        """Whether most entries say when their page changed; else only new and vanished pages can be seen in it."""
        return 2 * sum(lastmod is not None for lastmod in self.pages.values()) > len(self.pages)


def parse(body: bytes) -> Listing:
    """Read a sitemap, sitemap index or plain list of addresses, gzipped or not; anything else is an empty listing."""
    if body[:2] == b"\x1f\x8b":
        body = _unpacked(body)
    if not body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        lines = (line.strip() for line in body.decode("utf-8", "replace").splitlines())
        return Listing(pages=tuple((line, None) for line in lines if line.startswith(("http://", "https://"))))
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, recover=True)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError:
        return Listing()
    if root is None:
        return Listing()
    kind = etree.QName(root).localname.lower()
    entries = [(_child(entry, "loc"), _child(entry, "lastmod")) for entry in root if isinstance(entry.tag, str)]
    located = tuple((loc, lastmod) for loc, lastmod in entries if loc)
    if kind == "sitemapindex":
        return Listing(files=tuple(loc for loc, _ in located))
    return Listing(pages=located) if kind == "urlset" else Listing()


def _unpacked(body: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(body, MAX_BYTES)
    except zlib.error:
        return b""


def _child(entry: etree._Element, name: str) -> str | None:
    for child in entry:
        if isinstance(child.tag, str) and etree.QName(child).localname.lower() == name:
            return (child.text or "").strip() or None
    return None


async def load(fetcher: Fetcher, scope: Scope, robots: Robots) -> Sitemap:
    """Read the sitemaps that robots.txt names and those at the usual places, with everything they lead to.

    A sitemap that fails costs itself only; sitemaps on other hosts are not asked for.
    """
    folder = scope.prefix[: scope.prefix.rfind("/") + 1]
    usual = dict.fromkeys([f"{scope.origin}/sitemap.xml", f"{scope.origin}{folder}sitemap.xml"])
    queue = deque(dict.fromkeys([*robots.sitemaps, *(url for url in usual if robots.allows(url))]))
    asked: set[str] = set()
    failed: list[str] = []
    pages: dict[str, str | None] = {}
    outside: dict[str, str] = {}
    while queue and len(asked) < MAX_FILES:
        url = scope.canonical(queue.popleft(), scope.origin + "/")
        if url is None or url in asked:
            continue
        asked.add(url)
        try:
            listing = await _read(fetcher, scope, url)
        except FetchError as error:
            _log.warning("sitemap %s: %s; not read", url, error)
            failed.append(url)
            continue
        queue.extend(listing.files)
        for location, lastmod in listing.pages:
            page = scope.canonical(location, url)
            reason = scope.why_not(page) if page else "not an address"
            if page and not reason:
                pages[page] = lastmod
            else:
                outside[page or location] = reason or ""
    if queue:
        _log.warning("sitemaps: stopped after %d files, %d were not read", MAX_FILES, len(queue))
    return Sitemap(pages, dict(Counter(outside.values())), tuple(failed))


async def _read(fetcher: Fetcher, scope: Scope, url: str) -> Listing:
    if not scope.is_same_site(url):
        _log.warning("sitemap %s is on another host; not read", url)
        return Listing()
    try:
        answer = await fetcher.get(url, Ask(hop=scope.redirect, max_bytes=MAX_BYTES))
    except RedirectRefusedError as error:
        _log.warning("sitemap %s %s; not read", url, error)
        return Listing()
    if answer.status >= 500 or answer.status == 429:
        raise FetchError(f"HTTP {answer.status}")
    if answer.truncated:
        _log.warning("sitemap %s is larger than %d bytes; only its beginning was read", url, MAX_BYTES)
    return parse(answer.body)
