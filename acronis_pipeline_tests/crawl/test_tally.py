"""What is said of a crawl while it is under way."""

import logging

import pytest

from acronis_pipeline.crawl.running import tally as tally_module
from acronis_pipeline.crawl.running.tally import Tally


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    """The progress line at a moment, after so many more visits."""
    now = [1000.0]
    monkeypatch.setattr(tally_module.time, "monotonic", lambda: now[0])
    caplog.set_level(logging.INFO)
    tally = Tally()

    def line(after_s: float, visits: int, *, queued: int, pause_s: float = 0.0) -> str:
        now[0] += after_s
        for _ in range(visits):
            tally.visit()
        caplog.clear()
        tally.progress(queued, pause_s=pause_s)
        return caplog.text

    return line


def test_the_time_left_follows_the_rate_of_the_last_minute(told) -> None:
    for _ in range(10):
        assert "about 10 s for those, 10.0 requests/s" in told(10, 100, queued=100)
    for _ in range(6):
        slowed = told(10, 10, queued=60)
    assert "about 60 s for those, 1.0 requests/s" in slowed


def test_the_time_left_is_never_less_than_the_pauses_to_come(told) -> None:
    assert "about 50 min for those" in told(10, 100, queued=100, pause_s=30.0)
    assert "about 50 min for those" in told(10, 0, queued=100, pause_s=30.0)
