"""Where the crawling of a site stands: what each crawl did, what is held, what is due next, and what gave no page."""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl.memory import journal, records
from acronis_pipeline.crawl.memory.plan import History
from acronis_pipeline.store import Store, tables, timestamp


@dataclass(frozen=True)
class Failure:
    """An address and when it was last asked for; `held` if it is a live page, which stays as it was."""

    url: str
    asked_at: dt.datetime
    held: bool


@dataclass(frozen=True)
class Failures:
    """Addresses that failed, or were refused as no page of ours, for the same reason; in alphabetical order."""

    outcome: str
    reason: str
    addresses: tuple[Failure, ...]


def failures(store: Store) -> list[Failures]:
    """What failed and what was refused, the most frequent reason first, failures before refusals."""
    columns = ["outcome", "reason", "url", "asked_at"]
    where = "outcome IN ('failed', 'refused')"
    visits = store.read(tables.VISITS, columns=columns, where=where)
    live = store.read(tables.PAGES, columns=["url"], where="gone_at IS NULL")
    held = set(live.column("url").to_pylist())
    found: dict[tuple[str, str], list[Failure]] = defaultdict(list)
    for visit in visits.to_pylist():
        url = visit["url"]
        found[visit["outcome"], visit["reason"] or "no reason"].append(Failure(url, visit["asked_at"], url in held))
    groups = [
        Failures(outcome, reason, tuple(sorted(addresses, key=lambda failure: failure.url)))
        for (outcome, reason), addresses in found.items()
    ]
    return sorted(groups, key=lambda group: (group.outcome, -len(group.addresses), group.reason))


@dataclass(frozen=True)
class PastCrawl:
    """A finished crawl; `counts` are the fields of its `CrawlResult`, as far as there were such fields then."""

    crawl_id: str
    site_url: str
    started_at: dt.datetime
    finished_at: dt.datetime
    counts: dict[str, Any]

    @property
    def mode(self) -> str:
        return self.counts.get("mode", "sweep")

    @property
    def failed(self) -> dict[str, int]:
        return self.counts.get("failed", {})

    @property
    def skipped(self) -> dict[str, int]:
        return self.counts.get("skipped", {})

    @property
    def removed(self) -> dict[str, int]:
        return self.counts.get("removed", {})

    @property
    def outage(self) -> str | None:
        return self.counts.get("outage")

    def count(self, name: str) -> int:
        """One of the numbers of `CrawlResult`."""
        return self.counts.get(name) or 0

    @property
    def n_kept(self) -> int:
        """Pages that were there: answered, or vouched for by the sitemap."""
        return sum(self.count(what) for what in ("new", "changed", "unchanged", "returned"))


@dataclass(frozen=True)
class UnfinishedCrawl:
    """A crawl that is `at_work` now, or was killed and is `continued` by the next one if that starts soon enough.

    `n_answered` addresses have answered it so far.
    """

    mode: str
    started_at: dt.datetime
    n_answered: int
    at_work: bool
    continued: bool


@dataclass(frozen=True)
class Attempt:
    """A crawl that found the site down, `why` in words, at `at` (UTC). It changed nothing."""

    at: dt.datetime
    why: str


@dataclass(frozen=True)
class TableSize:
    """Rows of a table and the bytes of its current version; older versions, kept for a while, come on top."""

    name: str
    rows: int
    size_bytes: int


@dataclass(frozen=True)
class Status:
    """Pages that are live (`n_missing` of them did not show lately) and gone; the last `crawls`, newest first.

    `attempts` since the newest of them found the site down, newest first. `at_work` if a crawl is, right now.
    `next_sweep_at` is None where the next crawl will ask for everything: there was none yet that did, or the sitemap's
    lastmod is not believed.
    """

    n_live: int
    n_missing: int
    n_gone: int
    crawls: tuple[PastCrawl, ...]
    lastmod_is_believed: bool
    next_sweep_at: dt.datetime | None
    unfinished: tuple[UnfinishedCrawl, ...]
    attempts: tuple[Attempt, ...]
    at_work: bool
    tables: tuple[TableSize, ...]


def status(store: Store, site: SiteSettings, journal_dir: Path, *, n_crawls: int = 10) -> Status:
    """Where the crawling of a site stands, from tables and journal alone: nothing is asked of the site."""
    history = History.of(store)
    unfinished, at_work = _unfinished(store, site, journal_dir)
    stats = {table.name: store.open(table).stats() for table in records.TABLES if store.exists(table)}
    sizes = (TableSize(name, found["num_rows"], found["total_bytes"]) for name, found in stats.items())
    return Status(
        n_live=store.count(tables.PAGES, "gone_at IS NULL"),
        n_missing=store.count(tables.PAGES, "gone_at IS NULL AND missing_count > 0"),
        n_gone=store.count(tables.PAGES, "gone_at IS NOT NULL"),
        crawls=tuple(past_crawls(history)[:n_crawls]),
        lastmod_is_believed=history.lastmod_is_believed,
        next_sweep_at=_next_sweep_at(history, site),
        unfinished=unfinished,
        attempts=_attempts(history),
        at_work=at_work,
        tables=tuple(sizes),
    )


def past_crawls(history: History) -> list[PastCrawl]:
    """Every finished crawl, newest first."""
    return [
        PastCrawl(row["crawl_id"], row["site_url"], row["started_at"], row["finished_at"], counts=row)
        for row in history.crawls
    ]


def _next_sweep_at(history: History, site: SiteSettings) -> dt.datetime | None:
    sweeps = [crawl for crawl in past_crawls(history) if crawl.mode == "sweep" and not crawl.outage]
    if not sweeps or not history.lastmod_is_believed:
        return None
    return sweeps[0].started_at + dt.timedelta(days=site.full_sweep_days)


def _attempts(history: History) -> tuple[Attempt, ...]:
    last = history.crawls[0]["finished_at"] if history.crawls else None
    since = (row for row in history.attempts if last is None or row["finished_at"] > last)
    return tuple(Attempt(row["finished_at"], row["down"]) for row in since)


def _unfinished(store: Store, site: SiteSettings, journal_dir: Path) -> tuple[tuple[UnfinishedCrawl, ...], bool]:
    runs, pending, at_work = journal.peek(journal_dir)
    oldest = dt.datetime.now(dt.UTC) - dt.timedelta(hours=site.resume_within_h)
    crawls = tuple(
        UnfinishedCrawl(
            mode=run.mode,
            started_at=run.started_at,
            n_answered=pending + store.count(tables.VISITS, f"asked_at >= {timestamp(run.started_at)}"),
            at_work=at_work,
            continued=run.started_at >= oldest,
        )
        for run in runs
    )
    return crawls, at_work
