"""A training in MLflow: hyper-parameters, curves while they grow, data, and the model as a version in the registry,
which trained models come into, and those leave that nobody can need any more.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from acronis_pipeline.champion import promotions
from acronis_pipeline.core.dataset import RetrievalDataset
from acronis_pipeline.encoders.endpoint import is_endpoint
from acronis_pipeline.encoders.openvino_encoder import is_converted
from acronis_pipeline.finetune import OnEntry, Recipe
from acronis_pipeline.finetune.examples import digest_of
from acronis_pipeline.models import records
from acronis_pipeline.models.records import ModelRecord, model_named
from acronis_pipeline.store import Store
from acronis_pipeline.tracking.connection import impatient
from acronis_pipeline.tracking.run import Dataset, Point, Run
from acronis_pipeline.tracking.tracker import Tracker

_log = logging.getLogger(__name__)
_FREE_S, _SHARE = 1.0, 0.05
"""Writing may take a second of a training, and a twentieth of its time. On SQLite an entry takes 15 ms, so that a dozen
of them, minutes apart, are written as they come, the forty that a query adapter has within seconds too, and thousands
in batches; a server that does not answer is asked again after minutes."""
Tags = Mapping[str, object]
TRAINING_KEY = "training_key"
"""Tag by which a training that was killed finds its run again."""


class Curves:
    """Writes every value of a history once, as `training_<name>`, as soon as that may take its time.

    Parameters
    ----------
    written
        Metrics with steps that the run has already: training that goes on after a kill comes by some of them again.
    """

    def __init__(self, run: Run, written: Collection[tuple[str, int]] = ()) -> None:
        self._run = run
        self._known = set(written)
        self._waiting: list[Point] = []
        self._started, self._writing_s = time.monotonic(), 0.0

    def note(self, entry: Mapping[str, float | None]) -> None:
        """Take in an entry of the history. A failure to write is only logged: training is worth more than its curve."""
        self._take([entry])
        if self._writing_s <= _FREE_S + _SHARE * (time.monotonic() - self._started):
            self.try_to_write()

    def try_to_write(self) -> None:
        """Write what waits; if MLflow does not take it, it goes on waiting."""
        started = time.monotonic()
        try:
            with impatient():
                self._write()
        except Exception as error:
            _log.warning(
                "MLflow takes no curves at the moment, training goes on (%s)", " ".join(str(error).split())[:200]
            )
        self._writing_s += time.monotonic() - started

    def complete(self, history: Iterable[Mapping[str, float | None]]) -> None:
        """Write whatever of a whole history is not there yet; raises what MLflow raises."""
        self._take(history)
        self._write()

    def _take(self, entries: Iterable[Mapping[str, float | None]]) -> None:
        for entry in entries:
            step = int(entry.get("step") or 0)
            points = [
                Point.now(f"training_{name}", value, step)
                for name, value in entry.items()
                if name != "step" and value is not None
            ]
            self._waiting += [point for point in points if (point.name, step) not in self._known]
            self._known |= {(point.name, step) for point in points}

    def _write(self) -> None:
        if self._waiting:
            self._run.points(self._waiting)
            self._waiting = []


def record_training(
    tracker: Tracker,
    store: Store,
    train: Callable[[OnEntry], ModelRecord],
    *,
    recipe: Recipe,
    dataset: RetrievalDataset,
    tags: Tags,
    training_key: str,
    goes_on: bool = False,
    keep_versions: int | None = None,
) -> ModelRecord:
    """Train within an MLflow run that shows the curves as they grow, and register the model.

    The run ends FAILED if training does. With `keep_versions`, versions of the recipe beyond the newest so many leave
    the registry, champions' apart.

    Parameters
    ----------
    train
        Trains, and calls what it is given with every entry of the history.
    goes_on
        Whether this training goes on where a killed one of the same key was: its run is then continued.
    """
    with _run(tracker, "train", recipe, tags, training_key, continues=goes_on) as (run, curves):
        n_pairs = len(dataset.train) + len(dataset.validation)
        run.datasets([Dataset("training_pairs", digest_of(dataset), f"{store.uri}/pairs", "training", n_pairs)])
        _log.info("recipe %s: curves of the training are at %s", recipe.name, tracker.url(run.run_id))
        try:
            record = train(curves.note)
        finally:
            curves.try_to_write()
        _log_training(run, curves, record)
        record = _register(tracker, store, run, record)
    if keep_versions:
        prune_models(tracker, recipe.name, newest=keep_versions, model_ids=_of_champions(store))
    return record


def _of_champions(store: Store) -> set[str]:
    """Ids of every champion's model as the registry has them, which holds weights and knows of no precision."""
    named = (
        model_named(store, champion.recipe, champion.model_id) for champion in promotions(store) if champion.model_id
    )
    return {record.identity.model_id for record in named if record}


def ensure_registered(
    tracker: Tracker, store: Store, record: ModelRecord, *, recipe: Recipe, tags: Tags
) -> ModelRecord:
    """The record of a model that is in the registry; it is entered now if it is not.

    It is not after a kill between training and registration (whose run is continued), with another MLflow server (whose
    version of that number is another model), once it was pruned, or if it is an export that was put to use.
    """
    version = record.registry_version
    if version and tracker.model_id_of(version) == record.identity.model_id:
        return record
    killed = record.mlflow_run_id is None
    doing = "export" if record.is_export else "register"
    with _run(tracker, doing, recipe, tags, record.training_key, continues=killed) as (run, curves):
        _log_training(run, curves, record)
        return _register(tracker, store, run, record)


@contextmanager
def _run(
    tracker: Tracker, doing: str, recipe: Recipe, tags: Tags, training_key: str, *, continues: bool
) -> Iterator[tuple[Run, Curves]]:
    """A run with the recipe's parameters: the one that a killed training of this key left, if it is continued."""
    all_tags = {
        **tags, "stage": "fine_tuned_model", "recipe": recipe.name, "method": recipe.method, TRAINING_KEY: training_key
    }  # fmt: skip
    of_this_key = f"tags.{TRAINING_KEY} = '{training_key}' AND tags.recipe = '{recipe.name}'"
    killed = tracker.find(f"attributes.status = 'KILLED' AND {of_this_key}")[:1] if continues else []
    written = tracker.measured(killed[0].run_id) if killed else ()
    with (
        tracker.continued(killed[0].run_id, tags=all_tags)
        if killed
        else tracker.run(f"{doing} {recipe.name}", tags=all_tags)
    ) as run:
        run.params(recipe_params(recipe))
        yield run, Curves(run, written)


def recipe_params(recipe: Recipe) -> dict[str, object]:
    """A recipe on one level: the method's own parameters stand beside the common ones, under their own names."""
    common = recipe.model_dump(exclude={"name", "description", "parameters"})
    return {"recipe": recipe.name, **common, **recipe.parameters.model_dump()}


def _register(tracker: Tracker, store: Store, run: Run, record: ModelRecord) -> ModelRecord:
    version = log_model(tracker, run, record.folder, _model_tags(record))
    run.tags({"registry_version": version})
    return records.annotate(store, record.record_id, mlflow_run_id=run.run_id, registry_version=version)


def _log_training(run: Run, curves: Curves, record: ModelRecord) -> None:
    curves.complete(record.metrics["history"])
    for name, values in record.metrics["validation"].items():
        run.metrics({f"validation_{name}_{metric}": value for metric, value in values.items()})
    run.metrics({"training_s": record.metrics["seconds"], "n_train": record.metrics["n_train"]})
    base = record.base_identity
    run.datasets([Dataset("base_model", base.model_id, base.base, "base model", 1)])
    run.tags({"chosen": record.metrics["chosen"], **_model_tags(record)})
    if record.is_export:
        exported = record.metrics["exported"]
        run.metrics({"export_ndcg_at_10": exported["exported"], "export_ndcg_at_10_original": exported["original"]})
        run.tags({"format": exported["format"]})


def _model_tags(record: ModelRecord) -> dict[str, str]:
    return {"recipe": record.recipe, "model_id": record.identity.model_id, "base": record.identity.base}


def log_model(tracker: Tracker, run: Run, folder: Path, tags: Mapping[str, object]) -> str:
    """Store a saved model with the run and register it; returns the registry version.

    The stored model loads with `mlflow.sentence_transformers.load_model("models:/<name>/<version>")`; one behind an
    endpoint and one in another format are stored as their files.
    """
    if is_endpoint(folder) or is_converted(folder):
        # As a logged model that no flavor of MLflow can load.
        experiment = tracker.client.get_run(run.run_id).info.experiment_id
        logged = tracker.client.create_logged_model(experiment, name="model", source_run_id=run.run_id)
        tracker.client.log_model_artifacts(logged.model_id, str(folder))
        tracker.client.finalize_logged_model(logged.model_id, "READY")
        return register(tracker, run, logged.model_id, tags)
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


def register(tracker: Tracker, run: Run, logged_model_id: str, tags: Mapping[str, object]) -> str:
    """Make a logged model the next version in the registry; returns that."""
    import mlflow

    mlflow.set_tracking_uri(tracker.tracking_uri)  # by which MLflow finds the logged model, whatever the client's is
    from mlflow.exceptions import MlflowException

    try:
        tracker.client.create_registered_model(
            tracker.registered_model, description="Retrieval models trained by acronis_pipeline."
        )
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
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
