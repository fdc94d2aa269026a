"""How often the host may be asked: a minimum pause between requests, longer when it asks for rest."""

import asyncio
import time


class Pace:
    """Requests of all workers pass here, one every `delay_s`."""

    def __init__(self, delay_s: float = 0.0) -> None:
        self.delay_s = delay_s
        self._free_at = 0.0

    async def turn(self) -> None:
        """Return when the next request may be sent."""
        # A hold can move `_free_at` while this waits, hence the loop; the slot is taken without an await in between.
        while (wait_s := self._free_at - time.monotonic()) > 0:
            await asyncio.sleep(wait_s)
        self._free_at = time.monotonic() + self.delay_s

    def hold(self, seconds: float) -> None:
        """Send nothing for so long: the host said when to come back."""
        self._free_at = max(self._free_at, time.monotonic() + seconds)
