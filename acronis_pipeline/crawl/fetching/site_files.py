"""robots.txt (RFC 9309): what we may ask for, and how often; how such files are kept between crawls, sitemaps too.

Asking again costs a 304, and a short outage of theirs is bridged.
"""

import datetime as dt
import gzip
import logging
import zlib
from dataclasses import dataclass, replace

import pyarrow as pa
from protego import Protego

from acronis_pipeline.core import charset
from acronis_pipeline.core.errors import SiteDownError
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl.fetching.fetch import Ask, Fetcher, FetchError, RedirectRefusedError, conditional
from acronis_pipeline.crawl.fetching.scope import Scope
from acronis_pipeline.crawl.fetching.urls import canonical
from acronis_pipeline.store import Store, tables

_log = logging.getLogger(__name__)

_GZIP = b"\x1f\x8b"
_MAX_LAYERS = 3
_PIECE_BYTES = 65_536
_MAX_ROBOTS_BYTES = 512 * 1024
"""RFC 9309 asks for at least 500 KiB; what comes after is ignored."""


@dataclass(frozen=True)
class SiteFile:
    """What a file was when it was last read. `packed` is its body, gzipped (as it came, if it came that way)."""

    url: str
    asked_at: dt.datetime
    status: int
    etag: str | None
    last_modified: str | None
    packed: bytes

    @property
    def age_h(self) -> float:
        return (dt.datetime.now(dt.UTC) - self.asked_at).total_seconds() / 3600


class SiteFiles:
    """The files of one site. Learns while it is asked; `save` writes what is new, which mostly is nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store
        rows = store.read(tables.SITE_FILES).rename_columns({"body": "packed"}).to_pylist()
        self._kept = {row["url"]: SiteFile(**row) for row in rows}
        self._new: dict[str, SiteFile] = {}
        self.answered = self.size_bytes = 0
        """Requests that were answered, and the bytes of their bodies."""

    def kept(self, url: str) -> SiteFile | None:
        """The file as it was last read, by its address after redirects."""
        return self._kept.get(url)

    async def ask(self, fetcher: Fetcher, url: str, ask: Ask) -> SiteFile:
        """The file as it is now, asked for conditionally.

        Raises as `Fetcher.get` does, and FetchError for an answer that says nothing about the file (5xx, 429).
        """
        answer = await fetcher.get(url, replace(ask, validators=self._validators))
        if answer.status >= 500 or answer.status == 429:
            raise FetchError(f"HTTP {answer.status}")
        self.answered += 1
        now = dt.datetime.now(dt.UTC)
        before = self.kept(answer.url)
        if answer.status == 304 and before:
            return replace(before, asked_at=now)
        headers = answer.headers
        body = answer.body if answer.body.startswith(_GZIP) else gzip.compress(answer.body, mtime=0)
        self.size_bytes += len(answer.body)
        file = SiteFile(answer.url, now, answer.status, headers.get("etag"), headers.get("last-modified"), body)
        if before is None or replace(before, asked_at=now) != file:
            self.keep(file)
        return file

    def keep(self, file: SiteFile) -> None:
        """Remember a file, or only that it was asked for now."""
        self._kept[file.url] = self._new[file.url] = file

    def save(self) -> None:
        """Write what is new since the last time."""
        if self._new:
            rows = pa.Table.from_pylist([vars(file) for file in self._new.values()]).rename_columns({"packed": "body"})
            self._store.upsert(tables.SITE_FILES, rows)
            self._new = {}

    def _validators(self, url: str) -> dict[str, str]:
        kept = self.kept(url)
        return conditional(kept.etag, kept.last_modified) if kept and kept.status == 200 else {}


def anywhere(location: str, base: str) -> tuple[str, str | None]:
    """Where a redirect of such a file may lead (see `fetch.Ask`): any host; the fetcher keeps private ones out."""
    target = canonical(location, base)
    return target or location, None if target else "not an address"


def unpacked(body: bytes, max_bytes: int) -> bytes:
    """A body up to `max_bytes` without its gzip layers, of which a server may add one; what there is of a broken one.

    A body that is not gzip is returned as it is, whatever its name says.
    """
    for _ in range(_MAX_LAYERS):
        if not body.startswith(_GZIP):
            break
        body = _without_layer(body, max_bytes)
    return body[:max_bytes]


def _without_layer(body: bytes, max_bytes: int) -> bytes:
    found = bytearray()
    while body.startswith(_GZIP) and len(found) < max_bytes:  # files may be packed in several pieces
        inner = zlib.decompressobj(wbits=31)
        view = memoryview(body)
        try:
            for start in range(0, len(body), _PIECE_BYTES):
                found += inner.decompress(view[start : start + _PIECE_BYTES], max_bytes - len(found) or 1)
                if inner.eof or len(found) >= max_bytes:
                    break
        except zlib.error:
            break
        if not inner.eof:
            break
        body = inner.unused_data + bytes(view[start + _PIECE_BYTES :])
    return bytes(found)


@dataclass(frozen=True)
class Robots:
    """The rules that apply to us. `delay_s` is the robots' wish, already cut to what the settings accept."""

    rules: Protego
    agent: str
    delay_s: float
    sitemaps: tuple[str, ...]

    def allows(self, url: str) -> bool:
        return self.rules.can_fetch(url, self.agent)


def parse_robots(text: str, site: SiteSettings) -> Robots:
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


async def load_robots(
    fetcher: Fetcher, scope: Scope, site: SiteSettings, files: SiteFiles, *, max_age_h: float
) -> Robots:
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
        return parse_robots(_text(kept), site)
    try:
        file = await files.ask(fetcher, url, Ask(hop=anywhere, max_bytes=_MAX_ROBOTS_BYTES))
        files.keep(file)  # unchanged or not: when it was asked for is what makes it fresh
    except RedirectRefusedError as error:
        _log.warning("%s %s; taken as absent", url, error)
        return parse_robots("", site)
    except FetchError as error:
        if error.reason == "too many redirects":
            return parse_robots("", site)
        if kept and kept.age_h < site.robots_cache_h:
            _log.warning("%s: %s; obeying the copy that is %.1f h old", url, error, kept.age_h)
            return parse_robots(_text(kept), site)
        if error.reason.startswith("HTTP "):
            raise SiteDownError(
                f"{url} answers {error}, so the site has not said what may be crawled; try again later"
            ) from error
        raise SiteDownError(
            f"{scope.origin} cannot be reached ({error}); check the address (site.url) and the network"
        ) from error
    return parse_robots(_text(file), site)


def _text(file: SiteFile) -> str:
    return charset.decode(unpacked(file.packed, _MAX_ROBOTS_BYTES))
