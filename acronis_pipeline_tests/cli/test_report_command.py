"""`acronis-pipeline report`, on reports made from ranks: no crawl, no model."""

from pathlib import Path

import pytest

from acronis_pipeline.store import Store
from acronis_pipeline_tests.cli.conftest import Command, assert_one_line_error
from acronis_pipeline_tests.records.kept import keep, questions


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a report of each of two recipes; that of `full` is the newer one."""
    store = Store(str(tmp_path / "data" / "lancedb"))
    for minute, recipe in enumerate(("lora", "full")):
        keep(store, recipe, {"bm25": questions(n_bad=6), "base": questions(n_bad=3)}, minute=minute)
    return tmp_path / "data"


def test_page_of_the_newest_report_is_made_once_and_its_place_printed(command: Command, data: Path) -> None:
    ended = command("report", "--data", data)
    assert ended.code == 0
    file = Path(ended.out.strip())
    assert file.parent == data / "reports"
    assert "Evaluation of recipe <code>full</code>" in file.read_text("utf-8")
    file.write_text("kept")
    assert command("report", "--data", data).out == ended.out
    assert file.read_text() == "kept"


def test_recipe_is_chosen_and_the_page_copied_where_it_is_wanted(command: Command, data: Path, tmp_path: Path) -> None:
    wanted = tmp_path / "out" / "report.html"
    ended = command("report", "lora", "--out", wanted, "--data", data)
    assert ended.out.strip() == str(wanted)
    assert "Evaluation of recipe <code>lora</code>" in wanted.read_text("utf-8")


def test_unknown_recipe_and_folder_without_reports_are_told_what_to_do(
    command: Command, data: Path, tmp_path: Path
) -> None:
    assert_one_line_error(command("report", "distill", "--data", data), "distill", "eval_report[distill]")
    assert_one_line_error(command("report", "--data", tmp_path / "nothing"), "nothing", "acronis-pipeline demo")
    assert not (tmp_path / "nothing").exists()
