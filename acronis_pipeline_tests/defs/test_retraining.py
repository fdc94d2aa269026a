"""When the champion's recipe is trained again: real ticks on a real instance, on tables written for the purpose."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
import pytest

from acronis_pipeline.champion import Contender, promote
from acronis_pipeline.core.settings import Settings, load_settings
from acronis_pipeline.defs import automation, build_definitions, sensor_memory
from acronis_pipeline.defs.automation import RETRAIN_TAG
from acronis_pipeline.defs.resources import StoreResource
from acronis_pipeline.retrieve import System
from acronis_pipeline.store import Store, tables
from acronis_pipeline_tests.finished_run import RECIPE
from acronis_pipeline_tests.index.corpora import WordEncoder, chunk, write_chunks

FAILURE, STARTED, SUCCESS = dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.SUCCESS


@pytest.fixture
def settings(tmp_path) -> Settings:
    return load_settings(tmp_path / "data")


@pytest.fixture
def store(settings: Settings) -> Store:
    """BM25 is champion by a report of the recipe, which was trained on ten passages."""
    store = Store(settings.store_uri)
    write_chunks(store, [chunk(f"c{n}", f"passage {n}") for n in range(10)])
    train(store, "first", range(10))
    contender = Contender(RECIPE, System("bm25", "bm25", "passages"), None, "report")
    promote(store, contender, move="first", reason="best", previous=None)
    return store


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def train(store: Store, key: str, chunk_numbers: range) -> None:
    """What a training of the recipe leaves behind."""
    identity = WordEncoder(key).identity.to_json()
    model = {
        "record_id": key,
        "recipe": RECIPE,
        "training_key": key,
        "model_id": key,
        "folder": "models",
        "identity": identity,
        "base_identity": identity,
        "metrics": "{}",
        "created_at": datetime.now(UTC),
    }
    corpus = {"training_key": key, "chunk_ids": [f"c{n}" for n in chunk_numbers]}
    for table, row in ((tables.MODELS, model), (tables.TRAINING_CORPORA, corpus)):
        store.upsert(table, table.rows([row]))


def change(store: Store, first: int, last: int) -> None:
    """Let the site have the passages `first` to `last` - 1 alone."""
    write_chunks(store, [chunk(f"c{n}", f"passage {n}") for n in range(first, last)])


def tick(settings: Settings, instance: dg.DagsterInstance) -> dg.RunRequest | str:
    """The run that one evaluation of the sensor asks for, or why it asks for none."""
    resources = {"store": StoreResource(uri=settings.store_uri)}
    with dg.build_sensor_context(instance=instance, resources=resources) as context:
        answer = automation.build_retraining_sensor(settings)(context)
    assert isinstance(answer, dg.RunRequest | dg.SkipReason)
    return answer if isinstance(answer, dg.RunRequest) else answer.skip_message or ""


def record_run(settings: Settings, instance: dg.DagsterInstance, status: dg.DagsterRunStatus, **tags: str) -> None:
    """A run as the daemon would have launched it for the sensor's request, in some state."""
    job = build_definitions(settings).resolve_job_def("full_pipeline")
    instance.create_run_for_job(job, tags=tags, status=status)


def test_first_champion_is_waited_for(tmp_path, instance) -> None:
    assert "no champion yet" in str(tick(load_settings(tmp_path / "empty"), instance))


def test_passages_that_changed_little_ask_for_nothing_and_the_reason_says_how_much(settings, store, instance) -> None:
    assert "0 passages added and 0 removed since, 0% of 10; due at 20%" in str(tick(settings, instance))
    change(store, 0, 11)
    assert "1 passages added and 0 removed since, 9% of 11; due at 20%" in str(tick(settings, instance))


def test_enough_changed_passages_ask_for_the_whole_pipeline_of_the_champions_recipe(settings, store, instance) -> None:
    change(store, 2, 12)
    request = tick(settings, instance)
    assert isinstance(request, dg.RunRequest)
    assert (request.partition_key, request.run_key) == (RECIPE, None)
    assert RETRAIN_TAG in request.tags


def test_threshold_is_a_setting_and_zero_turns_the_sensor_off(settings, store, instance) -> None:
    change(store, 2, 12)
    patient = load_settings(settings.data_dir, automation={"retrain_share": 0.5})
    assert "40% of 10; due at 50%" in str(tick(patient, instance))
    off = load_settings(settings.data_dir, automation={"retrain_share": 0})
    assert "trained by hand only" in str(tick(off, instance))


def test_run_under_way_is_waited_for(settings, store, instance) -> None:
    change(store, 2, 12)
    record_run(settings, instance, STARTED)
    assert "is crawling or training" in str(tick(settings, instance))


def test_training_settles_it_even_if_its_model_is_not_promoted(settings, store, instance) -> None:
    change(store, 2, 12)
    train(store, "second", range(2, 12))
    record_run(settings, instance, SUCCESS, **{RETRAIN_TAG: "state"})
    assert "0% of 10" in str(tick(settings, instance))


def test_failed_run_is_asked_for_again_after_a_pause(settings, store, instance, monkeypatch) -> None:
    change(store, 2, 12)
    record_run(settings, instance, FAILURE, **{RETRAIN_TAG: "state"})
    assert "failed (1 in a row); next try at" in str(tick(settings, instance))
    monkeypatch.setattr(sensor_memory, "_FIRST_PAUSE_S", 0.0)
    assert isinstance(tick(settings, instance), dg.RunRequest)


def test_run_that_failed_after_training_is_finished(settings, store, instance, monkeypatch) -> None:
    change(store, 2, 12)
    train(store, "second", range(2, 12))
    record_run(settings, instance, FAILURE, **{RETRAIN_TAG: "state"})
    monkeypatch.setattr(sensor_memory, "_FIRST_PAUSE_S", 0.0)
    assert isinstance(tick(settings, instance), dg.RunRequest)


def test_recipe_without_a_training_on_record_is_left_to_people(settings, store, instance) -> None:
    store.drop(tables.TRAINING_CORPORA)
    assert "was never trained here" in str(tick(settings, instance))


def test_sensor_runs_by_default_and_starts_the_whole_pipeline(settings) -> None:
    sensor = build_definitions(settings).resolve_sensor_def("retraining_sensor")
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert sensor.job_name == "full_pipeline"
