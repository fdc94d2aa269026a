"""Going through a site: workers take addresses, ask or go by the record, and queue where the answers lead.

Nothing is concluded from what is missing while the site as a whole does not answer (`Health`).
"""

import asyncio
import logging
from collections.abc import Collection
from dataclasses import replace
from functools import partial

from acronis_pipeline.crawl.fetching.fetch import Answer, Ask, FetchError, RedirectRefusedError
from acronis_pipeline.crawl.fetching.urls import Spellings
from acronis_pipeline.crawl.judging import verdict
from acronis_pipeline.crawl.judging.non_pages import SOFT_404
from acronis_pipeline.crawl.judging.verdict import Verdict
from acronis_pipeline.crawl.memory.archive import Archive, Recorded
from acronis_pipeline.crawl.memory.journal import Run
from acronis_pipeline.crawl.memory.records import Record, Target
from acronis_pipeline.crawl.running.reader import Reader
from acronis_pipeline.crawl.running.render import Renderer
from acronis_pipeline.crawl.running.session import Session
from acronis_pipeline.crawl.running.tally import Sightings, Tally, Watch
from acronis_pipeline.crawl.running.url_queue import KNOWN, UrlQueue
from acronis_pipeline.store import tables

_log = logging.getLogger(__name__)

MAX_FAILURES_IN_A_ROW = 25
"""After so many pages without one answer the site is taken to be down; asking on would only hurt it and us."""

_SILENCE = frozenset({"timeout", "connection", "host not found", "TLS"})
_LOOK_UP_S = 0.05
"""While no visit ends: one may have come to wait for its PDF, which makes room for another."""
_TRIES_PER_PAGE = 4
"""Addresses asked for, at most, per page of the budget: endless calendars of noindex pages must end too."""


class Health:
    """Counts failures in a row; `heard` once the site answered anything.

    `silent` once there were too many, so that absence means nothing.
    """

    def __init__(self) -> None:
        self.silent = self.heard = False
        self._failures = 0

    def answered(self, status: int = 200) -> None:
        """The site answered; 429 and 5xx are as bad as no answer."""
        self._note(answered=status < 500 and status != 429)

    def failed(self, error: FetchError) -> None:
        """A request failed, perhaps after an answer of some kind."""
        self._note(answered=error.reason not in _SILENCE)

    def _note(self, *, answered: bool) -> None:
        self.heard = self.heard or answered
        self._failures = 0 if answered else self._failures + 1
        if self._failures == MAX_FAILURES_IN_A_ROW:
            self.silent = True
            _log.warning("crawl: no answer from %d pages in a row; stopping here", MAX_FAILURES_IN_A_ROW)


class Crawler:
    """One crawl of one site. `run` it once.

    Parameters
    ----------
    run
        Its mode, and since when visits count as its own.
    only
        The addresses to ask for beside what is new behind them; None asks for the whole site.
    """

    def __init__(
        self,
        session: Session,
        archive: Archive,
        run: Run,
        tally: Tally,
        *,
        only: Collection[str] | None = None,
        renderer: Renderer | None = None,
    ) -> None:
        self._site, self._session, self._archive, self._run, self._tally = session.site, session, archive, run, tally
        self.health, self._watch = Health(), Watch()
        self._queue = UrlQueue(session, archive, only, tally, self._watch)
        self._reader = Reader(session, archive, renderer)
        pages = archive.known.pages
        self._spellings = Spellings((url, pages.value(url, "content_hash")) for url in archive.known.live())
        self._ask = Ask(
            hop=session.scope.redirect,  # each visit has its own
            validators=archive.validators,
            reads=session.formats.reads,
            cap=session.formats.cap,
        )
        self._done: set[str] = set()
        self._waiting: dict[str, list[tuple[Target, str]]] = {}
        self._tries = 0
        self._budget = session.site.max_pages - self._queue.n_left_alone

    async def run(self) -> None:
        """Crawl until nothing is left to ask for; what was learnt is in the archive and the tally."""
        try:
            self._queue.begin()
            await self._work_off()
            if not self.health.silent:
                self._queue.recheck(lambda url: url not in self._done and not self._out_of_budget(url))
                await self._work_off()
            while self._waiting:
                _, aliases = self._waiting.popitem()
                for target, url in aliases:
                    self._stand_alone(target, url)
                await self._work_off()
        finally:
            self._reader.close()

    @property
    def complete(self) -> bool:
        """Whether everything was asked for that there was."""
        return not self.health.silent and "page budget" not in self._tally.skipped

    def sightings(self) -> Sightings:
        """The live pages that were not there."""
        return self._watch.sightings(self._archive.known, self._archive.confirmed)

    # Asking

    async def _work_off(self) -> None:
        """Empty the queue with `site.concurrency` visits at once; one's page may still fill what others found empty."""
        active: set[asyncio.Task[None]] = set()
        try:
            while self._queue or active:
                await self._queue.follow_recorded()
                while len(active) < self._n_at_once and not self._queue.lists_are_due:
                    target = self._queue.frontier.pop()
                    if target is None:
                        break
                    if self._may_ask(target) and not self._answered_already(target):
                        active.add(asyncio.create_task(self._visit(target)))
                if active:
                    finished, active = await asyncio.wait(
                        active, timeout=_LOOK_UP_S, return_when=asyncio.FIRST_COMPLETED
                    )
                    for task in finished:
                        task.result()
                await self._archive.save_if_due()
                self._tally.progress(len(self._queue.frontier), pause_s=self._session.fetcher.pace.pause_s)
        finally:
            for task in active:
                task.cancel()
            await asyncio.gather(*active, return_exceptions=True)

    @property
    def _n_at_once(self) -> int:
        """Visits under way; those that wait for a PDF to be read, which can take a minute, do not count."""
        return self._site.concurrency + min(self._reader.n_pdfs_waiting, self._site.concurrency)

    def _may_ask(self, target: Target) -> bool:
        if self._out_of_budget(target.url):
            self._tally.skip("page budget", target.url)
        elif self.health.silent:
            self._tally.fail("site stopped answering", target.url)
        else:
            return True
        self._watch.unseen.add(target.url)
        return False

    def _out_of_budget(self, url: str) -> bool:
        if self._tries >= self._site.max_pages * _TRIES_PER_PAGE:
            return True
        asked_anyway = self._run.mode == "changes" and self._archive.known.is_live(url)
        return self._tally.n_kept >= self._budget and not asked_anyway

    def _answered_already(self, target: Target) -> bool:
        """Go by the record, where this crawl asked before it was killed or the sitemap vouches for the page."""
        url = target.url
        if record := self._archive.answered(url):
            self._tally.resumed += 1
        elif self._run.mode == "incremental" and (record := self._on_record(url)):
            self._tally.trusted += record.verdict.outcome == "page"
        else:
            return False
        self._repeat(target, url, record.verdict, record.links_id)
        self._settle(url)
        return True

    def _on_record(self, url: str) -> Recorded | None:
        """What is as it was at the last visit: the sitemap says so, or nobody says that there is a page by now."""
        told = self._session.sitemap.tells_changes
        return self._archive.vouched_for(url) or (self._archive.no_page(url) if told else None)

    async def _visit(self, target: Target) -> None:
        self._tries += 1
        self._tally.visit()
        trail: list[str] = []
        try:
            ask = replace(self._ask, hop=partial(self._queue.hop, target.url, trail))
            answer = await self._session.fetcher.get(target.url, ask)
        except RedirectRefusedError as refused:
            self.health.answered()
            if refused.reason == SOFT_404:
                self._conclude(target.url, Verdict("refused", SOFT_404))
                self._settle(target.url, *trail)
                return
            self._tally.skip(refused.reason, target.url)
            status = 301 if refused.permanent else 302
            reason = None if refused.reason == KNOWN else refused.reason
            self._redirect([target.url, *trail], Verdict("redirect", reason, refused.target, status))
            self._settle(target.url, *trail)
        except FetchError as error:
            self.health.failed(error)
            self._conclude(target.url, Verdict("failed", error.reason))
            self._settle(target.url)
        else:
            self.health.answered(answer.status)
            if answer.url != target.url:
                status = 301 if answer.moved_for_good else 302
                self._redirect([target.url, *trail[:-1]], Verdict("redirect", None, answer.url, status))
            await self._take(target, answer)
            self._settle(target.url, *trail)

    async def _take(self, target: Target, answer: Answer) -> None:
        url = answer.url
        if answer.status == 304 and (recorded := self._archive.repeated(url)):
            self._tally.not_modified += 1
            self._archive.confirm(target, url, recorded.verdict, answer)
            self._repeat(target, url, recorded.verdict, recorded.links_id)
            return
        if found := verdict.of_answer(answer, self._session.formats):
            self._conclude(url, found, answer)
            return
        read = await self._reader.read(answer)
        if read is None:
            self._conclude(url, Verdict("failed", "unreadable", status=answer.status), answer)
            return
        answer, reading, same = read
        self._queue.follow(reading.links, target.depth)
        found = verdict.of_reading(reading, answer, self._session.scope, live=self._archive.known.is_live(url))
        if found.outcome == "page" and (same_page := self._spellings.alias_of(url, reading.content_hash)):
            found = replace(found, outcome="alias", target=same_page)
        if found.outcome not in {"page", "alias"}:
            self._conclude(url, found, answer, reading.links)
            return
        self._tally.removed.update(reading.removed)
        record = self._archive.page(target, answer, reading, same=same)
        if found.target:
            self._archive.park(url, record, alias_of=found.target)
            self._await_canonical(target, url, found.target)
        else:
            self._keep(url, record)

    # What it comes to

    def _repeat(self, target: Target, url: str, recorded: Verdict, links_id: str | None) -> None:
        """What a visit on record found, found again."""
        self._queue.follow_later(links_id, target.depth)
        if recorded.outcome == "page" and (reason := self._session.scope.why_not(url)):
            self._tally.skip(reason, url)  # a start page that is not wanted itself
        elif recorded.outcome == "page":
            self._archive.confirmed.add(url)
            title = self._archive.known.pages.value(url, "title")
            self._tally.keep(self._archive.what_happened(url), url, title, recorded.status)
        elif recorded.outcome == "alias" and recorded.target:
            self._await_canonical(target, url, recorded.target)
        elif recorded.outcome == "redirect" and recorded.target:
            self._watch.note(url, recorded)
            if reason := recorded.reason or self._queue.forbids(recorded.target):
                self._tally.skip(reason, url)
            elif self._queue.frontier.claim(recorded.target):
                self._queue.frontier.push(Target(recorded.target, target.depth, target.source))
            else:
                self._tally.skip(KNOWN, url)
        else:
            self._count(url, recorded)

    def _conclude(self, url: str, found: Verdict, answer: Answer | None = None, links: tuple[str, ...] = ()) -> None:
        """There is no page to keep."""
        self._archive.note(url, found, answer, links)
        self._count(url, found)

    def _count(self, url: str, found: Verdict) -> None:
        if found.outcome == "failed":
            self._tally.fail(found.reason or "", url, found.status)
        else:
            self._tally.skip(found.reason or "", url)
        self._watch.note(url, found)

    def _redirect(self, urls: list[str], found: Verdict) -> None:
        for url in urls:
            self._archive.note(url, found)
            self._watch.note(url, found)

    def _keep(self, url: str, record: Record) -> None:
        if self._out_of_budget(url):
            self._tally.skip("page budget", url)
            self._watch.unseen.add(url)
            return
        what = record[tables.PAGE_CHANGES.name][0]["what"] if tables.PAGE_CHANGES.name in record else "unchanged"
        row = record[tables.PAGES.name][0]
        if what == "changed" and self._archive.vouched_for(url):
            self._tally.lastmod_lies += 1
        self._archive.keep(url, record)
        self._tally.keep(what, url, row["title"], row["status"])

    # Pages that name another address as theirs

    def _await_canonical(self, target: Target, url: str, canonical: str) -> None:
        self._queue.offer(canonical, target.depth, target.source)
        self._judge_alias(canonical, target, url)

    def _judge_alias(self, canonical: str, target: Target, url: str) -> None:
        """A page counts as another's alias only once that other one was there; else it stands for itself."""
        unasked = canonical not in self._queue.frontier and self._archive.known.is_live(canonical)
        if canonical in self._archive.confirmed or unasked:
            self._tally.skip("alias of a canonical page", url)
            self._archive.unpark(url, alias_of=canonical)
            self._watch.moved[url] = canonical
        elif canonical in self._done:
            self._stand_alone(target, url)
        else:
            self._waiting.setdefault(canonical, []).append((target, url))

    def _stand_alone(self, target: Target, url: str) -> None:
        if record := self._archive.unpark(url):
            self._keep(url, record)
        else:
            self._archive.ask_afresh(url)
            self._queue.frontier.push(target)

    def _settle(self, *urls: str) -> None:
        self._done.update(urls)
        for url in urls:
            for target, alias in self._waiting.pop(url, ()):
                self._judge_alias(url, target, alias)
