"""A host that struggles is asked less, and more again once it is well."""

import asyncio
import time

import pytest

from acronis_pipeline.crawl.fetching import pace as pace_module
from acronis_pipeline.crawl.fetching.pace import CALM_ANSWERS, Pace


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace_module, "_SETTLE_S", 0.0)


@pytest.mark.parametrize("status", [429, 503])
def test_a_complaint_halves_the_requests_in_flight(status: int) -> None:
    pace = Pace(concurrency=8)
    pace.note(status, 0.1)
    assert (pace.limit, pace.extra_delay_s) == (4, 0.0)


def test_further_complaints_lengthen_the_pause_up_to_a_limit() -> None:
    pace = Pace(concurrency=2)
    for _ in range(20):
        pace.note(429, 0.1)
    assert (pace.limit, pace.extra_delay_s) == (1, pace_module.MAX_EXTRA_DELAY_S)


def test_complaints_about_requests_already_under_way_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace_module, "_SETTLE_S", 60.0)
    pace = Pace(concurrency=8)
    for _ in range(8):
        pace.note(503, 0.1)
    assert pace.limit == 4


def test_answers_that_become_much_slower_are_a_complaint() -> None:
    pace = Pace(concurrency=4)
    for _ in range(30):
        pace.note(200, 0.05)
    pace.note(200, 9.0)
    assert pace.limit == 2


def test_a_host_that_is_always_slow_is_no_worse_than_usual() -> None:
    pace = Pace(concurrency=4)
    for _ in range(50):
        pace.note(200, 3.0)
    assert pace.limit == 4


def test_calm_brings_everything_back_step_by_step() -> None:
    pace = Pace(concurrency=3)
    for _ in range(3):
        pace.note(429, 0.1)
    assert (pace.limit, pace.extra_delay_s) == (1, 1.0)
    for _ in range(CALM_ANSWERS * 2):
        pace.note(200, 0.1)
    assert (pace.limit, pace.extra_delay_s) == (1, 0.0)
    for _ in range(CALM_ANSWERS * 5):
        pace.note(200, 0.1)
    assert pace.limit == 3


def test_no_more_requests_than_the_limit_are_in_flight() -> None:
    async def work() -> int:
        pace = Pace(concurrency=3)
        now = most = 0

        async def one() -> None:
            nonlocal now, most
            async with pace.turn():
                now += 1
                most = max(most, now)
                await asyncio.sleep(0.005)
                now -= 1

        await asyncio.gather(*(one() for _ in range(12)))
        return most

    assert asyncio.run(work()) == 3


def test_a_cancelled_request_gives_its_place_back() -> None:
    async def work() -> None:
        pace = Pace(concurrency=1)

        async def hang() -> None:
            async with pace.turn():
                await asyncio.sleep(60)

        task = asyncio.create_task(hang())
        await asyncio.sleep(0.01)
        task.cancel()
        async with asyncio.timeout(1), pace.turn():
            pass

    asyncio.run(work())


def test_the_pause_is_kept_between_requests_and_a_hold_holds_everyone() -> None:
    async def work() -> float:
        pace = Pace(0.05, concurrency=4)
        pace.hold(0.1)
        started = time.monotonic()

        async def one() -> None:
            async with pace.turn():
                pass

        await asyncio.gather(*(one() for _ in range(3)))
        return time.monotonic() - started

    assert asyncio.run(work()) >= 0.2


def test_a_host_that_fails_now_and_then_keeps_half_of_its_pace() -> None:
    pace = Pace(concurrency=8)
    lowest = 8
    for number in range(1, 600):
        pace.note(503 if number % 10 == 0 else 200, 0.1)
        lowest = min(lowest, pace.limit)
    assert (lowest, pace.extra_delay_s) == (4, 0.0)


def test_a_host_that_says_when_to_come_back_is_not_made_to_wait_longer_than_that() -> None:
    pace = Pace(concurrency=8)
    for _ in range(20):
        pace.note(503, 0.1, told_when=True)
    assert (pace.limit, pace.extra_delay_s) == (1, 0.0)


def test_at_a_long_pause_time_brings_it_back_before_twenty_answers_do(monkeypatch: pytest.MonkeyPatch) -> None:
    pace = Pace(concurrency=1)
    for _ in range(20):
        pace.note(503, 0.1)
    assert pace.extra_delay_s == pace_module.MAX_EXTRA_DELAY_S
    now = time.monotonic()
    for answer in range(1, 10):
        monkeypatch.setattr(pace_module.time, "monotonic", lambda at=now + 30.0 * answer: at)
        pace.note(200, 0.1)
    assert pace.extra_delay_s == 0.0
