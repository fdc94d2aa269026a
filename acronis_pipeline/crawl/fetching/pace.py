"""How often the host may be asked: a minimum pause between requests, fewer and slower ones while it struggles."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_log = logging.getLogger(__name__)

STRAIN_STATUSES = frozenset({429, 503})
"""The host says itself that it is too much."""
SLOW_FACTOR, SLOW_S = 4.0, 1.0
"""Answers that take so many times longer than usual, and this long at least, say the same."""
MAX_EXTRA_DELAY_S = 30.0
RECENT_ANSWERS = 20
TOLERATED_SHARE = 0.25
"""Of the recent answers, so many may be complaints: a host that always fails now and then is as well as ever."""
CALM_ANSWERS, CALM_S = 20, 30.0
"""Answers, few of them complaints, after which one step is taken back, or so long without a complaint: recovery is
slower than retreat, as in TCP, but at a pause of half a minute nobody waits for twenty answers."""

_FIRST_EXTRA_DELAY_S = 0.5
_SETTLE_S = 2.0
"""Answers to requests that were on their way when the pace dropped are no second complaint."""
_WARM_UP_ANSWERS = 10


class Pace:
    """Requests of all workers pass here: `limit` in flight at once, one every `delay_s + extra_delay_s`.

    Parameters
    ----------
    delay_s
        What settings and robots.txt ask for; never undercut.
    concurrency
        Requests in flight while the host is well.
    """

    def __init__(self, delay_s: float = 0.0, concurrency: int = 64) -> None:
        self.delay_s = delay_s
        self.extra_delay_s = 0.0
        self.limit = self._full = concurrency
        self._in_flight = 0
        self._freed = asyncio.Event()
        self._free_at = 0.0
        self._dropped_at = self._uneasy_at = float("-inf")
        self._complaints: deque[bool] = deque(maxlen=RECENT_ANSWERS)
        self._calm = self._answers = 0
        self._usual_s = self._recent_s = 0.0

    @property
    def pause_s(self) -> float:
        """Between two requests at present."""
        return self.delay_s + self.extra_delay_s

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until a request may be sent; the context is the request."""
        while self._in_flight >= self.limit:
            self._freed.clear()
            await self._freed.wait()
        self._in_flight += 1
        try:
            # A hold can move `_free_at` while this waits, hence the loop; the slot is taken without an await between.
            while (wait_s := self._free_at - time.monotonic()) > 0:
                await asyncio.sleep(wait_s)
            self._free_at = time.monotonic() + self.pause_s
            yield
        finally:
            self._in_flight -= 1
            self._freed.set()

    def hold(self, seconds: float) -> None:
        """Send nothing for so long: the host said when to come back."""
        self._free_at = max(self._free_at, time.monotonic() + seconds)

    def note(self, status: int, seconds: float, *, told_when: bool = False) -> None:
        """Learn from an answer and the time until it began; `told_when` if a complaint said how long to `hold`."""
        self._answers += 1
        weight = max(0.02, 1 / self._answers)
        self._usual_s += weight * (seconds - self._usual_s)
        self._recent_s += max(0.3, weight) * (seconds - self._recent_s)
        slow = self._recent_s > max(SLOW_S, SLOW_FACTOR * self._usual_s) and self._answers > _WARM_UP_ANSWERS
        complains = status in STRAIN_STATUSES
        self._complaints.append(complains or slow)
        self._calm += 1
        if complains or slow:
            self._strain(f"HTTP {status}" if complains else f"answers take {self._recent_s:.1f} s", told_when)
        if self._is_calm():
            self._calm, self._uneasy_at = 0, time.monotonic()
            self._recover()

    @property
    def _often(self) -> bool:
        """Whether complaints are more than what happens."""
        return sum(self._complaints) > TOLERATED_SHARE * len(self._complaints)

    def _is_calm(self) -> bool:
        many_answers = self._calm >= CALM_ANSWERS and not self._often
        return many_answers or time.monotonic() - self._uneasy_at >= CALM_S

    def _strain(self, why: str, told_when: bool) -> None:
        """The host struggles: half as many requests at once, ever fewer if it often does.

        When it is one already, twice the pause, unless holding as long as the host said is pause enough.
        """
        now = self._uneasy_at = time.monotonic()
        if now - self._dropped_at < _SETTLE_S:
            return
        fewest = 1 if self._often else max(self._full // 2, 1)
        is_news = self._often or self.limit == self._full
        if self.limit > fewest:
            self.limit = max(self.limit // 2, fewest)
        elif self._often and not told_when:
            self.extra_delay_s = min(max(2 * self.extra_delay_s, _FIRST_EXTRA_DELAY_S), MAX_EXTRA_DELAY_S)
        else:
            return
        self._dropped_at, self._calm = now, 0
        level = logging.INFO if is_news else logging.DEBUG
        _log.log(
            level, "crawl: %s; slowing to %d at once, %g s more between requests", why, self.limit, self.extra_delay_s
        )

    def _recover(self) -> None:
        if self.extra_delay_s:
            self.extra_delay_s = self.extra_delay_s / 2 if self.extra_delay_s > _FIRST_EXTRA_DELAY_S else 0.0
        elif self.limit < self._full:
            self.limit += 1
            self._freed.set()
