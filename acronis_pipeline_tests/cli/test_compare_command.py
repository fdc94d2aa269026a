"""`acronis-pipeline compare`: the figures that MLflow has, in the terminal."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from acronis_pipeline.core.settings import load_settings, read_profile, remember_addresses, write_profile
from acronis_pipeline.reporting import ReportView
from acronis_pipeline.store import Store
from acronis_pipeline.store.tables import METRICS
from acronis_pipeline.tracking import Tracker, record_report
from acronis_pipeline_tests.cli.conftest import Command, Ended, assert_one_line_error
from acronis_pipeline_tests.records.kept import keep, model_record, questions

pytestmark = pytest.mark.slow

Compare = Callable[..., Ended]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with two reports of recipe `full` and one of `adapter`, all of them in MLflow."""
    folder = tmp_path_factory.mktemp("compared")
    settings = load_settings(folder)
    store, tracker, human = Store(settings.store_uri), Tracker.of(settings), questions("h", n=4, n_bad=1)
    for minute, (recipe, n_bad) in enumerate([("full", 6), ("full", 1), ("adapter", 3)]):
        asked = {"bm25": questions(n_bad=5) | human, "fine_tuned": questions(n_bad=n_bad) | human}
        report = keep(store, recipe, asked, minute=minute)
        record_report(tracker, ReportView(store, report), model=model_record(recipe), tags={})
    return folder


@pytest.fixture
def compare(command: Command, data: Path) -> Compare:
    return lambda *arguments: command("compare", "--data", data, *arguments)


def test_link_leads_to_where_the_ui_was_last_served(compare: Compare, data: Path):
    settings = load_settings(data)
    addresses = {"mlflow_ui_url": "http://127.0.0.1:5111", "dagster_ui_url": settings.dagster_ui_url}
    remember_addresses(settings, addresses)
    assert not settings.profile_file.exists()  # of no site: `run` would take the folder for one of another
    write_profile(settings, {"site": {"url": "sample"}})
    try:
        remember_addresses(settings, addresses)
        assert read_profile(data) == {"site": {"url": "sample"}, "mlflow_ui_url": "http://127.0.0.1:5111"}
        assert json.loads(compare("--json").out)["mlflow_url"].startswith("http://127.0.0.1:5111/#/")
    finally:
        settings.profile_file.unlink()


def test_every_figure_is_the_one_in_mlflow(compare: Compare, data: Path):
    found = json.loads(compare("--json").out)
    assert [report["recipe"] for report in found["reports"]] == ["adapter", "full"]
    children = Tracker.of(load_settings(data)).find("tags.system != ''")
    in_mlflow = {(run.tags["report_id"], run.tags["system"]): run.metrics for run in children}
    report_of = {report["label"]: report["report_id"] for report in found["reports"]}
    assert len(found["rows"]) == 8
    for row in found["rows"]:
        logged = in_mlflow[report_of[row["label"]], row["system"]]
        prefix = "" if row["question_set"] == "synthetic" else "human_"
        assert row["metrics"] == {name: logged[f"{prefix}{name}"] for name in METRICS}
        assert row["n"] == logged[f"{prefix}n"]


def test_recipes_newest_reports_stand_side_by_side_without_arguments(compare: Compare):
    ended = compare()
    assert (ended.code, ended.err) == (0, ())
    for words in (
        "A  adapter",
        "B  full",
        "synthetic questions",
        "human questions",
        "hit@5",
        "MRR@10",
        "p = ",
        "In MLflow:",
    ):
        assert words in ended.out
    assert "equal on every question" in ended.out


def test_report_is_compared_with_the_one_before(compare: Compare):
    rows = json.loads(compare("full~1", "full", "--json").out)["rows"]
    first, second = (row for row in rows if (row["system"], row["question_set"]) == ("fine_tuned", "synthetic"))
    assert first["differences"] is None
    assert second["differences"]["hit_rate_at_1"] == pytest.approx(5 / 12)
    assert second["paired"]["low"] > 0


def test_systems_are_compared_by_the_ids_of_their_runs(compare: Compare, data: Path):
    children = Tracker.of(load_settings(data)).find("tags.recipe = 'adapter' AND tags.system != ''")
    systems = {run.tags["system"]: run.run_id for run in children}
    found = json.loads(compare(systems["bm25"], systems["fine_tuned"][:12], "--json").out)
    assert [report["system"] for report in found["reports"]] == ["bm25", "fine_tuned"]
    assert all(run_id in found["mlflow_url"] for run_id in systems.values())


def test_metrics_can_be_chosen(compare: Compare):
    shown = compare("--metric", "recall_at_5", "--metric", "map_at_10").out
    assert "R@5" in shown
    assert "MAP@10" in shown
    assert "MRR@10" not in shown
    assert_one_line_error(compare("--metric", "accuracy"), "accuracy", "mrr_at_10")


def test_unknown_run_costs_one_line_with_what_comes_close(compare: Compare):
    assert_one_line_error(compare("ful", "adapter"), "'ful'", "did you mean full?")


def test_data_folder_without_reports_says_so(command: Command, tmp_path: Path):
    assert_one_line_error(command("compare", "--data", tmp_path), "no report", "acronis-pipeline demo")
