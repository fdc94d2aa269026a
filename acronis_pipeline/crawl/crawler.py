"""Working through a site: workers take addresses, judge the answers, and queue where they lead."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

from acronis_pipeline.crawl import page
from acronis_pipeline.crawl.archive import Archive
from acronis_pipeline.crawl.fetch import Answer, Ask, FetchError, RedirectRefusedError
from acronis_pipeline.crawl.frontier import Frontier, Source, Target
from acronis_pipeline.crawl.page import Reading
from acronis_pipeline.crawl.robots import product_token
from acronis_pipeline.crawl.session import Session
from acronis_pipeline.crawl.tally import Tally
from acronis_pipeline.errors import AcronisPipelineError
from acronis_pipeline.settings import SiteSettings

_log = logging.getLogger(__name__)

MAX_FAILURES_IN_A_ROW = 25
"""After so many pages without one answer the site is taken to be down; asking on would only hurt it and us."""

_TRIES_PER_PAGE = 4
"""Addresses asked for, at most, per page of the budget: endless calendars of noindex pages must end too."""

_ABSENT = frozenset({404, 410})
_SILENCE = frozenset({"timeout", "connection", "host not found", "TLS"})


class Crawler:
    """One crawl of one site. `run` it once.

    `stopped` tells whether the site went silent, so that absence means nothing.
    """

    def __init__(self, site: SiteSettings, session: Session, archive: Archive, tally: Tally) -> None:
        self.stopped = False
        self._site, self._session, self._archive, self._tally = site, session, archive, tally
        self._frontier = Frontier()
        self._ask = Ask(hop=self._hop, validators=archive.validators, reads=page.is_html)
        self._agent = product_token(site)
        # One thread: extraction holds the GIL most of the time, and the event loop needs its share of it.
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="crawl-read")
        self._done: set[str] = set()
        self._waiting: dict[str, list[tuple[Target, Answer, Reading]]] = {}
        self._missed: set[str] = set()
        self._forbidden: set[str] = set()
        self._tries = 0
        self._failures_in_a_row = 0

    async def run(self) -> None:
        """Crawl until nothing is left to ask for; what was learnt is in the archive and the tally."""
        try:
            self._queue_seeds()
            await self._work_off()
            if not self.stopped:
                self._queue_rechecks()
                await self._work_off()
            for aliases in list(self._waiting.values()):
                for target, answer, reading in aliases:
                    self._keep(target, answer, reading)
            if self._tally.n_kept and not self.stopped:
                self._count_absences()
        finally:
            self._reader.shutdown(wait=False, cancel_futures=True)

    def _queue_seeds(self) -> None:
        start = self._session.start
        if start is None:
            self._tally.skip("robots", self._site.url)
        else:
            # Without asking the scope: a start page that is not wanted itself still leads to those that are.
            self._frontier.claim(self._session.scope.canonical(self._site.url) or start)
            self._frontier.claim(start)
            self._frontier.push(Target(start, 0, "seed"))
        for url in self._session.sitemap.pages:
            self._offer(url, 0, "sitemap")
        self._tally.skipped.update(self._session.sitemap.outside)

    def _queue_rechecks(self) -> None:
        """Known pages that nothing leads to any more are asked directly whether they still exist."""
        if self._out_of_budget():
            return
        for url, row in self._archive.known.items():
            if row["gone_at"] is not None or url in self._archive.confirmed or url in self._done:
                continue
            if self._refusal(url):
                self._forbidden.add(url)
            else:
                self._frontier.claim(url)
                self._frontier.push(Target(url, row["depth"] or 0, "recheck"))

    def _refusal(self, url: str) -> str | None:
        if reason := self._session.scope.why_not(url):
            return reason
        return None if self._session.robots.allows(url) else "robots"

    def _offer(self, url: str, depth: int, source: Source) -> None:
        if not self._frontier.claim(url):
            return
        reason = self._refusal(url) or ("too deep" if depth > self._site.max_depth else None)
        if reason:
            self._tally.skip(reason, url)
        else:
            self._frontier.push(Target(url, depth, source))

    def _hop(self, location: str, base: str) -> tuple[str, str | None]:
        target, reason = self._session.scope.redirect(location, base)
        reason = reason or self._refusal(target)
        if reason is None and not self._frontier.claim(target):
            reason = "redirect to a known page"
        return target, reason

    async def _work_off(self) -> None:
        """Empty the queue with `site.concurrency` workers; a worker's page may still fill what others found empty."""
        active: set[asyncio.Task[None]] = set()
        try:
            while len(self._frontier) or active:
                while len(active) < self._site.concurrency and (target := self._frontier.pop()):
                    active.add(asyncio.create_task(self._visit(target)))
                if active:
                    finished, active = await asyncio.wait(active, return_when=asyncio.FIRST_COMPLETED)
                    for task in finished:
                        task.result()
                await self._archive.save_if_due()
                self._tally.progress(len(self._frontier))
        finally:
            for task in active:
                task.cancel()
            await asyncio.gather(*active, return_exceptions=True)

    async def _visit(self, target: Target) -> None:
        if self._out_of_budget():
            self._tally.skip("page budget", target.url)
            return
        if self.stopped:
            self._tally.fail("site stopped answering", target.url)
            return
        self._tries += 1
        final = target.url
        try:
            answer = await self._session.fetcher.get(target.url, self._ask)
            final = answer.url
            if final != target.url and answer.moved_for_good:
                self._missed.add(target.url)
            self._note_health(answered=answer.status < 500 and answer.status != 429)
            await self._take(target, answer)
        except RedirectRefusedError as refused:
            self._note_health(answered=True)
            self._tally.skip(refused.reason, target.url)
            if refused.permanent:
                self._missed.add(target.url)
        except FetchError as error:
            self._note_health(answered=error.reason not in _SILENCE)
            self._tally.fail(error.reason, target.url)
        self._settle(target.url, final)

    def _out_of_budget(self) -> bool:
        return self._tally.n_kept >= self._site.max_pages or self._tries >= self._site.max_pages * _TRIES_PER_PAGE

    def _note_health(self, *, answered: bool) -> None:
        self._failures_in_a_row = 0 if answered else self._failures_in_a_row + 1
        if self._failures_in_a_row == MAX_FAILURES_IN_A_ROW:
            self.stopped = True
            _log.warning("crawl: no answer from %d pages in a row; stopping here", MAX_FAILURES_IN_A_ROW)

    async def _take(self, target: Target, answer: Answer) -> None:
        if answer.status == 304 and self._archive.live(answer.url):
            self._confirm(target, answer)
        elif answer.status in _ABSENT:
            self._tally.fail(f"HTTP {answer.status}", target.url, answer.status)
            self._missed.add(answer.url)
        elif answer.status != 200:
            self._tally.fail(f"HTTP {answer.status}", target.url, answer.status)
        elif not page.is_html(answer.media_type):
            self._tally.skip(f"not HTML: {answer.media_type}", answer.url)
            self._missed.add(answer.url)
        elif answer.truncated:
            self._tally.fail("too large", answer.url, answer.status)
        elif reading := await self._read(answer):
            self._follow(reading.links, target)
            self._judge(target, answer, reading)

    async def _read(self, answer: Answer) -> Reading | None:
        def read() -> Reading:
            selector = self._site.content_selector
            return page.read(answer, self._session.scope, selector=selector, agent=self._agent)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._reader, read)
        except AcronisPipelineError:
            raise
        except Exception as error:
            # Whatever a parser makes of the web's markup costs that page only.
            _log.warning("%s cannot be read (%s: %s)", answer.url, type(error).__name__, error)
            self._tally.fail("unreadable", answer.url, answer.status)
            return None

    def _confirm(self, target: Target, answer: Answer) -> None:
        row = self._archive.confirm(target, answer)
        self._tally.not_modified += 1
        self._tally.keep("unchanged", answer.url, row["title"], answer.status)
        self._follow(self._archive.links(answer.url), target)

    def _follow(self, links: list[str] | tuple[str, ...], target: Target) -> None:
        for link in links:
            self._offer(link, target.depth + 1, "link")

    def _judge(self, target: Target, answer: Answer, reading: Reading) -> None:
        if reason := self._session.scope.why_not(answer.url):
            self._tally.skip(reason, answer.url)
        elif reading.no_page == page.NOINDEX:
            self._tally.skip(reading.no_page, answer.url)
            self._forbidden.add(answer.url)
        elif reading.no_page == page.NO_CONTENT and not self._archive.live(answer.url):
            self._tally.skip(reading.no_page, answer.url)
        elif reading.no_page:
            self._tally.fail(reading.no_page, answer.url, answer.status)
        elif reading.alias_of:
            self._offer(reading.alias_of, target.depth, target.source)
            self._judge_alias(reading.alias_of, target, answer, reading)
        else:
            self._keep(target, answer, reading)

    def _judge_alias(self, canonical: str, target: Target, answer: Answer, reading: Reading) -> None:
        """A page counts as another's alias only once that other one was kept; else it stands for itself."""
        if canonical in self._archive.confirmed:
            self._tally.skip("alias of a canonical page", answer.url)
            self._missed.add(answer.url)
        elif canonical in self._done:
            self._keep(target, answer, reading)
        else:
            self._waiting.setdefault(canonical, []).append((target, answer, reading))

    def _settle(self, *urls: str) -> None:
        self._done.update(urls)
        for url in urls:
            for target, answer, reading in self._waiting.pop(url, ()):
                self._judge_alias(url, target, answer, reading)

    def _keep(self, target: Target, answer: Answer, reading: Reading) -> None:
        if self._tally.n_kept >= self._site.max_pages:
            self._tally.skip("page budget", answer.url)
            return
        row, what = self._archive.keep(target, answer, reading)
        self._tally.keep(what, answer.url, row["title"], answer.status)

    def _count_absences(self) -> None:
        for url in sorted(self._missed | self._forbidden):
            # Out of scope, noindex or robots.txt is a clear word; a missing page may be an accident.
            gone_after = 1 if url in self._forbidden else self._site.gone_after
            if self._archive.miss(url, gone_after=gone_after):
                self._tally.bury(url, self._archive.known[url]["title"])
