"""What ties a run in MLflow to the run in Dagster that made it, in both directions."""

import dagster as dg
import pytest

from acronis_pipeline import evaluate
from acronis_pipeline.defs import instance as dagster_instance
from acronis_pipeline.defs.instance import open_instance
from acronis_pipeline.defs.resources import TrackingResource
from acronis_pipeline.models.indexed import require_model
from acronis_pipeline.tracking import DAGSTER_RUN, DAGSTER_URL, RunSummary
from acronis_pipeline_tests.defs.test_refresh import data_versions
from acronis_pipeline_tests.finished_run import RECIPE, FinishedRun

ABOVE_TRAINING = {"website", "raw_pages", "chunks", "synthetic_pairs", "gold_questions"}
ABOVE_REPORT = ABOVE_TRAINING | {"fine_tuned_model", "lancedb_index"}


def run_of(finished: FinishedRun, stage: str) -> RunSummary:
    if stage == "eval_report":
        run_id = evaluate.mlflow_run(finished.store, finished.outcome.reports[0].report_id)
    else:
        run_id = require_model(finished.store, RECIPE).mlflow_run_id
    (run,) = finished.tracker.find(f"attributes.run_id = '{run_id}'")
    return run


@pytest.mark.parametrize(("stage", "above"), [("fine_tuned_model", ABOVE_TRAINING), ("eval_report", ABOVE_REPORT)])
def test_run_names_its_dagster_run_its_recipe_and_the_versions_of_all_that_came_in(finished, stage, above):
    tags = run_of(finished, stage).tags
    assert tags[DAGSTER_RUN] == finished.outcome.run_ids[0]
    assert tags[DAGSTER_URL] == f"{finished.settings().dagster_ui_url}/runs/{finished.outcome.run_ids[0]}"
    assert (tags["dagster.asset"], tags["dagster.partition"]) == (stage, RECIPE)
    named = {name.removeprefix("data_version."): version for name, version in tags.items() if "data_version." in name}
    expected = {name: version for name, version in data_versions(finished).items() if name in above}
    assert named == expected


def test_hyper_parameters_of_the_recipe_stand_in_the_report_too(finished):
    trained, report = run_of(finished, "fine_tuned_model").params, run_of(finished, "eval_report").params
    assert {"recipe", "method", "base_model", "learning_rate", "seed"} <= trained.keys()
    assert report == trained


def test_next_run_kills_what_a_killed_one_left_open_in_mlflow(copied: FinishedRun):
    settings, tracker = copied.settings(), copied.tracker

    def left_open(dagster_run: str) -> str:
        return tracker.client.create_run(tracker.experiment_id, tags={DAGSTER_RUN: dagster_run}).info.run_id

    ended, foreign = left_open(copied.outcome.run_ids[0]), left_open("a run of another instance")
    with open_instance(settings) as instance:
        assert dagster_instance.kill_dead_mlflow_runs(instance, tracker) == [ended]
        again = left_open(copied.outcome.run_ids[0])
        resource = TrackingResource(
            tracking_uri=settings.tracking_uri,
            experiment=settings.mlflow_experiment,
            registered_model=settings.registered_model,
            ui_url=settings.mlflow_ui_url,
        )
        with dg.build_resources({"tracking": resource}, instance=instance):
            pass
    status = {run.run_id: run.status for run in tracker.find("")}
    assert [status[run] for run in (ended, again, foreign)] == ["KILLED", "KILLED", "RUNNING"]
