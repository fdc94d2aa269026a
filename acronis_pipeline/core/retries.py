"""When a request is worth another attempt, and how long to wait before it."""

import email.utils
import random
import time

STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers after which another attempt may help."""
MAX_RETRY_AFTER_S = 120.0
"""A server that wants to be left alone for longer gets its wish: the page fails now and is asked again next crawl."""

FIRST_BACKOFF_S = 0.5


def retry_after_s(header: str | None) -> float | None:
    """Seconds that a Retry-After header (a number or a date) asks for; None if it says nothing usable."""
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return None


def hold_s(header: str | None) -> float | None:
    """Seconds for which a Retry-After header wants nothing to be sent; None if it says nothing, or too long a time."""
    asked_s = retry_after_s(header)
    return asked_s if asked_s is not None and asked_s <= MAX_RETRY_AFTER_S else None


def backoff_s(attempt: int) -> float:
    """Doubling, with jitter so that workers that failed together do not come back together."""
    return FIRST_BACKOFF_S * 2**attempt * random.uniform(0.5, 1.5)
