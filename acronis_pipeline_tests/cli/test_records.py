"""What the stages leave in MLflow when they fail, or are asked again."""

import pytest

from acronis_pipeline import evaluate
from acronis_pipeline.evaluate.arms import require_model
from acronis_pipeline.finetune import ModelRecord, current_model, load_recipe
from acronis_pipeline.records import record_report, record_training
from acronis_pipeline_tests.finished_run import RECIPE, FinishedRun


def runs(finished: FinishedRun) -> list:
    return finished.tracker.client.search_runs([finished.tracker.experiment_id])


def test_training_that_raises_ends_its_run_as_failed_and_keeps_the_model_on_record(copied: FinishedRun):
    before = {run.info.run_id for run in runs(copied)}
    record = current_model(copied.store, RECIPE)

    def train() -> ModelRecord:
        raise FloatingPointError("loss is NaN")

    with pytest.raises(FloatingPointError):
        record_training(copied.tracker, copied.store, train, recipe=load_recipe(RECIPE), tags={"dagster.run_id": "x"})
    (failed,) = (run for run in runs(copied) if run.info.run_id not in before)
    assert failed.info.status == "FAILED"
    assert failed.data.tags["stage"] == "fine_tuned_model"
    assert failed.data.params["method"] == "query_adapter"
    assert current_model(copied.store, RECIPE) == record


def test_report_that_was_recorded_keeps_its_run(copied: FinishedRun):
    before = len(runs(copied))
    (report,) = copied.outcome.reports
    model = require_model(copied.store, RECIPE)
    run_id = record_report(copied.tracker, copied.store, report, model=model, tags={})
    assert run_id == evaluate.mlflow_run(copied.store, report.report_id)
    assert len(runs(copied)) == before


def test_child_runs_carry_plain_metric_names_so_that_mlflow_compares_systems(finished: FinishedRun):
    children = [run for run in runs(finished) if "system" in run.data.tags]
    names = [frozenset(run.data.metrics) - {"latency_p50_ms"} for run in children]
    assert len(children) == len(finished.outcome.reports[0].systems)
    assert len(set(names)) == 1
    assert {"hit_rate_at_5", "mrr_at_10", "ndcg_at_10", "ndcg_at_10_low", "human_ndcg_at_10", "n"} <= names[0]
