"""Extraction in other processes: the same contents, and no page that takes the others with it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from acronis_pipeline.content import extract, extractor
from acronis_pipeline.content.extractor import ExtractionError, Extractors
from acronis_pipeline.core.errors import SettingsError

pytestmark = pytest.mark.server

URL = "http://h.example/a"
PAGE = '<html lang="en"><main><h1 id="t">Title</h1><p>Some text, <a href="/b">linked to b</a>.</p></main>'
SLOW = "<main>" + "<p>word" * 1_000_000


@pytest.fixture
def one() -> Iterator[Extractors]:
    extractors = Extractors(1, limit_s=20.0)
    yield extractors
    extractors.close()


def pids(extractors: Extractors) -> list[int]:
    return [process._popen.pid for process in extractors._all]


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rsplit(")", 1)[1].split()[0] != "Z"


def test_a_page_reads_the_same_elsewhere(one: Extractors) -> None:
    assert not pids(one)
    assert one.extract(PAGE, url=URL) == extract(PAGE, url=URL)
    assert len(pids(one)) == 1


def test_a_selector_that_is_none_is_the_users_to_mend(one: Extractors) -> None:
    with pytest.raises(SettingsError):
        one.extract(PAGE, url=URL, selector="main >")
    assert one.extract(PAGE, url=URL, selector="main").method == "selector"


def test_a_process_that_dies_costs_its_page(one: Extractors) -> None:
    one.extract(PAGE, url=URL)
    os.kill(pids(one)[0], signal.SIGSEGV)
    with pytest.raises(ExtractionError, match="crashed"):
        one.extract(PAGE, url=URL)
    assert one.extract(PAGE, url=URL).title == "Title"
    assert len(pids(one)) == 1


def test_a_page_that_takes_too_long_is_given_up() -> None:
    extractors = Extractors(1, limit_s=0.3)
    with pytest.raises(ExtractionError, match=r"more than 0\.3 s"):
        extractors.extract(SLOW, url=URL)
    assert extractors.extract(PAGE, url=URL).title == "Title"
    extractors.close()


def test_closing_ends_the_processes_and_what_they_read(one: Extractors) -> None:
    one.extract(PAGE, url=URL)
    (pid,) = pids(one)
    one.close()
    assert not is_running(pid)


def test_a_machine_without_processes_reads_pages_all_the_same(
    one: Extractors, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(extractor.subprocess, "Popen", refuse)
    assert [one.extract(PAGE, url=URL).title for _ in range(2)] == ["Title"] * 2
    assert caplog.text.count("no more processes") == 1


@pytest.mark.skipif(not os.path.exists("/proc"), reason="asks /proc")
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_whatever_ends_the_caller_ends_its_processes(sent: signal.Signals) -> None:
    # Not guarded by `__name__`: a caller's program is not run again.
    program = f"""
import time
from acronis_pipeline.content.extractor import Extractors
extractors = Extractors(1, limit_s=20.0)
extractors.extract({PAGE!r}, url={URL!r})
print(extractors._all.copy().pop()._popen.pid, flush=True)
time.sleep(20)
"""
    command = [sys.executable, "-c", program]
    caller = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert caller.stdout
    pid = int(caller.stdout.readline())
    assert is_running(pid)
    caller.send_signal(sent)
    caller.wait()
    caller.stdout.close()
    until = time.monotonic() + 5
    while is_running(pid) and time.monotonic() < until:
        time.sleep(0.01)
    assert not is_running(pid)
