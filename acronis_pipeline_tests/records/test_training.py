"""What a training leaves in MLflow, and what becomes of old models."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from acronis_pipeline.core.dataset import Passage, Question, RetrievalDataset
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.encoders import ModelIdentity
from acronis_pipeline.finetune import OnEntry, load_recipe
from acronis_pipeline.models.records import ModelRecord, write
from acronis_pipeline.store import Store
from acronis_pipeline.tracking import Run, Tracker, ensure_registered, record_training, training
from acronis_pipeline.tracking.run import flatten
from acronis_pipeline.tracking.training import prune_models, register
from acronis_pipeline_tests.records.kept import model_record

pytestmark = pytest.mark.slow

RECIPE = load_recipe("full")
DATASET = RetrievalDataset(
    passages=(Passage("c1", "How backups work", "c1", "https://docs.test/"),),
    train=(Question("q1", "how do backups work", ("c1",), group="g"),),
)
METRICS = {
    "chosen": "epoch 1", "seconds": 2.0, "n_train": 1, "n_validation": 0,
    "validation": {"base": {"ndcg_at_10": 0.5}, "best": {"ndcg_at_10": 0.6}},
    "history": [{"step": 1, "loss": 0.9}, {"step": 2, "loss": 0.4}],
}  # fmt: skip


@pytest.fixture(autouse=True)
def small_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of a few bytes is logged instead of 90 MB of weights."""

    def log_model(tracker: Tracker, run: Run, folder: Path, tags: Mapping[str, object]) -> str:
        model = tracker.client.create_logged_model(run.experiment_id, name="model", source_run_id=run.run_id)
        weights_of(model.artifact_location).parent.mkdir(parents=True)
        weights_of(model.artifact_location).write_text("weights")
        return register(tracker, run, model.model_id, tags)

    monkeypatch.setattr(training, "log_model", log_model)


def weights_of(location: str) -> Path:
    return Path(location.removeprefix("file://"), "weights")


def trained(store: Store, name: str) -> ModelRecord:
    """A model on record, as training leaves it."""
    identity = ModelIdentity("words", digest(name), digest("document"), 64, 256)
    record = replace(model_record("full"), record_id=name, training_key=name, identity=identity, metrics=METRICS)
    write(store, record)
    return record


def train(tracker: Tracker, store: Store, name: str, keep_versions: int | None = None) -> ModelRecord:
    return record_training(
        tracker,
        store,
        lambda report: trained(store, name),
        recipe=RECIPE,
        dataset=DATASET,
        tags={},
        training_key=name,
        keep_versions=keep_versions,
    )


def versions(tracker: Tracker) -> dict[str, Path]:
    """Registered versions and their weights."""
    found = tracker.client.search_model_versions(f"name = '{tracker.registered_model}'")
    logged = {v.version: tracker.client.get_logged_model(v.source.removeprefix("models:/")) for v in found}
    return {str(version): weights_of(model.artifact_location) for version, model in logged.items()}


def test_run_holds_flat_parameters_curves_and_the_data(tracker, store):
    record = train(tracker, store, "first")
    run = tracker.client.get_run(record.mlflow_run_id)
    assert run.info.status == "FINISHED"
    assert {
        "recipe",
        "method",
        "base_model",
        "seed",
        *flatten(RECIPE.parameters.model_dump()),
    } <= run.data.params.keys()
    assert [point.value for point in tracker.client.get_metric_history(record.mlflow_run_id, "training_loss")] == [
        0.9,
        0.4,
    ]
    assert {d.dataset.name for d in run.inputs.dataset_inputs} == {"training_pairs", "base_model"}
    assert run.data.tags["registry_version"] == record.registry_version


def test_training_that_raises_ends_its_run_as_failed(tracker, store):
    def diverge(report: OnEntry) -> ModelRecord:
        report({"step": 1, "loss": 3.5})
        raise FloatingPointError("loss is NaN")

    with pytest.raises(FloatingPointError):
        record_training(
            tracker, store, diverge, recipe=RECIPE, dataset=DATASET, tags={"attempt": "diverged"}, training_key="nan"
        )
    (run,) = tracker.find("tags.attempt = 'diverged'")
    assert run.status == "FAILED"
    assert run.metrics["training_loss"] == 3.5


def test_old_versions_leave_the_registry_with_their_files_but_champions_and_aliases_stay(tracker, store):
    records = [train(tracker, store, name) for name in ("a", "b", "c", "d", "e")]
    numbers = [record.registry_version or "" for record in records]
    before = versions(tracker)
    tracker.set_champion(numbers[0])
    gone = prune_models(tracker, "full", newest=2, model_ids={records[1].identity.model_id})
    assert numbers[2] in gone
    assert not {numbers[0], numbers[1], numbers[3], numbers[4]} & {*gone}
    assert [before[number].exists() for number in numbers] == [True, True, False, True, True]
    assert tracker.client.get_run(records[2].mlflow_run_id).info.lifecycle_stage == "active"


def test_training_keeps_as_many_versions_as_it_is_told(tracker, store):
    tracker.set_champion(None)
    names = [train(tracker, store, name, keep_versions=2).registry_version for name in ("f", "g", "h")]
    assert list(versions(tracker)) == [names[2], names[1]]


def test_model_that_is_not_in_the_registry_is_entered_again(tracker, store):
    record = train(tracker, store, "pruned")
    assert ensure_registered(tracker, store, record, recipe=RECIPE, tags={}) == record
    tracker.client.delete_model_version(tracker.registered_model, record.registry_version)
    again = ensure_registered(tracker, store, record, recipe=RECIPE, tags={})
    assert again.registry_version != record.registry_version
    assert tracker.model_id_of(again.registry_version) == record.identity.model_id
    assert tracker.params(again.mlflow_run_id or "")["method"] == "full"


def test_an_export_that_is_in_use_is_another_version_with_its_figures(tracker, store):
    record = train(tracker, store, "exported")
    figures = {"format": "openvino-int8", "exported": 0.8, "original": 0.9}
    identity = ModelIdentity("words", digest("int8"), digest("int8 document"), 64, 256, precision="int8")
    export = replace(record, record_id="export", identity=identity, metrics=METRICS | {"exported": figures})
    write(store, export)
    found = ensure_registered(tracker, store, export, recipe=RECIPE, tags={})
    assert found.registry_version != record.registry_version
    assert tracker.model_id_of(found.registry_version or "") == identity.model_id
    (run,) = tracker.find(f"attributes.run_id = '{found.mlflow_run_id}'")
    assert (run.tags["format"], run.metrics["export_ndcg_at_10"]) == ("openvino-int8", 0.8)
    assert ensure_registered(tracker, store, found, recipe=RECIPE, tags={}) == found


def test_model_whose_training_was_killed_before_it_was_registered_is_registered_later(tracker, store):
    record = ensure_registered(tracker, store, trained(store, "killed"), recipe=RECIPE, tags={})
    assert tracker.model_id_of(record.registry_version or "") == record.identity.model_id
