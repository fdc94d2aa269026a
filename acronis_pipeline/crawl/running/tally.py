"""What a crawl counts and sees on its way: the `Tally`, which is told now and then, and pages that were not there."""

import logging
import time
from collections import Counter, deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from acronis_pipeline.core.text import printable
from acronis_pipeline.crawl.judging.verdict import Verdict
from acronis_pipeline.crawl.memory.archive import Known

_log = logging.getLogger(__name__)

_PROGRESS_EVERY_S = 10.0
_RECENT_LINES = 6
"""Lines back to which the rate is taken: a minute. The time left is for the pace of now, not that of the beginning."""
_EXAMPLES_OF_A_KIND = 4
_REASONS_LOGGED = 3


class Tally:
    """Counts by reason, a few examples of each kind, and progress lines."""

    def __init__(self) -> None:
        self.kept: Counter[str] = Counter()
        """`new`, `changed`, `unchanged`, `returned`."""
        self.failed: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()
        self.not_modified = 0
        self.trusted = 0
        """Of `unchanged`: not asked, the sitemap vouches for them."""
        self.resumed = 0
        """Visits that were answered before the crawl was killed."""
        self.lastmod_lies = 0
        self.removed: Counter[str] = Counter()
        """Pieces that rules took out of the main content of pages that were read, by rule."""
        self._examples: dict[str, list[dict[str, object]]] = {}
        self._visits = 0
        self._logged = time.monotonic()
        self._recent = deque([(self._logged, 0)], maxlen=_RECENT_LINES)
        """When lines were logged, and the visits until then."""

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
        """An example of a page that is gone."""
        self._example("gone", url, title, None)

    def visit(self) -> None:
        """An address was asked for."""
        self._visits += 1

    def examples(self) -> list[dict[str, object]]:
        """A few of each kind, what changed first."""
        order = {"changed": 0, "new": 1, "returned": 2, "gone": 3, "unchanged": 5}
        kinds = sorted(self._examples, key=lambda kind: (order.get(kind, 4), kind))
        return [example for kind in kinds for example in self._examples[kind]]

    def progress(self, queued: int, *, pause_s: float) -> None:
        """Log a line if the last one is a while ago; `pause_s` is what lies between requests now."""
        now = time.monotonic()
        if now - self._logged < _PROGRESS_EVERY_S:
            return
        self._logged = now
        since, before = self._recent[0]
        self._recent.append((now, self._visits))
        per_s = (self._visits - before) / (now - since)
        left_s = max(queued / per_s, queued * pause_s) if per_s else queued * pause_s
        left = f", about {_span(left_s)} for those" if left_s else ""
        reasons = ", ".join(f"{reason} {count}" for reason, count in self.failed.most_common(_REASONS_LOGGED))
        _log.info(
            "crawl: %d pages done, %d queued%s, %.1f requests/s, %d failed%s",
            self.n_kept,
            queued,
            left,
            per_s,
            self.failed.total(),
            f" ({reasons})" if reasons else "",
        )

    def _example(self, what: str, url: str, title: str | None, status: int | None) -> None:
        examples = self._examples.setdefault(what, [])
        if len(examples) < _EXAMPLES_OF_A_KIND:
            examples.append({"url": printable(url), "title": title, "status": status, "what": what})


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5_400 else f"{seconds / 3600:.1f} h"


@dataclass(frozen=True)
class Sightings:
    """Live pages that were not there: `missed` (not found), `forbidden` (by the site or the settings, a clear word)
    and `replaced` (moved to a page that was there, which is no loss)."""

    missed: Collection[str] = ()
    forbidden: Collection[str] = ()
    replaced: Collection[str] = ()


class Watch:
    """What a walk sees of addresses that are no pages (now): it knows nothing of what was there before.

    `unseen` are those that were not shown to us, `moved` lead to another address for good.
    """

    def __init__(self) -> None:
        self.missed: set[str] = set()
        self.forbidden: set[str] = set()
        self.unseen: set[str] = set()
        self.moved: dict[str, str] = {}

    def note(self, url: str, found: Verdict) -> None:
        if found.forbidden:
            self.forbidden.add(url)
        elif found.absent:
            self.missed.add(url)
        elif found.moved_for_good and found.target:
            self.moved[url] = found.target
        else:
            self.unseen.add(url)

    def sightings(self, known: Known, confirmed: Collection[str]) -> Sightings:
        """Of the live pages, those that were not there; nothing is said of those that moved out of sight."""

        def absent(urls: Iterable[str]) -> set[str]:
            return {url for url in urls if known.is_live(url) and url not in confirmed}

        forbidden = absent(self.forbidden)
        moved = {url: target for url, target in self.moved.items() if target not in self.unseen}
        replaced = absent(url for url, target in moved.items() if target in confirmed) - forbidden
        return Sightings(absent(self.missed | moved.keys()) - forbidden - replaced, forbidden, replaced)
