"""What a person who watches MLflow sees of a training that is under way, was killed, or goes on."""

import logging
import time
from collections.abc import Callable, Iterable

import pytest

from acronis_pipeline.core.errors import ModelError
from acronis_pipeline.finetune import OnEntry
from acronis_pipeline.models.records import ModelRecord
from acronis_pipeline.store import Store
from acronis_pipeline.tracking import Run, RunSummary, Tracker, ensure_registered, record_training, training
from acronis_pipeline.tracking import training as curves_module
from acronis_pipeline.tracking.run import Point
from acronis_pipeline.tracking.training import Curves
from acronis_pipeline_tests.records.test_training import DATASET, METRICS, RECIPE, trained

pytestmark = pytest.mark.slow

HISTORY = METRICS["history"]
TRAINED = {"step": 0, "epoch": 0.0, "ndcg_at_10": 0.5, "hit_rate_at_5": 0.6}, *HISTORY


@pytest.fixture(autouse=True)
def no_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "log_model", lambda tracker, run, folder, tags: "1")


def train(tracker: Tracker, store: Store, body: Callable[[OnEntry], ModelRecord], *, key: str, goes_on: bool = False):
    return record_training(
        tracker,
        store,
        body,
        recipe=RECIPE,
        dataset=DATASET,
        tags={"key": key},
        training_key=key,
        goes_on=goes_on,
    )


def other_client(tracker: Tracker) -> Tracker:
    """As another process would look."""
    return Tracker(tracker.tracking_uri, tracker.experiment, tracker.registered_model, tracker.ui_url)


def runs(tracker: Tracker, key: str) -> list[RunSummary]:
    return other_client(tracker).find(f"tags.key = '{key}'")


def curve(tracker: Tracker, run_id: str, name: str) -> list[tuple[int, float]]:
    points = other_client(tracker).client.get_metric_history(run_id, name)
    return sorted((point.step, point.value) for point in points)


def killed(tracker: Tracker, key: str, entries: Iterable[dict[str, float]]) -> str:
    """What a training leaves whose process is gone."""
    tags = {"key": key, "training_key": key, "recipe": RECIPE.name}
    run = tracker.opened(tracker.client.create_run(tracker.experiment_id, tags=tags).info.run_id)
    Curves(run).complete(entries)
    tracker.client.set_terminated(run.run_id, "KILLED")
    return run.run_id


def test_curves_data_and_parameters_are_there_for_others_while_training_is_under_way(tracker, store, monkeypatch):
    monkeypatch.setattr(curves_module, "_FREE_S", float("inf"))  # a busy machine may take seconds for the first

    def body(report: OnEntry) -> ModelRecord:
        for number, entry in enumerate(TRAINED):
            report(entry)
            (run,) = runs(tracker, "live")
            assert run.status == "RUNNING"
            assert len(curve(tracker, run.run_id, "training_loss")) == number
        assert run.metrics["training_ndcg_at_10"] == 0.5
        assert run.params["method"] == "full"
        (given,) = tracker.client.get_run(run.run_id).inputs.dataset_inputs
        assert given.dataset.name == "training_pairs"
        return trained(store, "live")

    record = train(tracker, store, body, key="live")
    (run,) = runs(tracker, "live")
    assert (run.run_id, run.status) == (record.mlflow_run_id, "FINISHED")
    assert curve(tracker, run.run_id, "training_loss") == [(1, 0.9), (2, 0.4)]


def test_a_training_that_goes_on_after_a_kill_continues_its_run_and_writes_no_point_twice(tracker, store):
    run_id = killed(tracker, "again", TRAINED[:2])

    def body(report: OnEntry) -> ModelRecord:
        (run,) = runs(tracker, "again")
        assert run.status == "RUNNING"
        for entry in HISTORY:  # from the checkpoint at step 0
            report(entry)
        return trained(store, "again")

    record = train(tracker, store, body, key="again", goes_on=True)
    (run,) = runs(tracker, "again")
    assert record.mlflow_run_id == run_id
    assert run.status == "FINISHED"
    assert curve(tracker, run_id, "training_loss") == [(1, 0.9), (2, 0.4)]
    assert curve(tracker, run_id, "training_ndcg_at_10") == [(0, 0.5)]


def test_a_training_that_starts_anew_gets_a_run_of_its_own(tracker, store):
    run_id = killed(tracker, "anew", TRAINED[:2])
    record = train(tracker, store, lambda report: trained(store, "anew"), key="anew")
    assert record.mlflow_run_id != run_id
    assert {run.status for run in runs(tracker, "anew")} == {"KILLED", "FINISHED"}


def test_what_a_checkpoint_held_of_the_history_is_in_the_run_in_the_end(tracker, store):
    def body(report: OnEntry) -> ModelRecord:
        report(HISTORY[-1])
        return trained(store, "late")

    record = train(tracker, store, body, key="late", goes_on=True)
    assert curve(tracker, record.mlflow_run_id or "", "training_loss") == [(1, 0.9), (2, 0.4)]


def test_a_kill_between_training_and_registration_leaves_one_run(tracker, store):
    run_id = killed(tracker, "unregistered", TRAINED)
    record = ensure_registered(
        tracker, store, trained(store, "unregistered"), recipe=RECIPE, tags={"key": "unregistered"}
    )
    (run,) = runs(tracker, "unregistered")
    assert (record.mlflow_run_id, run.run_id, run.status) == (run_id, run_id, "FINISHED")


class Server(Run):
    """Remembers what it was sent and when; `down` lets it refuse."""

    def __init__(self, *, takes_s: float = 0.0, down: bool = False) -> None:
        self.__dict__.update(requests=[], takes_s=takes_s, down=down)

    def points(self, points: list[Point]) -> None:
        time.sleep(self.takes_s)
        self.requests.append([point.step for point in points])
        if self.down:
            raise ModelError("nobody listens")


def test_a_slow_server_gets_the_rest_of_a_fast_training_at_once(monkeypatch):
    monkeypatch.setattr(curves_module, "_FREE_S", 0.05)
    server = Server(takes_s=0.02)
    written = Curves(server)
    for step in range(500):
        written.note({"step": step, "loss": 1.0})
    written.try_to_write()
    assert len(server.requests) < 10
    assert [step for request in server.requests for step in request] == list(range(500))


def test_a_server_that_is_down_does_not_end_a_training_and_gets_all_of_it_when_it_is_back(monkeypatch, caplog):
    monkeypatch.setattr(curves_module, "_FREE_S", 0.02)
    server = Server(takes_s=0.02, down=True)
    written = Curves(server)
    with caplog.at_level(logging.WARNING):
        for step in range(100):
            written.note({"step": step, "loss": 1.0})
    assert "training goes on (nobody listens)" in caplog.text
    assert len(server.requests) < 5
    with pytest.raises(ModelError):
        written.complete([])
    server.__dict__["down"] = False
    written.complete([{"step": 100, "loss": 1.0}])
    assert server.requests[-1] == list(range(101))


def test_names_and_gaps_of_a_history_are_as_mlflow_takes_them(tracker):
    with tracker.run("names") as run:
        Curves(run).complete([{"step": 3, "ndcg@10": 0.5, "loss": None}])
    assert tracker.measured(run.run_id) == {("training_ndcg_at_10", 3)}
