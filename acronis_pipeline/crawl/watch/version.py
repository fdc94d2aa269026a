"""The site's version: one string that differs when the site does.

Where sitemaps say when each page changed, it is a digest of what they say; elsewhere of the listed addresses and of the
content of every page that is held.
"""

from collections.abc import Mapping

from acronis_pipeline.crawl.site.sitemap import Sitemap
from acronis_pipeline.fingerprint import digest, digest_rows

_CHARS = 40
"""Short enough for a Dagster tag value (63)."""


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
