"""What a person may call a report."""

import pytest

from acronis_pipeline import evaluate
from acronis_pipeline.core.errors import UnknownRunError
from acronis_pipeline.tracking import RunSummary
from acronis_pipeline.tracking.compare import select
from acronis_pipeline_tests.records.kept import keep, questions

ASKED = {"bm25": questions(), "fine_tuned": questions()}
PARENT, CHILD = "aaaa" + "0" * 28, "bbbb" + "0" * 28


@pytest.fixture
def kept(store):
    """Two reports of recipe full, the newer one with a run in MLflow, and one of another recipe."""
    older, newer = keep(store, "full", ASKED), keep(store, "full", ASKED, minute=5)
    evaluate.set_mlflow_run(store, newer.report_id, PARENT)
    return older, newer, keep(store, "adapter", ASKED, minute=3)


def no_runs() -> list[RunSummary]:
    return []


def chosen(store, *names: str, find_runs=no_runs) -> list[tuple[str, str | None]]:
    return [(one.report.report_id, one.system) for one in select(store, names, find_runs)]


def test_without_names_the_newest_report_of_every_recipe_is_meant(store, kept):
    _, newer, adapter = kept
    assert chosen(store) == [(adapter.report_id, None), (newer.report_id, None)]


def test_recipe_means_its_newest_report_and_a_tilde_goes_back(store, kept):
    older, newer, _ = kept
    assert chosen(store, "full", "full~0", "full~1") == [(r.report_id, None) for r in (newer, newer, older)]


def test_ids_may_be_cut_short(store, kept):
    older, newer, _ = kept
    assert chosen(store, older.report_id[:6], PARENT[:4]) == [(older.report_id, None), (newer.report_id, None)]


def test_system_is_named_after_a_slash_or_by_its_run_in_mlflow(store, kept):
    _, newer, adapter = kept
    child = RunSummary(CHILD, "FINISHED", {}, {}, {"report_id": newer.report_id, "system": "bm25"})
    found = chosen(store, "adapter/fine_tuned", CHILD[:6], find_runs=lambda: [child])
    assert found == [(adapter.report_id, "fine_tuned"), (newer.report_id, "bm25")]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ful", "did you mean full?"),
        ("adaptr", "did you mean adapter?"),
        ("aaab", "did you mean aaaa0000"),
        ("something else", "recipes with reports are adapter, full"),
        ("full~2", "full has 2 reports; the oldest is full~1"),
        ("full/hybrid", "has no system 'hybrid'; it has bm25, fine_tuned"),
    ],
)
def test_unknown_name_is_refused_with_what_comes_close(store, kept, name, said):
    with pytest.raises(UnknownRunError, match=said.replace("?", r"\?")):
        select(store, [name], no_runs)


def test_beginning_of_several_ids_is_refused_with_all_of_them(store, kept):
    older, newer, _ = kept
    evaluate.set_mlflow_run(store, older.report_id, PARENT[:8] + "f" * 24)
    with pytest.raises(UnknownRunError, match=f"{older.report_id}.*{newer.report_id}"):
        select(store, [PARENT[:6]], no_runs)


def test_systems_are_not_compared_with_whole_reports(store, kept):
    with pytest.raises(UnknownRunError, match="name a system for each"):
        select(store, ["full/bm25", "adapter"], no_runs)


def test_store_without_reports_says_what_to_run(store):
    with pytest.raises(UnknownRunError, match="acronis-pipeline demo"):
        select(store, [], no_runs)
