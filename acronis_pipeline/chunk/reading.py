"""The content of live pages, read from their kept HTML a slice at a time."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence

from acronis_pipeline import content, schemas
from acronis_pipeline.content import Content
from acronis_pipeline.crawl.memory.page_versions import html_of
from acronis_pipeline.store import Store

_log = logging.getLogger(__name__)
_SLICE = 100
"""Pages whose HTML is in memory at once."""
_REMEMBERED = 2_000
"""Pages whose content stays in memory between two readings, some 20 MB; the others are extracted twice."""
_LOG_EVERY_S = 5.0


class Reader:
    """Live pages of a store.

    Attributes
    ----------
    live
        Content hash of each live page by address, in the order of the addresses.
    """

    def __init__(self, store: Store, selector: str | None) -> None:
        pages = store.read("pages", schemas.PAGES, columns=["url", "content_hash"], where="gone_at IS NULL")
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
            html = html_of(self._store, self._not_remembered(part))
            for done, url in enumerate(part, start=start + 1):
                known = self._remembered.pop(url, None)
                yield url, known or content.extract(html.get(url, ""), url=url, selector=self._selector)
                now = time.monotonic()
                if now - last_said > _LOG_EVERY_S:
                    last_said, rate = now, done / (now - started)
                    left_s = (len(urls) - done) / rate
                    _log.info("%s %d of %d pages, %.0f/s, %.0f s left", doing, done, len(urls), rate, left_s)

    def _not_remembered(self, urls: Sequence[str]) -> Mapping[str, str]:
        return {url: self.live[url] for url in urls if url not in self._remembered}
