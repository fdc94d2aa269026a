"""The bundled sample website: what the demo and the tests crawl, served over loopback while it is needed.

The pages are HTML fragments in `pages/`, one file a page, put into `template.html` when they are asked for; `site.toml`
holds the navigation and the redirects. `gold_questions.yaml` holds questions as customers would put them.
See it in a browser with ``python -m acronis_pipeline.sample_site``.
"""

from pathlib import Path

from acronis_pipeline.sample_site.content import Page, SiteMap, load_site
from acronis_pipeline.sample_site.server import (
    DEFAULT_PORT,
    EDITS_VARIABLE,
    PORT_VARIABLE,
    base_url,
    make_server,
    serving,
    write_site,
)

GOLD_FILE: Path = Path(__file__).parent / "gold_questions.yaml"
"""Gold questions of the sample site; `expected_urls` are paths on the site."""

__all__ = [
    "DEFAULT_PORT",
    "EDITS_VARIABLE",
    "GOLD_FILE",
    "PORT_VARIABLE",
    "Page",
    "SiteMap",
    "base_url",
    "load_site",
    "make_server",
    "serving",
    "write_site",
]
