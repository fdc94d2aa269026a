"""What a crawl has still to ask for, and which of the addresses that it meets get there."""

from collections.abc import Callable, Collection, Iterable

from acronis_pipeline.crawl.fetching import sitemap
from acronis_pipeline.crawl.fetching.scope import Traps
from acronis_pipeline.crawl.judging.non_pages import SOFT_404
from acronis_pipeline.crawl.memory.archive import Archive
from acronis_pipeline.crawl.memory.records import Frontier, Source, Target
from acronis_pipeline.crawl.running.session import Session
from acronis_pipeline.crawl.running.tally import Tally, Watch

KNOWN = "redirect to a known page"

_LISTS_AT_ONCE = 500
"""Recorded lists of links read in one go: a query of the table costs milliseconds, a list kilobytes."""


class UrlQueue:
    """The frontier, and what the site, the settings and common sense let into it.

    `only` are addresses to ask for beside unknown ones; None admits known ones too.
    """

    def __init__(
        self, session: Session, archive: Archive, only: Collection[str] | None, tally: Tally, watch: Watch
    ) -> None:
        self.frontier = Frontier()
        self._site, self._session, self._archive, self._tally, self._watch = (
            session.site,
            session,
            archive,
            tally,
            watch,
        )
        self._only = None if only is None else dict.fromkeys(session.scope.canonical(url) or url for url in only)
        self._traps = Traps(session.site)
        self._unfollowed: list[tuple[str, int]] = []

    def __bool__(self) -> bool:
        return bool(len(self.frontier) or self._unfollowed)

    @property
    def n_left_alone(self) -> int:
        """Live pages that this crawl has nothing to do with."""
        known = self._archive.known
        return 0 if self._only is None else known.n_live - sum(map(known.is_live, self._only))

    # Where a crawl begins, and what it looks at in the end

    def begin(self) -> None:
        """Queue the start page and what the sitemaps list, or the named addresses."""
        if self._only is not None:
            self._queue_named(self._only)
            return
        start = self._session.start
        if start is None and self._site.follow_links:
            self._tally.skip("robots", self._site.url)
        elif start is not None:
            # Without asking the scope: a start page that is not wanted itself still leads to those that are.
            self.frontier.claim(self._session.scope.canonical(self._site.url) or start)
            self.frontier.claim(start)
            self.frontier.push(Target(start, 0, "seed"))
        for url in self._session.sitemap.pages:
            self.offer(url, 0, "sitemap")
        self._tally.skipped.update(self._session.sitemap.outside)
        for url, why in self._session.sitemap.failed.items():
            self._tally.fail(f"{sitemap.UNREAD}: {why}", url)

    def _queue_named(self, urls: Iterable[str]) -> None:
        for url in urls:
            if not self._archive.known.is_live(url):
                self.offer(url, 0, "sitemap" if url in self._session.sitemap.pages else "link")
            elif self.forbids(url):
                self._watch.forbidden.add(url)
            elif self.frontier.claim(url):
                self.frontier.push(Target(url, self._archive.known.depth(url), "recheck"))

    def recheck(self, may_ask: Callable[[str], bool]) -> None:
        """Known pages that nothing leads to any more are asked directly whether they still exist."""
        for url in self._archive.known.live() if self._only is None else ():
            if url in self._archive.confirmed:
                continue
            if self.forbids(url):
                self._watch.forbidden.add(url)
            elif not self._site.follow_links and self._session.sitemap.failed:
                self._watch.unseen.add(url)  # it may be listed where we could not read
            elif not self._site.follow_links:
                self._watch.missed.add(url)  # there or not, it is not listed any more
            elif may_ask(url):
                self.frontier.claim(url)
                self.frontier.push(Target(url, self._archive.known.depth(url), "recheck"))

    # What it meets

    def forbids(self, url: str) -> str | None:
        """Why an address is not to be asked for, and a page of that address not to be kept."""
        if reason := self._session.scope.why_not(url) or self._session.languages.why_not(url):
            return reason
        return None if self._session.robots.allows(url) else "robots"

    def offer(self, url: str, depth: int, source: Source) -> None:
        """Queue an address, unless it was met before or is not to be asked for."""
        concerns_us = self._only is None or url in self._only or self._archive.is_news(url)
        if not concerns_us or not self.frontier.claim(url):
            return
        reason = self.forbids(url) or ("too deep" if depth > self._site.max_depth else None)
        if reason is None and source == "link":
            reason = self._traps.why_not(url)
        if reason:
            self._tally.skip(reason, url)
        else:
            self.frontier.push(Target(url, depth, source))

    def follow(self, links: Iterable[str], depth: int) -> None:
        """Offer the links of a page at that depth."""
        for link in links if self._site.follow_links else ():
            self.offer(link, depth + 1, "link")

    def follow_later(self, links_id: str | None, depth: int) -> None:
        """Offer the recorded links of a page that sent none: it answered 304 or was not asked."""
        if links_id and self._site.follow_links:
            self._unfollowed.append((links_id, depth))

    @property
    def lists_are_due(self) -> bool:
        """Whether so many recorded lists wait that they should be followed before anything else is asked for."""
        return len(self._unfollowed) >= _LISTS_AT_ONCE

    async def follow_recorded(self) -> None:
        """Offer what waits since `follow_later`, if it is much or there is nothing else to do."""
        if not self._unfollowed or (len(self.frontier) and not self.lists_are_due):
            return
        lists, self._unfollowed = self._unfollowed, []
        links = await self._archive.links({links_id for links_id, _ in lists})
        for links_id, depth in lists:
            self.follow(links.get(links_id, ()), depth)

    def hop(self, asked: str, trail: list[str], location: str, base: str) -> tuple[str, str | None]:
        """See `fetch.Ask`; addresses that a redirect led to from the one `asked` for are added to the trail."""
        target, reason = self._session.scope.redirect(location, base)
        if target in {base, asked}:
            return target, None
        if target == self._session.not_found.redirect:
            return target, SOFT_404
        reason = reason or self.forbids(target)
        if reason is None and not self.frontier.claim(target):
            reason = KNOWN
        if reason is None:
            trail.append(target)
        return target, reason
