"""A data folder that was moved goes on where it stands; a name that a URL would spell otherwise makes no difference."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from acronis_pipeline.champion import current_champion
from acronis_pipeline.models.records import current_model
from acronis_pipeline_tests.cli.conftest import Command
from acronis_pipeline_tests.cli.test_champion_commands import other_system
from acronis_pipeline_tests.finished_run import RECIPE, FinishedRun

NAME = "jürgen's 100% C#"


@pytest.fixture
def moved(finished_once: FinishedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FinishedRun]:
    """A finished run under another name, and as long as it is in use nothing where it was made."""
    made, aside = finished_once.data_dir, finished_once.data_dir.with_name("aside")
    copy = replace(finished_once, data_dir=tmp_path / NAME / "data", edits=tmp_path / "edits")
    copy.edits.mkdir()
    made.rename(aside)
    try:
        shutil.copytree(aside, copy.data_dir)
        copy.enter(monkeypatch, working_dir=copy.edits)
        yield copy
        assert not made.exists()  # nothing was written where it used to be
    finally:
        shutil.rmtree(made, ignore_errors=True)
        aside.rename(made)


def test_it_runs_asks_rolls_back_and_reports(moved: FinishedRun, command: Command, tmp_path: Path) -> None:
    again = moved.run_again()
    assert (again.changed, again.reports) == ((), moved.outcome.reports)
    assert [answer.text for answer in again.answers] == [answer.text for answer in moved.outcome.answers]

    record = current_model(moved.store, RECIPE)
    assert record
    assert record.folder.is_relative_to(moved.data_dir)
    client = moved.tracker.client
    runs = client.search_runs([moved.tracker.experiment_id])
    assert all(run.info.artifact_uri.startswith((moved.data_dir / "mlartifacts").as_uri()) for run in runs)
    assert any(client.list_artifacts(run.info.run_id) for run in runs)

    assert command("ask", "Is there a trial period?").code == 0
    before = current_champion(moved.store)
    promoted = command("champion", "promote", RECIPE, other_system(moved), "--reason", "a demonstration")
    assert promoted.code == 0, promoted.err
    ended = command("champion", "rollback", "--reason", "it was one")
    assert ended.code == 0, ended.err
    shown = json.loads(command("champion", "show", "--json").out)
    assert (before and before.system.name, []) == (shown["system"]["name"], shown["problems"])
    ended = command("report", "--data", moved.data_dir)
    assert ended.code == 0, ended.err
    assert [path.name for path in tmp_path.iterdir() if path.name != "edits"] == [NAME]
