"""MLflow runs whose step was killed."""

import pytest

from acronis_pipeline.tracking import DAGSTER_RUN, kill_runs_without_process


@pytest.mark.slow
def test_only_open_runs_of_ended_dagster_runs_are_killed(tracker):
    def start(dagster_run: str | None) -> str:
        tags = {DAGSTER_RUN: dagster_run} if dagster_run else {}
        return tracker.client.create_run(tracker.experiment_id, tags=tags).info.run_id

    dead, alive, by_hand = start("dead"), start("alive"), start(None)
    with tracker.run("finished", tags={DAGSTER_RUN: "dead"}) as finished:
        pass
    assert kill_runs_without_process(tracker, lambda run_id: run_id == "dead") == [dead]
    status = {run.run_id: run.status for run in tracker.find("")}
    assert [status[run] for run in (dead, alive, by_hand, finished.run_id)] == [
        "KILLED",
        "RUNNING",
        "RUNNING",
        "FINISHED",
    ]
