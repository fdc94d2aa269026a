"""The sample site as static files, for any other web server."""

import shutil
from html import escape
from pathlib import Path
from urllib.parse import urljoin

from acronis_pipeline.sample_site.content import load_site
from acronis_pipeline.sample_site.lifetime import base_url
from acronis_pipeline.sample_site.render import render_page, render_robots, render_sitemap

_ASSETS = Path(__file__).parent / "assets"


def write_site(folder: Path, *, base: str | None = None) -> int:
    """Write every page as ``<path>/index.html``, with robots.txt, sitemap.xml, assets and stubs for the redirects.

    Parameters
    ----------
    folder
        Created if need be; files of the same names are overwritten.
    base
        Address that canonical links and the sitemap carry; the sample site's own by default.

    Returns
    -------
    int
        Number of pages, redirect stubs not counted.
    """
    site, base = load_site(), base or base_url()
    for path, page in site.pages.items():
        _write(folder / path.strip("/") / "index.html", render_page(site, page, base))
    for path, target in site.redirects.items():
        _write(folder / path.strip("/") / "index.html", _redirect_stub(urljoin(base, target)))
    _write(folder / "robots.txt", render_robots(base))
    _write(folder / "sitemap.xml", render_sitemap(site, base))
    shutil.copytree(_ASSETS, folder / "assets", dirs_exist_ok=True)
    return len(site.pages)


def _redirect_stub(target: str) -> str:
    address = escape(target, quote=True)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Moved</title>'
        f'<meta http-equiv="refresh" content="0; url={address}"><link rel="canonical" href="{address}"></head>'
        f'<body><p>Moved to <a href="{address}">{address}</a>. A sample written for acronis_pipeline, '
        f"not Acronis's documentation.</p></body></html>\n"
    )


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
