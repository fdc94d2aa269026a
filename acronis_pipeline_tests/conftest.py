"""The whole pipeline, run once for all tests of the outer layers (defs, command line, answers, browser)."""

from pathlib import Path

import pytest

from acronis_pipeline_tests import finished_run
from acronis_pipeline_tests.finished_run import FinishedRun


@pytest.fixture(scope="session")
def _finished(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    with pytest.MonkeyPatch.context() as monkeypatch:
        return finished_run.make(tmp_path_factory.mktemp("finished"), monkeypatch)


@pytest.fixture
def finished(_finished: FinishedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FinishedRun:
    """A finished run, its folder selected by the environment; shared, so only to be read."""
    _finished.enter(monkeypatch, working_dir=tmp_path)
    return _finished


@pytest.fixture
def copied(_finished: FinishedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FinishedRun:
    """A finished run in a folder of its own, to be changed at will."""
    copy = _finished.copied_to(tmp_path / "copied")
    copy.enter(monkeypatch, working_dir=tmp_path)
    return copy
