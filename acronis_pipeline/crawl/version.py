"""The site's version: one string that differs when the site does, comparable between a crawl and a quick look.

Where sitemaps say when each page changed, it is a digest of what they say. Elsewhere it is a digest of the content of
a few known pages: the same ones, chosen the same way, whether the content comes from the table or was just fetched.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from acronis_pipeline.crawl.sitemap import Sitemap
from acronis_pipeline.fingerprint import digest, digest_rows

SAMPLE_PAGES = 30

_CHARS = 40
"""Short enough for a Dagster tag value (63)."""


@dataclass(frozen=True)
class SiteVersion:
    """`version` and what it was read from: `n_urls` sitemap entries or pages, for so many requests and seconds."""

    version: str
    basis: Literal["sitemap", "pages"]
    n_urls: int
    requests: int
    duration_s: float


def from_sitemap(sitemap: Sitemap) -> str | None:
    """Version by addresses and modification times; None where the sitemaps do not tell changes."""
    if not sitemap.pages or not sitemap.tells_changes:
        return None
    return f"sitemap-{digest_rows(sitemap.pages.items())[:_CHARS]}"


def from_pages(sitemap: Sitemap, contents: Mapping[str, str]) -> str:
    """Version by the addresses that are listed, if any, and the content hashes of the sample."""
    return f"pages-{digest(digest_rows(sitemap.pages.items()), digest_rows(contents.items()))[:_CHARS]}"


def sample(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Live rows to look at, nearest to the start page first: that is where new pages show.

    Pages already missed once are left out; otherwise every look would see them missing and ask for another crawl.
    """
    candidates = [row for row in rows if row["gone_at"] is None and not row["missing_count"]]
    return sorted(candidates, key=lambda row: (row["depth"] or 0, digest(row["url"])))[:SAMPLE_PAGES]
