"""When the nightly run may be told to start: what is accepted, Dagster can schedule."""

import pytest
from dagster._utils.schedules import is_valid_cron_string
from hypothesis import given
from hypothesis import strategies as st

from acronis_pipeline.core.settings.serving import require_cron, require_time_zone

_NUMBERS = st.integers(0, 70).map(str) | st.sampled_from(["*", "jan", "DEC", "mon", "Sun", "x", "", "-1", "L"])
_RANGES = st.tuples(_NUMBERS, _NUMBERS).map("-".join) | _NUMBERS
_PARTS = st.tuples(_RANGES, _NUMBERS).map("/".join) | _RANGES
_FIELDS = st.lists(_PARTS, min_size=1, max_size=3).map(",".join) | st.just("*")


def is_accepted(expression: str) -> bool:
    try:
        return bool(require_cron(expression))
    except ValueError:
        return False


@given(st.lists(_FIELDS, min_size=4, max_size=6).map(" ".join))
def test_whatever_is_accepted_dagster_can_schedule(expression):
    assert not is_accepted(expression) or is_valid_cron_string(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "0 3 * * *",
        "*/15 * * * *",
        "30 4 1,15 * mon-fri",
        "0 0-6/2 * JAN sun",
        "5 3 29 2 *",
        "0 3 31 1-12/2 *",
        "0 0 * * 7",
        "0 3 1 jul *",
    ],
)
def test_what_a_crontab_takes_is_accepted(expression):
    assert is_valid_cron_string(expression)
    assert require_cron(expression) == expression


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("0 99 * *", "4 fields, but cron has five"),
        ("0 99 * * *", "hour '99' is not within 0-23"),
        ("every night", "2 fields"),
        ("0 3 * * someday", "day of week 'someday'"),
        ("0 6-3 * * *", "hour '6-3'"),
        ("*/0 * * * *", "minute"),
        ("0 3 30 feb *", "no such day"),
        ("0 3 31 4,6 *", "no such day"),
        ("0 3 L * *", "day of month 'L'"),
        ("0 3 * * 5L", "day of week '5L'"),
        ("0 3 * * 5#2", "day of week '5#2'"),
    ],
)
def test_what_can_never_fire_is_refused_with_the_field_named(expression, words):
    with pytest.raises(ValueError, match=words.replace("*", r"\*")):
        require_cron(expression)


@pytest.mark.parametrize("name", ["Mars/Phobos", "Europe", "", "../etc/passwd", "CET+1"])
def test_time_zone_that_does_not_exist_is_refused(name):
    with pytest.raises(ValueError, match="no such time zone"):
        require_time_zone(name)


@pytest.mark.parametrize("name", ["UTC", "Europe/Zurich"])
def test_time_zone_of_the_database_is_accepted(name):
    assert require_time_zone(name) == name
