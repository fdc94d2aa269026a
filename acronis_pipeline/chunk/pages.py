"""Live pages of the store: their content, read from kept HTML a slice at a time, and why one gets no passages."""

import logging
import re
import time
from collections.abc import Iterator, Sequence

from acronis_pipeline import content
from acronis_pipeline.content import Content
from acronis_pipeline.content.markdown import heading_of, lines_with_fences
from acronis_pipeline.crawl.judging.non_pages import explains
from acronis_pipeline.crawl.memory.records import html_of
from acronis_pipeline.store import Store, tables

_log = logging.getLogger(__name__)
_SLICE = 100
"""Pages whose HTML is in memory at once."""
_REMEMBERED = 2_000
"""Pages whose content stays in memory between two readings, some 20 MB; the others are extracted twice."""
_LOG_EVERY_S = 5.0
NOTHING_OF_ITS_OWN = "only repeated text"
"""Reason for a page of which nothing stays once the paragraphs that stand on most pages are gone."""
TOO_COSTLY = "too costly to split"
"""Reason for a page that is made to keep a splitter busy."""
_STUB_WORDS = 5
_ERROR_PAGE_WORDS = 120
_PLACEHOLDER_WORDS = 40
_ERROR_PAGE = re.compile(
    r"(?:error\W*)?(?:404|410)(?:\W*(?:error|gone|(?:page |file )?not found))?\W*"
    r"|(?:page |file )?not found(?:\W*404)?\W*|page (?:unavailable|does not exist|doesn't exist)\W*"
    r"|(?:sorry\W+)?(?:this|the|that) page (?:was not found|doesn't exist|does not exist|no longer exists)\W*"
    r"|(?:sorry\W+)?(?:this|the|that) page (?:can't|cannot|could not|couldn't) be found\W*"
    r"|oops\W.*|access denied\W*|(?:403\W*)?forbidden\W*|just a moment\W*|attention required\W.*",
    re.IGNORECASE,
)
"""The whole title: "Error 404 while browsing backups" is a page about one."""
_ERROR_TEXT = re.compile(
    r"(?:the |this |that )?(?:page|document|article|content|resource)(?: that)? you(?:'re| are| were| have)?"
    r" (?:looking for|requested|trying to (?:reach|access|open)|tried to (?:reach|access|open))"
    r" (?:\w+ ){0,4}?(?:not (?:be )?(?:found|available|exist)|no longer|doesn't exist|couldn't|can't|moved"
    r"|removed|deleted)"
    r"|(?:we|you) (?:could not|couldn't|can't|cannot) find (?:the|that|this) page",
    re.IGNORECASE,
)
"""What a page of an error without a telling title says; only short pages are asked."""
_QUOTING = re.compile(r"[\"“‘'«`]\W*$|\b(?:if|when|whenever|says|reads)\b", re.IGNORECASE)
"""Before such a text: quoted, or in a condition, it is what an article is about."""
_PLACEHOLDER = re.compile(
    r"(?:(?:this )?(?:page|section|article|content|topic|document(?:ation)?) (?:is |will be |has been )?(?:still )?)?"
    r"(?:under construction|coming soon|work in progress|to be (?:written|done|announced|added|completed)|tbd|todo"
    r"|intentionally left blank|left (?:intentionally )?blank|not (?:yet )?(?:written|available)(?: yet)?"
    r"|available soon|being (?:written|updated|translated))\b",
    re.IGNORECASE,
)
"""How a short page begins that promises content."""


class Reader:
    """Live pages of a store.

    Attributes
    ----------
    live
        Content hash of each live page by address, in the order of the addresses.
    """

    def __init__(self, store: Store, selector: str | None) -> None:
        pages = store.read(tables.PAGES, columns=["url", "content_hash"], where="gone_at IS NULL")
        self.live: dict[str, str] = dict(sorted(zip(*pages.to_pydict().values(), strict=True)))
        self._store = store
        self._selector = selector
        self._remembered: dict[str, Content] = {}

    def read_ahead(self, urls: Sequence[str]) -> Iterator[tuple[str, Content]]:
        """Contents that are wanted again soon."""
        for url, page in self.read(urls, doing="read"):
            if len(self._remembered) < _REMEMBERED:
                self._remembered[url] = page
            yield url, page

    def read(self, urls: Sequence[str], *, doing: str) -> Iterator[tuple[str, Content]]:
        """Contents in the order of the addresses; what was read ahead is handed out and forgotten."""
        started = last_said = time.monotonic()
        for start in range(0, len(urls), _SLICE):
            part = urls[start : start + _SLICE]
            html = html_of(self._store, {url: self.live[url] for url in part if url not in self._remembered})
            for done, url in enumerate(part, start=start + 1):
                known = self._remembered.pop(url, None)
                yield url, known or content.extract(html.get(url, ""), url=url, selector=self._selector)
                now = time.monotonic()
                if now - last_said > _LOG_EVERY_S:
                    last_said, rate = now, done / (now - started)
                    left_s = (len(urls) - done) / rate
                    _log.info("%s %d of %d pages, %.0f/s, %.0f s left", doing, done, len(urls), rate, left_s)


def refusal(page: Content) -> str | None:
    """Why a page gets no passages, or None.

    "empty"; "soft 404" (an error page sent with status 200); "placeholder" (it only promises content); "stub" (fewer
    than five words below the headings).
    """
    body = [line for line, in_fence in lines_with_fences(page.markdown) if in_fence or heading_of(line) is None]
    words = re.findall(r"\w+", " ".join(body))
    if not words and not page.headings:
        return "empty"
    titles = [page.title, *(heading.text for heading in page.headings[:1])]
    said = " ".join(" ".join(body).replace("’", "'").split())
    is_error = len(words) < _ERROR_PAGE_WORDS and not explains("\n".join(body))
    if is_error and any(_ERROR_PAGE.fullmatch(title.replace("’", "'")) for title in titles):
        return "soft 404"
    found = _ERROR_TEXT.search(said) if is_error and len(words) < _PLACEHOLDER_WORDS else None
    if found and not _QUOTING.search(said[: found.start()]):
        return "soft 404"
    if len(words) < _PLACEHOLDER_WORDS and _PLACEHOLDER.match(re.sub(r"^\W+", "", said)):
        return "placeholder"
    return "stub" if len(words) < _STUB_WORDS else None
