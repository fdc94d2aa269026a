"""What differs between a site as it shows itself now and as it was last crawled."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from acronis_pipeline.core.hashing import digest_rows
from acronis_pipeline.crawl.fetching.sitemap import Sitemap
from acronis_pipeline.crawl.memory.plan import History, latest, vouches
from acronis_pipeline.store import Store, tables

_SIGNATURE_CHARS = 40
"""Fits a Dagster tag value (63)."""


@dataclass(frozen=True)
class SiteChanges:
    """What a quick look found.

    `changed`, `added` and `removed` are the addresses that a crawl should ask for, and `seen` says of each what was
    seen there (a lastmod, a content hash, a status …). `version` is the site's, see `crawl.version`. `n_urls` are the
    entries of the sitemaps, or the pages held where these tell no changes (`basis`); `n_sampled` pages answered a
    conditional request. `position` is where the next look goes on sampling. `stale` are sitemaps that did not answer.
    """

    changed: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    version: str
    basis: Literal["sitemap", "pages"]
    n_urls: int
    n_sampled: int
    requests: int
    duration_s: float
    position: str = ""
    stale: tuple[str, ...] = ()
    seen: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def urls(self) -> tuple[str, ...]:
        """Every address that differs, sorted."""
        return tuple(sorted(self.seen))

    @property
    def signature(self) -> str:
        """The same exactly when the same addresses differ in the same way."""
        return signature(self.seen)


def signature(seen: Mapping[str, str]) -> str:
    """Digest of addresses and what was seen there, 40 hex characters."""
    return digest_rows(seen.items())[:_SIGNATURE_CHARS]


class Page(NamedTuple):
    """A live page, as far as a quick look needs it."""

    content_hash: str
    extractor: str | None
    etag: str | None
    last_modified: str | None
    depth: int
    from_sitemap: bool
    missing: bool


class Visit(NamedTuple):
    """When an address was last asked for, and what the sitemap said of it then."""

    asked_at: dt.datetime | None
    lastmod: str | None


@dataclass(frozen=True)
class Baseline:
    """The site as it was last crawled: live pages, and visits to every address ever asked for.

    `lastmod_is_believed` unless the last sweep caught the sitemap's lastmod lying.
    """

    pages: dict[str, Page]
    visits: dict[str, Visit]
    lastmod_is_believed: bool = True

    @classmethod
    def of(cls, store: Store) -> "Baseline":
        # Column by column: 50,000 rows as dictionaries would take 100 MB.
        names = ["content_hash", "extractor", "etag", "last_modified", "depth", "source", "missing_count"]
        pages = store.read(tables.PAGES, columns=["url", *names], where="gone_at IS NULL")
        visits = store.read(tables.VISITS, columns=["url", "asked_at", "lastmod"])
        urls, *columns = (pages.column(name).to_pylist() for name in ["url", *names])
        return cls(
            {
                url: Page(content, extractor, etag, modified, depth or 0, source == "sitemap", bool(missing))
                for url, content, extractor, etag, modified, depth, source, missing in zip(urls, *columns, strict=True)
            },
            dict(
                zip(
                    visits.column("url").to_pylist(),
                    map(Visit, visits.column("asked_at").to_pylist(), visits.column("lastmod").to_pylist()),
                    strict=True,
                )
            ),
            History.of(store).lastmod_is_believed,
        )


@dataclass(frozen=True)
class Listed:
    """What the sitemaps alone tell: address to what was seen of it; `untold` are the live pages they say nothing of."""

    changed: dict[str, str]
    added: dict[str, str]
    removed: dict[str, str]
    untold: list[str]


def compare(sitemap: Sitemap, known: Baseline) -> Listed:
    """What the sitemaps say that differs from when each address was last asked for."""
    changed, added = {}, {}
    believed = known.lastmod_is_believed
    for url, lastmod in sitemap.pages.items():
        visit = known.visits.get(url)
        if visit is None:
            added[url] = f"listed {lastmod}"
        elif believed and lastmod and _is_news(lastmod, visit):
            changed[url] = f"lastmod {lastmod}"
    # A page once missed is left to the crawls; else every look until it is tombstoned would ask for one.
    present = [url for url, page in known.pages.items() if not page.missing]
    removed = {} if sitemap.failed or not sitemap.pages else _no_longer_listed(sitemap, known, present)
    untold = [
        url
        for url in present
        if url not in changed and url not in removed and not (believed and _is_vouched_for(url, sitemap, known))
    ]
    return Listed(changed, added, removed, untold)


def _is_vouched_for(url: str, sitemap: Sitemap, known: Baseline) -> bool:
    visit = known.visits.get(url)
    if visit is None or visit.asked_at is None:
        return False
    return vouches(sitemap.pages.get(url), visit.lastmod, visit.asked_at)


def _is_news(lastmod: str, visit: Visit) -> bool:
    if visit.lastmod is not None:
        return lastmod != visit.lastmod
    # The sitemap did not tell when the page was visited, so the lastmod itself must say that it came later.
    end = latest(lastmod)
    return end is not None and (visit.asked_at is None or end > visit.asked_at)


def _no_longer_listed(sitemap: Sitemap, known: Baseline, present: list[str]) -> dict[str, str]:
    def was_listed(url: str) -> bool:
        if not sitemap.tells_changes:
            return known.pages[url].from_sitemap
        # Unlike where it was first found, this follows every visit: one look at a page that is still there will do.
        visit = known.visits.get(url)
        return visit is not None and visit.lastmod is not None

    return {url: "no longer listed" for url in present if url not in sitemap.pages and was_listed(url)}
