"""Cron expressions and time zones, checked where they are set.

Dagster's own check comes too late: by then the UI is up and shows a traceback where the graph should be. Its parser is
part of Dagster, which settings do not import. What a crontab accepts is accepted, a part of what Dagster takes.
"""

import re
from collections.abc import Sequence
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_DAYS = "sun mon tue wed thu fri sat".split()
_FIELDS: tuple[tuple[str, int, int, Sequence[str]], ...] = (
    ("minute", 0, 59, []),
    ("hour", 0, 23, []),
    ("day of month", 1, 31, []),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 7, _DAYS),
)
_PART = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d+))?", re.ASCII)
_SHORTEST_MONTHS = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}


def require_cron(expression: str) -> str:
    """The expression itself.

    Raises
    ------
    ValueError
        If it is not five fields of a crontab, or names a day that no month has; says which field.
    """
    fields = expression.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(f"{len(fields)} fields, but cron has five; '0 3 * * *' is every night at three")
    named = [_values(field, *rule) for field, rule in zip(fields, _FIELDS, strict=True)]
    days, months = named[2], named[3]
    if fields[4] == "*" and min(days) > max(_SHORTEST_MONTHS.get(month, 31) for month in months):
        raise ValueError(f"no such day: month {fields[3]} has no day {fields[2]}")
    return expression


def require_time_zone(name: str) -> str:
    """The name itself.

    Raises
    ------
    ValueError
        If the time zone database does not have it.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a region such as `Europe` is a folder
        raise ValueError("no such time zone; write it as 'Europe/Zurich' or 'UTC'") from None
    return name


def _values(field: str, name: str, low: int, high: int, words: Sequence[str]) -> set[int]:
    """Every value that a field stands for."""
    found: set[int] = set()
    for part in field.split(","):
        match = _PART.fullmatch(part)
        if not match:
            raise ValueError(f"{name} {field!r} is no number, range, list, step or '*'")
        first = low if match["first"] is None else _number(match["first"], low, words)
        last = high if match["first"] is None else first
        if match["last"] is not None:
            last = _number(match["last"], low, words)
        elif match["step"] is not None:
            last = high
        step = int(match["step"] or 1)
        if not low <= first <= last <= high or not 0 < step <= high:
            raise ValueError(f"{name} {field!r} is not within {low}-{high}")
        found |= set(range(first, last + 1, step))
    return found


def _number(text: str, low: int, words: Sequence[str]) -> int:
    if text.isdigit():
        return int(text)
    return words.index(text.lower()) + low if text.lower() in words else -1
