from dataclasses import replace
from datetime import UTC, datetime

import pytest

from acronis_pipeline import evaluate as evaluation
from acronis_pipeline import index
from acronis_pipeline.champion import Contender, promote, reports_in_use
from acronis_pipeline.evaluate import stored
from acronis_pipeline.pairs.gold import GoldQuestion
from acronis_pipeline.retrieve import System
from acronis_pipeline.store import tables
from acronis_pipeline_tests.evaluate.worlds import CHUNKS, DATASET, GOLD, build
from acronis_pipeline_tests.index.corpora import chunk, write_chunks

pytestmark = pytest.mark.slow


@pytest.fixture
def world(tmp_path):
    return build(tmp_path)


def refresh(world, gold=GOLD, dataset=DATASET) -> evaluation.EvalResult:
    store, base, tuned = world
    return evaluation.refresh(store, "words", dataset, gold, base, tuned)


def test_unchanged_report_is_read_and_not_computed(world, monkeypatch) -> None:
    first = refresh(world)
    monkeypatch.setattr(stored, "evaluate", None)
    second = refresh(world)
    assert (first.reused, second.reused) == (False, True)
    assert second.report == first.report


def test_new_question_makes_a_new_report(world) -> None:
    first = refresh(world)
    second = refresh(world, gold=(*GOLD, GoldQuestion("more", "explain question9", ("https://docs.test/c9/",))))
    assert not second.reused
    assert second.report.report_id != first.report.report_id
    assert evaluation.latest_report(world[0], "words") == second.report


def test_new_passage_makes_a_new_report(world) -> None:
    store, base, tuned = world
    first = refresh(world)
    write_chunks(store, [*CHUNKS, chunk("new", "A new page")])
    index.refresh(store, base)
    index.refresh(store, tuned)
    assert refresh(world).report.questions_id != first.report.questions_id


def test_results_of_a_report_are_kept(world) -> None:
    report = refresh(world).report
    results = evaluation.question_results(world[0], [report.report_id])
    assert results.num_rows == 5 * (25 + 8)
    assert evaluation.question_results(world[0], []).num_rows == 0


def test_interrupted_evaluation_leaves_no_report_and_is_done_again(world, monkeypatch) -> None:
    store = world[0]
    with monkeypatch.context() as patch:
        patch.setattr(evaluation.Report, "to_json", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            refresh(world)
    assert evaluation.latest_report(store, "words") is None
    again = refresh(world)
    assert not again.reused
    assert evaluation.question_results(store, [again.report.report_id]).num_rows == 5 * (25 + 8)


def test_latest_reports_hold_one_a_recipe(world) -> None:
    store, base, tuned = world
    refresh(world)
    newer = refresh(world, dataset=replace(DATASET, test=DATASET.test[:20])).report
    other = evaluation.refresh(store, "another", DATASET, GOLD, base, tuned).report
    assert evaluation.latest_reports(store) == [other, newer]


def test_link_to_mlflow_is_kept_beside_the_report(world) -> None:
    store = world[0]
    report = refresh(world).report
    evaluation.set_mlflow_run(store, report.report_id, "run-1")
    assert evaluation.latest_report(store, "words") == report
    assert refresh(world).reused


def test_report_on_data_that_came_back_is_the_newest_again(world) -> None:
    store = world[0]
    first = refresh(world).report
    second = refresh(world, dataset=replace(DATASET, test=DATASET.test[:20])).report
    assert evaluation.latest_report(store, "words") == second
    again = refresh(world)
    assert (again.reused, again.report.report_id) == (True, first.report_id)
    assert evaluation.latest_report(store, "words") == again.report


def test_reports_beyond_the_newest_go_with_their_results_unless_a_promotion_rests_on_them(world) -> None:
    store = world[0]
    n_asked = (20, 21, 22, 23)
    ids = [refresh(world, dataset=replace(DATASET, test=DATASET.test[:n])).report.report_id for n in n_asked]
    # All within a second, which is as fine as reports tell the time.
    for hour, report_id in enumerate(ids):
        row = store.read(tables.REPORTS, where=f"report_id = '{report_id}'").to_pylist()[0]
        moment = datetime(2026, 11, 21, hour, tzinfo=UTC)
        store.upsert(tables.REPORTS, tables.REPORTS.rows([row | {"created_at": moment}]))
    promote(
        store, Contender("words", System("bm25", "bm25", "t"), None, ids[0]), move="first", reason="", previous=None
    )
    assert stored.prune(store, "another", keep=1) == 0
    assert stored.prune(store, "words", reports_in_use(store), keep=2) == 1
    left = {stored_report.report.report_id for stored_report in evaluation.stored_reports(store)}
    assert left == {ids[0], ids[2], ids[3]}
    assert evaluation.question_results(store, [ids[1]]).num_rows == 0
    assert evaluation.question_results(store, [ids[0]]).num_rows > 0
    refreshed = refresh(world, dataset=replace(DATASET, test=DATASET.test[:21]))
    assert (refreshed.reused, refreshed.report.report_id) == (False, ids[1])
