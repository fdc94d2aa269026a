"""What a crawl will ask for (everything, what the sitemap does not vouch for, or named pages), and what it reports.

`vouches` tells whether a sitemap's lastmod says that a page is what it was when it was last asked for.
"""

import datetime as dt
import json
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Literal

from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.store import Store, tables

Mode = Literal["sweep", "incremental", "changes"]
"""What a crawl asks for: everything; what the sitemap says has changed, and all that it does not say; named pages."""
MAX_LIES = 0.01
"""Share of pages that may change under an unchanged lastmod before a site's lastmod is not believed any more."""
_DATE = re.compile(r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?")
_MINUTE = dt.timedelta(minutes=1)
"""Seconds are optional."""
_ANYWHERE = dt.timedelta(hours=12)
"""A date without a time zone ends last at UTC−12."""


@dataclass(frozen=True)
class CrawlResult:
    """One finished crawl, in counts.

    `new + changed + unchanged + returned` are the pages that answered, or that the sitemap vouches for (`trusted` of
    `unchanged`: not asked, as their lastmod is what it was); `n_live` adds those kept although they failed or were
    missed. `missing` are absent this time and not yet tombstoned, `gone` were tombstoned by this crawl. `outage` says
    why absences were not counted at all, if they were not; `accepted_vanished` that a person vouched for them.
    `resumed` visits were answered to a crawl that was killed and are taken from its journal. `lastmod_lies` are pages
    whose content changed under an unchanged lastmod; None unless this was a sweep. `failed` and `skipped` count
    addresses by reason, `removed` the pieces that rules took out of the main content of the pages read, by rule.
    `size_bytes` are the body bytes received. `examples` are a few pages, as dictionaries with `url`, `title`, `status`
    and `what` happened. `data_version` changes exactly when a live page appears, disappears or changes its main
    content.
    """

    site_url: str
    site_version: str
    mode: Mode
    n_live: int
    previous_n_live: int
    new: int
    changed: int
    unchanged: int
    returned: int
    missing: int
    gone: int
    failed: dict[str, int]
    skipped: dict[str, int]
    trusted: int
    resumed: int
    requests: int
    not_modified: int
    size_bytes: int
    duration_s: float
    table_version: int
    data_version: str
    outage: str | None = None
    accepted_vanished: bool = False
    lastmod_lies: int | None = None
    removed: dict[str, int] = field(default_factory=dict)
    examples: list[dict[str, object]] = field(default_factory=list)


def vouches(now: str | None, before: str | None, asked_at: dt.datetime) -> bool:
    """Whether a page has not changed since `asked_at`, going by what the sitemap says `now` and said `before`.

    It must say the same, and the whole span of time it may mean must lie before the visit: a page that changes twice a
    day, on the day of the visit, keeps its date.
    """
    if now is None or now != before:
        return False
    end = latest(now)
    return end is not None and end <= asked_at


def latest(lastmod: str) -> dt.datetime | None:
    """The last moment that a W3C date or time may mean (UTC); None for anything else."""
    try:
        if date := _DATE.fullmatch(lastmod.strip()):
            return _end_of(*date.groups()) + _ANYWHERE
        moment = dt.datetime.fromisoformat(lastmod.strip())
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        return moment.replace(tzinfo=dt.UTC) + _MINUTE + _ANYWHERE
    return moment.astimezone(dt.UTC) + _MINUTE


def _end_of(year: str, month: str | None, day: str | None) -> dt.datetime:
    begin = dt.datetime(int(year), int(month or 1), int(day or 1), tzinfo=dt.UTC)
    if day:
        return begin + dt.timedelta(days=1)
    if month:
        return (begin + dt.timedelta(days=31)).replace(day=1)
    return begin.replace(year=begin.year + 1)


@dataclass(frozen=True)
class History:
    """Summaries of crawls, newest first, each with `crawl_id`, `started_at` and so on.

    `crawls` finished and have the fields of `CrawlResult`; of `attempts`, which found the site down, `down` says why.
    """

    crawls: tuple[dict[str, Any], ...]
    attempts: tuple[dict[str, Any], ...] = ()

    @classmethod
    def of(cls, store: Store) -> "History":
        rows = store.read(tables.CRAWLS).to_pylist()
        newest_first = sorted(rows, key=lambda row: row["finished_at"], reverse=True)
        told = [{**row, **json.loads(row["summary"])} for row in newest_first]
        return cls(tuple(row for row in told if "down" not in row), tuple(row for row in told if "down" in row))

    @property
    def lastmod_is_believed(self) -> bool:
        """Whether the last sweep found that pages change with their lastmod; until one has, it is."""
        lies = (crawl for crawl in self.crawls if crawl.get("lastmod_lies") is not None)
        last = next(lies, None)
        return last is None or last["lastmod_lies"] <= MAX_LIES * last["n_live"]

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
