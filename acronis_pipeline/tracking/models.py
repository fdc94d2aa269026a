"""The model registry: trained models come in, those that nobody can need any more go."""

import logging
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from acronis_pipeline.encoders.endpoint import is_endpoint
from acronis_pipeline.encoders.openvino_encoder import is_converted
from acronis_pipeline.tracking.run import Run
from acronis_pipeline.tracking.tracker import Tracker

_log = logging.getLogger(__name__)


def log_model(tracker: Tracker, run: Run, folder: Path, tags: Mapping[str, object]) -> str:
    """Store a saved model with the run and register it; returns the registry version.

    The stored model loads with `mlflow.sentence_transformers.load_model("models:/<name>/<version>")`; one behind an
    endpoint and one in another format are stored as their files.
    """
    if is_endpoint(folder) or is_converted(folder):
        return register(tracker, run, _log_files(tracker, run, folder), tags)
    import mlflow
    import mlflow.sentence_transformers as flavor
    from sentence_transformers import SentenceTransformer

    mlflow.set_tracking_uri(tracker.tracking_uri)
    with mlflow.start_run(run_id=run.run_id), _quiet("mlflow"):
        info = flavor.log_model(
            SentenceTransformer(str(folder), local_files_only=True, device="cpu"),
            name="model",
            # Inferring requirements loads the model again in a subprocess.
            pip_requirements=["sentence-transformers", "torch"],
        )
    return register(tracker, run, info.model_id, tags)


def _log_files(tracker: Tracker, run: Run, folder: Path) -> str:
    """Store a folder as a logged model that no flavor of MLflow can load; returns its id."""
    experiment = tracker.client.get_run(run.run_id).info.experiment_id
    logged = tracker.client.create_logged_model(experiment, name="model", source_run_id=run.run_id)
    tracker.client.log_model_artifacts(logged.model_id, str(folder))
    tracker.client.finalize_logged_model(logged.model_id, "READY")
    return logged.model_id


def register(tracker: Tracker, run: Run, logged_model_id: str, tags: Mapping[str, object]) -> str:
    """Make a logged model the next version in the registry; returns that."""
    import mlflow

    mlflow.set_tracking_uri(tracker.tracking_uri)  # by which MLflow finds the logged model, whatever the client's is
    _ensure_registered_model(tracker)
    version = tracker.client.create_model_version(
        tracker.registered_model,
        source=f"models:/{logged_model_id}",
        run_id=run.run_id,
        tags={key: str(value) for key, value in tags.items()},
        model_id=logged_model_id,
    )
    return str(version.version)


def prune_models(tracker: Tracker, recipe: str, *, newest: int, model_ids: Collection[str]) -> list[str]:
    """Delete a recipe's old versions with their files; returns their numbers.

    The `newest` versions stay, those of `model_ids` (our ids, such as of every champion), and any that has an alias.
    The training run keeps its parameters and metrics.
    """
    aliases = tracker.client.get_registered_model(tracker.registered_model).aliases
    aliased = {str(version) for version in aliases.values()}
    versions = tracker.client.search_model_versions(f"name = '{tracker.registered_model}' AND tags.recipe = '{recipe}'")
    old = sorted(versions, key=lambda version: -int(version.version))[newest:]
    gone = [v for v in old if str(v.version) not in aliased and v.tags.get("model_id") not in model_ids]
    for version in gone:
        _delete_files(tracker, version.source)
        tracker.client.delete_model_version(tracker.registered_model, version.version)
    if gone:
        _log.info("recipe %s: deleted %d old versions of the model from the registry", recipe, len(gone))
    return [str(version.version) for version in gone]


def _delete_files(tracker: Tracker, source: str) -> None:
    """MLflow only marks a logged model as deleted; its files would stay until someone runs `mlflow gc`."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    logged = tracker.client.get_logged_model(source.removeprefix("models:/"))
    get_artifact_repository(logged.artifact_location, tracking_uri=tracker.tracking_uri).delete_artifacts()
    tracker.client.delete_logged_model(logged.model_id)


def _ensure_registered_model(tracker: Tracker) -> None:
    from mlflow.exceptions import MlflowException

    try:
        tracker.client.create_registered_model(
            tracker.registered_model, description="Retrieval models trained by acronis_pipeline."
        )
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


@contextmanager
def _quiet(logger: str) -> Iterator[None]:
    """MLflow warns at length about signatures and versions when a model is logged."""
    target = logging.getLogger(logger)
    level = target.level
    target.setLevel(logging.ERROR)
    try:
        yield
    finally:
        target.setLevel(level)
