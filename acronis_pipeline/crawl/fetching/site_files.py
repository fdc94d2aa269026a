"""robots.txt and sitemaps, kept between crawls: asking again costs a 304, and a short outage of theirs is bridged."""

import datetime as dt
import gzip
import zlib
from dataclasses import dataclass, replace

import pyarrow as pa

from acronis_pipeline.crawl.fetching.fetch import Ask, Fetcher, FetchError
from acronis_pipeline.crawl.fetching.urls import canonical
from acronis_pipeline.store import Store, tables

_GZIP = b"\x1f\x8b"


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

    def validators(self) -> dict[str, str]:
        headers = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in headers.items() if value}

    def body(self, max_bytes: int) -> bytes:
        """The unpacked body, cut at `max_bytes`; empty if it is no gzip after all."""
        return unpacked(self.packed, max_bytes)


class SiteFiles:
    """The files of one site. Learns while it is asked; `save` writes what is new, which mostly is nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store
        rows = store.read(tables.SITE_FILES).rename_columns({"body": "packed"}).to_pylist()
        self._kept = {row["url"]: SiteFile(**row) for row in rows}
        self._new: dict[str, SiteFile] = {}
        self.answered = 0
        """Requests that were answered."""

    def kept(self, url: str) -> SiteFile | None:
        """The file as it was last read, by its address after redirects."""
        return self._kept.get(url)

    async def ask(self, fetcher: Fetcher, url: str, ask: Ask) -> SiteFile:
        """The file as it is now, asked for conditionally.

        Raises
        ------
        FetchError
            No answer, or one that says nothing about the file (5xx, 429).
        RedirectRefusedError
            See `Fetcher.get`.
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
        file = SiteFile(
            answer.url, now, answer.status, headers.get("etag"), headers.get("last-modified"), _packed(answer.body)
        )
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
        return kept.validators() if kept and kept.status == 200 else {}


def anywhere(location: str, base: str) -> tuple[str, str | None]:
    """Where a redirect of such a file may lead (see `fetch.Ask`): any host; the fetcher keeps private ones out."""
    target = canonical(location, base)
    return target or location, None if target else "not an address"


def unpacked(body: bytes, max_bytes: int) -> bytes:
    """A gzipped body, unpacked up to `max_bytes`; empty if it is broken."""
    try:
        return zlib.decompressobj(wbits=31).decompress(body, max_bytes)
    except zlib.error:
        return b""


def _packed(body: bytes) -> bytes:
    return body if body.startswith(_GZIP) else gzip.compress(body, mtime=0)
