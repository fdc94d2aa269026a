"""The whole pipeline, run once for all tests of the outer layers (defs, command line, answers, browser)."""

import os
import sqlite3
import ssl
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import hypothesis
import pytest
import urllib3.util.connection  # noqa: F401 - it asks for IPv6 by a bind when it is first imported, in whichever test
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, event

from acronis_pipeline.evaluate import evaluation
from acronis_pipeline_tests import finished_run
from acronis_pipeline_tests.finished_run import FinishedRun
from acronis_pipeline_tests.needs import ByFile, Guard, costly_first, is_left_out, mark, needs

# Without compiled modules every process that a test starts compiles what it imports: of torch that takes 20 s.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Torch's idle threads spin by default: beside another busy process on 2 cores that makes tests 5 times slower. It is
# read when torch is loaded, which is later.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# The workers have the processors between them, and most matrices here are so small that a second thread only waits.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples everywhere, so that a change is what breaks a test; HYPOTHESIS_PROFILE=default looks for new ones.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

guard = Guard()


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark(items)
    costly_first(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile | None:
    return ByFile(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return is_left_out(collection_path, config.getoption("markexpr")) or None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    guard.marks = {mark.name for mark in item.iter_markers()}
    try:
        return (yield)
    finally:
        guard.marks = None


@event.listens_for(Engine, "connect")
def _wait_for_no_disk(connection: object, _: object) -> None:
    """Dagster and MLflow commit every event, and a commit waits for the disk; a test that is killed loses nothing."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=OFF")


@pytest.fixture(scope="session", autouse=True)
def read_once() -> Iterator[None]:
    """What libraries read anew each time: sixty scripts of migrations for a database, all certificates for a client."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for owner, name in (
            (ScriptDirectory, "from_config"),
            (httpx2, "create_ssl_context"),
            (ssl, "create_default_context"),
        ):
            monkeypatch.setattr(owner, name, cache(getattr(owner, name)))
        yield


@pytest.fixture(scope="session", autouse=True)
def timed_briefly() -> Iterator[None]:
    """Time systems on one question: in a small world that takes more than everything else of an evaluation."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(evaluation, "_BUDGET_S", 0.0)
        monkeypatch.setattr(evaluation, "_LEAST", 1)
        yield


@pytest.fixture(scope="session")
@needs("server", "model")
def finished_once(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    with pytest.MonkeyPatch.context() as monkeypatch:
        return finished_run.make(tmp_path_factory.mktemp("finished"), monkeypatch)


@pytest.fixture
def finished(finished_once: FinishedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FinishedRun:
    """A finished run, its folder selected by the environment; shared, so only to be read."""
    finished_once.enter(monkeypatch, working_dir=tmp_path)
    return finished_once


@pytest.fixture
def copied(finished_once: FinishedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FinishedRun:
    """A finished run in a folder of its own, to be changed at will."""
    copy = finished_once.copied_to(tmp_path / "copied")
    copy.enter(monkeypatch, working_dir=tmp_path)
    return copy
