"""What a crawl will ask for: everything, what the sitemap does not vouch for, or named pages."""

import datetime as dt
import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from acronis_pipeline import schemas
from acronis_pipeline.crawl.memory.tables import CRAWLS
from acronis_pipeline.crawl.result import Mode
from acronis_pipeline.crawl.walk import lastmod
from acronis_pipeline.settings import SiteSettings
from acronis_pipeline.store import Store


@dataclass(frozen=True)
class History:
    """Summaries of crawls, newest first, each with `crawl_id`, `started_at` and so on.

    `crawls` finished and have the fields of `CrawlResult`; of `attempts`, which found the site down, `down` says why.
    """

    crawls: tuple[dict[str, Any], ...]
    attempts: tuple[dict[str, Any], ...] = ()

    @classmethod
    def of(cls, store: Store) -> "History":
        rows = store.read(CRAWLS, schemas.CRAWLS).to_pylist()
        newest_first = sorted(rows, key=lambda row: row["finished_at"], reverse=True)
        told = [{**row, **json.loads(row["summary"])} for row in newest_first]
        return cls(tuple(row for row in told if "down" not in row), tuple(row for row in told if "down" in row))

    @property
    def lastmod_is_believed(self) -> bool:
        """Whether the last sweep found that pages change with their lastmod; until one has, it is."""
        lies = (crawl for crawl in self.crawls if crawl.get("lastmod_lies") is not None)
        last = next(lies, None)
        return last is None or last["lastmod_lies"] <= lastmod.MAX_LIES * last["n_live"]

    def swept_since(self, moment: dt.datetime) -> bool:
        """Whether everything was asked for since then."""
        return any(
            crawl.get("mode") == "sweep" and not crawl.get("outage") and crawl["started_at"] >= moment
            for crawl in self.crawls
        )


def mode_of(history: History, site: SiteSettings, only: Collection[str] | None, now: dt.datetime) -> Mode:
    """The mode of a crawl that starts now."""
    if only is not None:
        return "changes"
    swept = history.swept_since(now - dt.timedelta(days=site.full_sweep_days))
    # A site whose lastmod is not believed is asked for everything anyway; that shows when it has mended its ways.
    return "incremental" if swept and history.lastmod_is_believed else "sweep"
