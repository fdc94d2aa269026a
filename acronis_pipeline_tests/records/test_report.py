"""What a report leaves in MLflow."""

import json
from dataclasses import replace

import pytest

from acronis_pipeline import evaluate
from acronis_pipeline.reporting import ReportView, verdict
from acronis_pipeline.store import Store
from acronis_pipeline.store.tables import METRICS
from acronis_pipeline.tracking import (
    DAGSTER_RUN,
    DAGSTER_URL,
    RunSummary,
    Tracker,
    compared_with_previous,
    record_report,
)
from acronis_pipeline_tests.records.kept import keep, model_record, questions

pytestmark = pytest.mark.slow

TAGS = {DAGSTER_RUN: "dagster-1", DAGSTER_URL: "http://dagster.test/runs/dagster-1", "data_version.chunks": "v1"}
ASKED = {
    "bm25": questions(n_bad=6) | questions("h", n_bad=2),
    "base": questions(n_bad=5) | questions("h", n_bad=1),
    "fine_tuned": questions(n_bad=1) | questions("h"),
}


@pytest.fixture
def recorded(tracker: Tracker, store: Store) -> tuple[evaluate.Report, str]:
    """A report of a model whose training is on record, and its run."""
    with tracker.run("train full") as training:
        training.params({"recipe": "full", "learning_rate": 2e-5, "epochs": 2})
    report = keep(store, "full", ASKED)
    run_id = record_report(
        tracker,
        ReportView(store, report),
        model=model_record("full", training.run_id),
        tags=TAGS,
        page=lambda links: f"<p>{links}</p>",
    )
    return report, run_id


def children(tracker: Tracker, run_id: str) -> dict[str, RunSummary]:
    return {run.tags["system"]: run for run in tracker.find(f"tags.mlflow.parentRunId = '{run_id}'")}


def test_each_system_is_a_child_with_every_metric_under_its_plain_name(tracker, recorded):
    report, run_id = recorded
    found = children(tracker, run_id)
    assert found.keys() == ASKED.keys()
    for name, child in found.items():
        for question_set, prefix in (("synthetic", ""), ("human", "human_")):
            score = report.score(name, question_set)
            assert score
            assert {m: child.metrics[f"{prefix}{m}"] for m in METRICS} == {m: score.metrics[m].mean for m in METRICS}
        assert child.metrics["latency_p95_ms"] == 7.0
        assert child.metrics["index_size_bytes"] == 1024
        assert child.metrics["validation_ndcg_at_10"] == 0.5


def test_child_says_how_far_it_is_ahead_and_what_it_forgot(tracker, recorded):
    report, run_id = recorded
    found = children(tracker, run_id)
    comparison = report.comparison("fine_tuned", "bm25")
    assert comparison
    assert found["fine_tuned"].metrics["ndcg_at_10_minus_bm25"] == comparison.difference.mean
    assert found["fine_tuned"].metrics["ndcg_at_10_minus_bm25_p"] == comparison.difference.p_value
    assert found["fine_tuned"].metrics["probe_general_minus_base"] == -0.1
    assert found["base"].metrics["spearman_similar"] == 0.7
    assert not any(name.startswith("probe") for name in found["bm25"].metrics)


def test_parent_holds_hit_rates_and_mrr_of_the_recipes_own_model_and_little_more(tracker, recorded):
    report, run_id = recorded
    (parent,) = tracker.find(f"attributes.run_id = '{run_id}'")
    score = report.score("fine_tuned")
    assert score
    for metric in ("hit_rate_at_1", "hit_rate_at_5", "hit_rate_at_10", "mrr_at_10", "ndcg_at_10"):
        assert parent.metrics[metric] == score.metrics[metric].mean
    assert "mrr_at_10" in sorted(parent.metrics)[:7]


def test_hyper_parameters_of_the_training_stand_beside_what_they_made_and_not_beside_bm25(tracker, recorded):
    _, run_id = recorded
    (parent,) = tracker.find(f"attributes.run_id = '{run_id}'")
    found = children(tracker, run_id)
    assert parent.params["learning_rate"] == found["fine_tuned"].params["learning_rate"] == "2e-05"
    assert "learning_rate" not in found["bm25"].params
    assert found["bm25"].params == {"recipe": "full", "system": "bm25", "mode": "bm25", "table": "chunks",
                                    "fusion": "standard_score", "rerank_depth": "50"}  # fmt: skip


def test_data_is_logged_with_digests_that_follow_the_questions(tracker, store, recorded):
    _, run_id = recorded
    inputs = {d.dataset.name: d.dataset for d in tracker.client.get_run(run_id).inputs.dataset_inputs}
    assert inputs.keys() == {"test_questions", "gold_questions", "corpus"}
    assert json.loads(inputs["test_questions"].profile) == {"num_rows": 12}
    assert "chunks" in inputs["corpus"].source
    other = keep(store, "full", {name: questions("x") | questions("h") for name in ASKED}, minute=1)
    later = record_report(tracker, ReportView(store, other), model=model_record("full"), tags={})
    again = {d.dataset.name: d.dataset for d in tracker.client.get_run(later).inputs.dataset_inputs}
    assert again["test_questions"].digest != inputs["test_questions"].digest
    assert again["gold_questions"].digest == inputs["gold_questions"].digest
    assert again["corpus"].digest == inputs["corpus"].digest


def test_run_names_what_made_it_and_leads_there(tracker, store, recorded):
    report, run_id = recorded
    (parent,) = tracker.find(f"attributes.run_id = '{run_id}'")
    assert TAGS.items() <= parent.tags.items()
    assert parent.tags["report_id"] == report.report_id
    description = parent.tags["mlflow.note.content"]
    results = evaluate.question_results(store, [report.report_id])
    assert description.startswith(verdict(store, report, results).markdown)
    assert f"[Dagster run]({TAGS[DAGSTER_URL]})" in description
    assert f"({tracker.url(parent.tags['training_run'])})" in description
    assert "| full | fine_tuned | synthetic |" in description


def test_artifacts_hold_the_page_the_table_the_slices_and_every_question(tracker, recorded):
    _, run_id = recorded
    names = {artifact.path for artifact in tracker.client.list_artifacts(run_id)}
    assert {"report.html", "comparison.json", "comparison.md", "slices.json", "questions.json", "report.json"} <= names


def test_second_report_of_a_recipe_links_to_the_comparison_with_the_first(tracker, store, recorded):
    first, run_id = recorded
    assert compared_with_previous(tracker, store, first) is None
    second = keep(store, "full", ASKED, minute=1)
    later = record_report(tracker, ReportView(store, second), model=model_record("full"), tags={})
    address = compared_with_previous(tracker, store, second)
    assert address == tracker.comparison_url([run_id, later])
    assert f"({address})" in tracker.client.get_run(later).data.tags["mlflow.note.content"]


def test_report_that_did_not_change_keeps_its_run_and_gets_another_point_in_time(tracker, store, recorded):
    report, run_id = recorded
    n_runs = len(tracker.find(""))
    again = record_report(
        tracker, ReportView(store, report), model=model_record("full"), tags=TAGS | {DAGSTER_RUN: "dagster-2"}
    )
    assert again == run_id
    assert len(tracker.find("")) == n_runs
    history = tracker.client.get_metric_history(run_id, "mrr_at_10")
    assert [(point.step, point.value) for point in history] == [(0, history[0].value), (1, history[0].value)]
    run = tracker.client.get_run(run_id)
    assert run.data.metrics["times_materialized"] == 2
    assert run.data.tags["dagster.confirmed_by"] == "dagster-2"
    assert run.data.tags[DAGSTER_RUN] == "dagster-1"


def test_report_whose_run_is_in_another_database_is_recorded_again(tracker, store):
    report = keep(store, "full", ASKED)
    evaluate.set_mlflow_run(store, report.report_id, "0" * 32)
    run_id = record_report(
        tracker, ReportView(store, report), model=replace(model_record("full"), mlflow_run_id="1" * 32), tags={}
    )
    assert run_id == evaluate.mlflow_run(store, report.report_id) != "0" * 32
