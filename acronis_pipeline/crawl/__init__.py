"""raw_pages: from a website to the `pages` table, politely and again and again.

`crawl` takes in what changed since the last time; `probe.probe` says cheaply whether there is anything to take in. A
crawl asks (`fetching`), tells what the answers are (`judging`), remembers (`memory`) and goes on from one page to the
next (`running`). `status`, the `history` of a page and a `summary` in words and pictures show what became of it all.
"""

from collections.abc import Collection
from pathlib import Path

import pyarrow as pa

from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl.fetching.sitemap import resolved
from acronis_pipeline.crawl.memory import journal
from acronis_pipeline.crawl.memory.plan import CrawlResult, History
from acronis_pipeline.crawl.running.crawl_run import CrawlRun
from acronis_pipeline.store import Store, tables

__all__ = ["VERSION", "CrawlResult", "crawl", "last_site_version", "live_pages"]

VERSION = "3"
"""Raise it when a crawl of the same site would store something else."""


def crawl(
    store: Store,
    site: SiteSettings,
    *,
    journal_dir: Path | None = None,
    only: Collection[str] | None = None,
    accept_vanished: bool = False,
) -> CrawlResult:
    """Bring the `pages` table up to date with a website.

    A page that did not change costs a conditional request, or none where the sitemap vouches for it. A failing page
    keeps its old content; one that is absent `site.gone_after` times is tombstoned (`gone_at`), at once if the site or
    the settings now forbid it. If more than `site.max_vanishing_share` of the pages are absent at once, or the site
    falls silent, no absence is counted and `CrawlResult.outage` says why.

    Parameters
    ----------
    store
        Holds the tables that `crawl.tables` names.
    site
        `site.url` is an http(s) address, of a page or a sitemap, or a local folder or sitemap.
    journal_dir
        Folder where every answer is safe at once, so that a crawl that is killed is continued by the next like it
        (within `site.resume_within_h`) and nothing is asked for again. Without one, a killed crawl loses what was not
        written yet, up to 1,000 pages, and the next one starts anew.
    only
        Ask for these addresses and for unknown ones that they lead to, nothing else.
    accept_vanished
        A person has looked: what is absent is gone, however much it is.

    Raises
    ------
    SiteError
        The site cannot be reached, forbids crawling, has not a single page, or is not the one that `store` holds, or
        another crawl is at work on the folder. Its pages stay as they were.
    """
    with journal.opened(journal_dir) as opened:
        return CrawlRun(store, resolved(site), opened, only=only, accept_vanished=accept_vanished).run()


def live_pages(store: Store, columns: list[str] | None = None) -> pa.Table:
    """Pages that exist as far as we know (`tables.PAGES`, or some of its columns); no rows before the first crawl."""
    return store.read(tables.PAGES, columns=columns, where="gone_at IS NULL")


def last_site_version(store: Store) -> str | None:
    """The site's version that the newest finished crawl took in; None before the first. Outages took nothing in."""
    crawls = History.of(store).crawls
    return next((crawl["site_version"] for crawl in crawls if not crawl.get("outage")), None)
