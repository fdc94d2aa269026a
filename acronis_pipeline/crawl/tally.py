"""Counting what happens during a crawl, and saying so now and then."""

import logging
import time
from collections import Counter

_log = logging.getLogger(__name__)

_PROGRESS_EVERY_S = 10.0
_EXAMPLES_OF_A_KIND = 4


class Tally:
    """Counts by reason, a few examples of each kind, and progress lines."""

    def __init__(self) -> None:
        self.kept: Counter[str] = Counter()
        """`new`, `changed`, `unchanged`, `returned`."""
        self.failed: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()
        self.gone = 0
        self.not_modified = 0
        self._examples: dict[str, list[dict[str, object]]] = {}
        self._started = self._logged = time.monotonic()

    @property
    def n_kept(self) -> int:
        return self.kept.total()

    def keep(self, what: str, url: str, title: str | None, status: int | None) -> None:
        self.kept[what] += 1
        self._example(what, url, title, status)

    def fail(self, reason: str, url: str, status: int | None = None) -> None:
        self.failed[reason] += 1
        self._example(f"failed: {reason}", url, None, status)

    def skip(self, reason: str, url: str) -> None:
        self.skipped[reason] += 1
        self._example(f"skipped: {reason}", url, None, None)

    def bury(self, url: str, title: str | None) -> None:
        self.gone += 1
        self._example("gone", url, title, None)

    def examples(self) -> list[dict[str, object]]:
        """A few of each kind, what changed first."""
        order = {"changed": 0, "new": 1, "returned": 2, "gone": 3, "unchanged": 5}
        kinds = sorted(self._examples, key=lambda kind: (order.get(kind, 4), kind))
        return [example for kind in kinds for example in self._examples[kind]]

    def progress(self, queued: int) -> None:
        """Log a line if the last one is a while ago."""
        now = time.monotonic()
        if now - self._logged < _PROGRESS_EVERY_S:
            return
        self._logged = now
        done = self.n_kept + self.failed.total()
        per_s = done / max(now - self._started, 1e-9)
        left = f", about {queued / per_s:.0f} s for those" if per_s and queued else ""
        _log.info(
            "crawl: %d pages done, %d queued%s, %.1f pages/s, %d failed",
            done,
            queued,
            left,
            per_s,
            self.failed.total(),
        )

    def _example(self, what: str, url: str, title: str | None, status: int | None) -> None:
        examples = self._examples.setdefault(what, [])
        if len(examples) < _EXAMPLES_OF_A_KIND:
            examples.append({"url": url, "title": title, "status": status, "what": what})
