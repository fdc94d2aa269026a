"""Whether a sitemap's lastmod can vouch that a page is what it was when it was last asked for."""

import datetime as dt
import re

MAX_LIES = 0.01
"""Share of pages that may change under an unchanged lastmod before a site's lastmod is not believed any more."""

_DATE = re.compile(r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?")
_MINUTE = dt.timedelta(minutes=1)
"""Seconds are optional."""
_ANYWHERE = dt.timedelta(hours=12)
"""A date without a time zone ends last at UTC−12."""


def vouches(now: str | None, before: str | None, asked_at: dt.datetime) -> bool:
    """Whether a page has not changed since `asked_at`, going by what the sitemap says `now` and said `before`.

    It must say the same, and the whole span of time it may mean must lie before the visit: a page that changes twice a
    day, on the day of the visit, keeps its date.
    """
    if now is None or now != before:
        return False
    end = latest(now)
    return end is not None and end <= asked_at


def latest(lastmod: str) -> dt.datetime | None:
    """The last moment that a W3C date or time may mean (UTC); None for anything else."""
    try:
        if date := _DATE.fullmatch(lastmod.strip()):
            return _end_of(*date.groups()) + _ANYWHERE
        moment = dt.datetime.fromisoformat(lastmod.strip())
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        return moment.replace(tzinfo=dt.UTC) + _MINUTE + _ANYWHERE
    return moment.astimezone(dt.UTC) + _MINUTE


def _end_of(year: str, month: str | None, day: str | None) -> dt.datetime:
    begin = dt.datetime(int(year), int(month or 1), int(day or 1), tzinfo=dt.UTC)
    if day:
        return begin + dt.timedelta(days=1)
    if month:
        return (begin + dt.timedelta(days=31)).replace(day=1)
    return begin.replace(year=begin.year + 1)
