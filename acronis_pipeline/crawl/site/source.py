"""What kind of source a site is: a website, a local folder, or a sitemap and what it lists."""

import posixpath
import re
from collections import Counter
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from acronis_pipeline.crawl.site import sitemap
from acronis_pipeline.errors import SiteError
from acronis_pipeline.settings import SiteSettings
from acronis_pipeline.site_address import path_of

_SITEMAP_NAME = re.compile(r".*\.xml(?:\.gz)?|.*sitemap.*\.txt(?:\.gz)?", re.IGNORECASE)


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
        listing = sitemap.read_file(file)
    except OSError as error:
        raise SiteError(f"sitemap {file} cannot be read ({error.strerror}); check the path (site.url)") from error
    parts = (urlsplit(url) for url in [*(url for url, _ in listing.pages), *listing.files])
    hosts = Counter(f"{part.scheme}://{part.netloc}/" for part in parts if part.scheme in {"http", "https"})
    if not hosts:
        raise SiteError(f"{file} lists no web address; site.url takes a folder, a sitemap, or https://host/path")
    return hosts.most_common(1)[0][0]
