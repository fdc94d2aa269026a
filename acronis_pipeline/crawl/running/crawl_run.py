"""A crawl from beginning to end: taking up what a killed one left, crawling, drawing conclusions, tidying up.

The folder is kept from growing: old contents beyond what history needs go, and what many small writes leave.
"""

import datetime as dt
import json
import logging
import time
import uuid
from collections import defaultdict
from collections.abc import Collection
from dataclasses import asdict, replace
from typing import Any
from urllib.parse import urlsplit

from acronis_pipeline.core.errors import AcronisPipelineError, SiteDownError, SiteError
from acronis_pipeline.core.hashing import digest, digest_rows
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl.fetching import sitemap
from acronis_pipeline.crawl.fetching.scope import Scope
from acronis_pipeline.crawl.fetching.site_files import SiteFiles
from acronis_pipeline.crawl.judging.non_pages import EMPTY_WITHOUT_SCRIPTS, LOGIN_WALL
from acronis_pipeline.crawl.memory import records
from acronis_pipeline.crawl.memory.archive import Archive, Known, extractor_of, save
from acronis_pipeline.crawl.memory.journal import Journal, Run
from acronis_pipeline.crawl.memory.plan import CrawlResult, History, mode_of
from acronis_pipeline.crawl.memory.records import Row, write
from acronis_pipeline.crawl.running import session as site_session
from acronis_pipeline.crawl.running.crawler import Crawler
from acronis_pipeline.crawl.running.render import advice, renderer
from acronis_pipeline.crawl.running.session import Session, arrive, start_on_record
from acronis_pipeline.crawl.running.tally import Sightings, Tally
from acronis_pipeline.store import Store, tables

KEEP_CRAWLS = 1_000
"""Summaries of the newest crawls, three years of nights or a week of a busy sensor's runs."""
KEEP_SWEEPS = 10
"""At least: the last of them say whether lastmod is believed and when the next is due."""

_log = logging.getLogger(__name__)
_NOT_IN_SUMMARY = frozenset({"examples", "site_version", "table_version"})


def tidy(store: Store, *, keep_versions: int) -> None:
    """After any crawl: no page keeps more contents than `keep_versions`, and no table more files than it needs.

    That goes for all tables, those of later stages too: whichever way these run, a crawl comes before them.
    """
    _trim(store, keep_versions)
    _trim_crawls(store)
    store.tidy()


def forget_unreachable(store: Store, before: dt.datetime) -> None:
    """After a complete sweep: addresses that nothing leads to any more, and lists of links that nothing refers to."""
    visits = store.read(tables.VISITS, columns=["url", "asked_at", "links_id"])
    pages = set(store.read(tables.PAGES, columns=["url"]).column("url").to_pylist())
    forgotten, used = set(), set()
    for url, asked_at, links_id in zip(*visits.to_pydict().values(), strict=True):
        if asked_at < before and url not in pages:
            forgotten.add(url)
        else:
            used.add(links_id)
    lists = store.read(tables.LINK_LISTS, columns=["links_id"]).column("links_id").to_pylist()
    store.delete(tables.VISITS, forgotten)
    store.delete(tables.LINK_LISTS, set(lists) - used)


def _trim(store: Store, keep_versions: int) -> None:
    columns = ["version_id", "url", "content_hash", "first_seen_at"]
    versions = store.read(tables.PAGE_VERSIONS, columns=columns)
    pages = store.read(tables.PAGES, columns=["url", "content_hash"])
    current = set(zip(*pages.to_pydict().values(), strict=True))
    by_page: dict[str, list[tuple[bool, dt.datetime, str]]] = defaultdict(list)
    for version_id, url, content_hash, seen_at in zip(*versions.to_pydict().values(), strict=True):
        by_page[url].append(((url, content_hash) in current, seen_at, version_id))
    # The current content may be an old one: pages go back to what they were.
    doomed = [v for kept in by_page.values() for _, _, v in sorted(kept, reverse=True)[keep_versions:]]
    store.delete(tables.PAGE_VERSIONS, doomed)


def _trim_crawls(store: Store) -> None:
    if store.count(tables.CRAWLS) <= KEEP_CRAWLS:
        return
    history = History.of(store)
    sweeps = [crawl for crawl in history.crawls if crawl.get("mode") == "sweep"]
    newest = (*history.crawls[:KEEP_CRAWLS], *sweeps[:KEEP_SWEEPS], *history.attempts[:KEEP_CRAWLS])
    kept = {crawl["crawl_id"] for crawl in newest}
    store.delete(tables.CRAWLS, {row["crawl_id"] for row in (*history.crawls, *history.attempts)} - kept)


class CrawlRun:
    """One crawl from beginning to end; see `crawl.crawl` for the parameters. `run` it once."""

    def __init__(
        self, store: Store, site: SiteSettings, journal: Journal, *, only: Collection[str] | None, accept_vanished: bool
    ) -> None:
        self._store, self._site, self._journal = store, site, journal
        self._only, self._accept_vanished = only, accept_vanished
        self._key = "site" if only is None else f"changes-{digest(*sorted(only))[:16]}"
        self._of = digest(store.uri, Scope.of(site).netloc, extractor_of(site))
        self._started = time.monotonic()
        self._tally = Tally()
        self._files = SiteFiles(store)

    def run(self) -> CrawlResult:
        """Crawl, or finish what a killed crawl had all but finished."""
        killed, result = self._left_behind()
        if killed and result:
            _log.info("crawl: the last one was killed when all but the tidying up was done; it is finished now")
            return self._ended(killed, result)
        known = Known(self._store)
        self._refuse_another_site(known)
        this = killed or self._begin(known)
        session, crawler = self._walked(this, known)
        self._files.save()
        result = self._concluded(this, known, session, crawler)
        _log_result(result)
        if empty := advice(self._site, result.failed, result.n_live):
            _log.warning("crawl: %s", empty)
        if result.mode == "sweep" and crawler.complete and not result.outage:
            forget_unreachable(self._store, this.started_at)
        return self._ended(this, result, continued_later=crawler.health.silent)

    def _left_behind(self) -> tuple[Run | None, CrawlResult | None]:
        """Bring into the tables what killed crawls still had; the one to continue, with its result if it had one."""
        oldest = dt.datetime.now(dt.UTC) - dt.timedelta(hours=self._site.resume_within_h)
        foreign = [run for run in self._journal.runs() if run.of != self._of]
        if foreign:
            _log.warning("crawl: what a killed crawl of another store, site or extractor left is dropped")
            self._journal.discard()
        save(self._store, self._journal)
        found: tuple[Run | None, CrawlResult | None] = None, None
        for run in self._journal.runs():
            concluded = None if run in foreign else self._journal.finished(run)
            if concluded:
                write(self._store, [concluded.record])
            if run.key == self._key and run not in foreign and run.started_at >= oldest:
                found = run, CrawlResult(**json.loads(concluded.result)) if concluded else None
            elif concluded or run in foreign or run.started_at < oldest:
                self._journal.forget(run)
        return found

    def _begin(self, known: Known) -> Run:
        now = dt.datetime.now(dt.UTC)
        mode = mode_of(History.of(self._store), self._site, self._only, now)
        run = Run(self._key, self._of, mode, now, known.n_live)
        self._journal.begin(run)
        return run

    def _refuse_another_site(self, known: Known) -> None:
        """Pages of two sites in one folder would each be tombstoned by the other's crawl."""
        held = next(iter(known.pages), None)
        if held is not None and not Scope.of(self._site).is_same_site(held):
            site = urlsplit(held).netloc or "another folder"
            raise SiteError(f"the data folder holds pages of {site}, not of {self._site.url}; use another (--data DIR)")

    # The walk

    def _walked(self, this: Run, known: Known) -> tuple[Session, Crawler]:
        _log.info(
            "crawl: %s, %s of %d pages known%s",
            self._site.url,
            this.mode,
            known.n_live,
            f", continued from {this.started_at:%Y-%m-%d %H:%M} UTC" if this.resumed else "",
        )
        try:
            session, crawler = site_session.run(self._walk(this, known))
            if not self._tally.n_kept and this.mode != "changes":
                raise (SiteError if crawler.health.heard else SiteDownError)(_why_empty(self._site, self._tally))
        except AcronisPipelineError as error:
            if isinstance(error, SiteDownError) and known.n_live:
                write(
                    self._store,
                    [{tables.CRAWLS.name: [_row(this, self._site, None, {"mode": this.mode, "down": str(error)})]}],
                )
            self._journal.discard()
            if not this.resumed:
                self._journal.forget(this)
            raise
        finally:
            save(self._store, self._journal)
        return session, crawler

    async def _walk(self, this: Run, known: Known) -> tuple[Session, Crawler]:
        known_start = start_on_record(self._store, self._site) if this.mode == "changes" else None
        async with arrive(self._site, self._files, validators=known.validators, known_start=known_start) as session:
            _log.info(
                "crawl: %d pages in sitemaps, %g s between requests",
                len(session.sitemap.pages),
                session.fetcher.pace.delay_s,
            )
            archive = Archive(self._store, self._site, known, self._journal, this, session.sitemap.pages)
            async with renderer(session) as rendering:
                crawler = Crawler(session, archive, this, self._tally, only=self._only, renderer=rendering)
                await crawler.run()
        return session, crawler

    # What it comes to

    def _concluded(self, this: Run, known: Known, session: Session, crawler: Crawler) -> CrawlResult:
        """Count absences and write the record, once: twice would bury pages early."""
        sightings = crawler.sightings()
        too_many = _outage(sightings, self._site, this.n_live)
        outage = None if self._accept_vanished else too_many
        if crawler.health.silent:
            outage = f"the site stopped answering after {self._tally.n_kept} pages; nothing was counted as missing"
        gone_after = 1 if too_many else self._site.gone_after
        absent = _counted(Sightings() if outage else sightings, known, gone_after=gone_after)
        gone = [row for row in absent if row["gone_at"]]
        live = self._store.read(tables.PAGES, columns=["url", "content_hash"], where="gone_at IS NULL")
        contents: dict[str, str] = dict(zip(*live.to_pydict().values(), strict=True))
        for row in gone:
            self._tally.bury(row["url"], row["title"])
            contents.pop(row["url"], None)
        tally = self._tally
        result = CrawlResult(
            site_url=self._site.url,
            site_version=sitemap.from_sitemap(session.sitemap) or sitemap.from_pages(session.sitemap, contents),
            mode=this.mode,
            n_live=len(contents),
            previous_n_live=this.n_live,
            new=tally.kept["new"],
            changed=tally.kept["changed"],
            unchanged=tally.kept["unchanged"],
            returned=tally.kept["returned"],
            missing=len(absent) - len(gone),
            gone=len(gone),
            failed=dict(tally.failed.most_common()),
            skipped=dict(tally.skipped.most_common()),
            trusted=tally.trusted,
            resumed=tally.resumed,
            requests=session.fetcher.requests,
            not_modified=tally.not_modified,
            size_bytes=session.fetcher.received_bytes,
            duration_s=time.monotonic() - self._started,
            table_version=0,
            data_version=digest_rows(contents.items()),
            outage=outage,
            accepted_vanished=self._accept_vanished,
            lastmod_lies=tally.lastmod_lies if this.mode == "sweep" else None,
            removed=dict(tally.removed.most_common()),
            examples=tally.examples(),
        )
        summary = {name: value for name, value in vars(result).items() if name not in _NOT_IN_SUMMARY}
        record = {
            tables.PAGES.name: absent,
            tables.PAGE_CHANGES.name: [
                records.change(row["url"], row["gone_at"], "gone", row["content_hash"]) for row in gone
            ],
            tables.CRAWLS.name: [_row(this, self._site, result.site_version, summary)],
        }
        self._journal.finish(this, record, json.dumps(asdict(result)))
        write(self._store, [record])
        return result

    def _ended(self, this: Run, result: CrawlResult, *, continued_later: bool = False) -> CrawlResult:
        tidy(self._store, keep_versions=self._site.keep_versions)
        if continued_later:
            self._journal.suspend(this)
        else:
            self._journal.forget(this)
        return replace(result, table_version=self._store.version(tables.PAGES))


def _outage(sightings: Sightings, site: SiteSettings, n_live: int) -> str | None:
    """Why so many absences at once are not believed, or None if they are few enough."""
    vanished = len(sightings.missed) + len(sightings.forbidden)
    if vanished <= site.max_vanishing_share * n_live:
        return None
    how = [f"{len(sightings.missed)} not found"] if sightings.missed else []
    how += [f"{len(sightings.forbidden)} forbidden by the site or outside the settings"] if sightings.forbidden else []
    return (
        f"{vanished} of {n_live} pages vanished at once ({', '.join(how)}), more than site.max_vanishing_share; "
        "nothing was counted: if the site did shrink, or the settings are meant so, crawl once with accept_vanished"
    )


def _counted(sightings: Sightings, known: Known, *, gone_after: int) -> list[Row]:
    """The pages with a sighting of absence more each, tombstoned after `gone_after`; what is forbidden goes at once."""
    now = records.now()
    absent: list[Row] = []
    for url in sorted({*sightings.missed, *sightings.forbidden, *sightings.replaced}):
        row = known.page(url)
        if row is None:
            continue
        row["missing_count"] = (row["missing_count"] or 0) + 1
        if url in sightings.forbidden or row["missing_count"] >= gone_after:
            row["gone_at"] = now
        absent.append(row)
    return absent


def _row(this: Run, site: SiteSettings, site_version: str | None, summary: dict[str, Any]) -> Row:
    """A row of `crawls`."""
    return {
        "crawl_id": f"{this.started_at:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}",
        "site_url": site.url,
        "site_version": site_version,
        "started_at": this.started_at,
        "finished_at": dt.datetime.now(dt.UTC),
        "summary": json.dumps(summary),
    }


def _why_empty(site: SiteSettings, tally: Tally) -> str:
    reasons = tally.failed + tally.skipped
    counts = ", ".join(f"{reason} ({count})" for reason, count in reasons.most_common(4)) or "nothing found"
    if "robots" in reasons:
        remedy = "robots.txt forbids it to us: ask the site's owner to allow it"
    elif reasons.keys() & {LOGIN_WALL, "HTTP 401", "HTTP 403"}:
        remedy = "it wants a login or turns robots away: ask its owner for access, or crawl a public address"
    elif any(reason.startswith(f"{sitemap.UNREAD}: ") for reason in reasons):
        remedy = "mend the sitemap, or set site.url to the start page"
    elif EMPTY_WITHOUT_SCRIPTS in reasons:
        remedy = advice(site, tally.failed, tally.n_kept)
    else:
        remedy = "check site.url, site.path_prefix, site.include and site.exclude"
    return f"{site.url} gave not a single page: {counts}; {remedy}"


def _log_result(result: CrawlResult) -> None:
    _log.info(
        "crawl: %d pages live (%d new, %d changed, %d unchanged, %d returned, %d missing, %d gone), %d failed, "
        "%d requests, %.1f s",
        result.n_live,
        result.new,
        result.changed,
        result.unchanged,
        result.returned,
        result.missing,
        result.gone,
        sum(result.failed.values()),
        result.requests,
        result.duration_s,
    )
    if result.outage:
        _log.warning("crawl: taken for an outage: %s", result.outage)
