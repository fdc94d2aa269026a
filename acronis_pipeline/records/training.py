"""A training in MLflow: hyper-parameters, curves, data, and the model as a version in the registry."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from acronis_pipeline import finetune
from acronis_pipeline.dataset import RetrievalDataset
from acronis_pipeline.evaluate.champion import history
from acronis_pipeline.finetune import ModelRecord, Recipe, Report, model_named
from acronis_pipeline.finetune.examples import digest_of
from acronis_pipeline.records.curves import Curves
from acronis_pipeline.store import Store
from acronis_pipeline.tracking import Dataset, Run, Tracker, log_model, prune_models

Tags = Mapping[str, object]
TRAINING_KEY = "training_key"
"""Tag by which a training that was killed finds its run again."""

_log = logging.getLogger(__name__)


def record_training(
    tracker: Tracker,
    store: Store,
    train: Callable[[Report], ModelRecord],
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
        run.datasets([_pairs(store, dataset)])
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
    named = (model_named(store, champion.recipe, champion.model_id) for champion in history(store) if champion.model_id)
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
    killed = _killed(tracker, recipe, training_key) if continues else None
    opened = (
        tracker.continued(killed, tags=all_tags) if killed else tracker.run(f"{doing} {recipe.name}", tags=all_tags)
    )
    with opened as run:
        run.params(recipe_params(recipe))
        yield run, Curves(run, tracker.measured(killed) if killed else ())


def _killed(tracker: Tracker, recipe: Recipe, training_key: str) -> str | None:
    """The newest run of a training of this key whose process is gone."""
    found = tracker.find(
        f"attributes.status = 'KILLED' AND tags.{TRAINING_KEY} = '{training_key}' AND tags.recipe = '{recipe.name}'"
    )
    return found[0].run_id if found else None


def recipe_params(recipe: Recipe) -> dict[str, object]:
    """A recipe on one level: the method's own parameters stand beside the common ones, under their own names."""
    common = recipe.model_dump(exclude={"name", "description", "parameters"})
    return {"recipe": recipe.name, **common, **recipe.parameters.model_dump()}


def _register(tracker: Tracker, store: Store, run: Run, record: ModelRecord) -> ModelRecord:
    version = log_model(tracker, run, record.folder, _model_tags(record))
    run.tags({"registry_version": version})
    return finetune.annotate(store, record.record_id, mlflow_run_id=run.run_id, registry_version=version)


def _log_training(run: Run, curves: Curves, record: ModelRecord) -> None:
    curves.complete(record.metrics["history"])
    for name, values in record.metrics["validation"].items():
        run.metrics({f"validation_{name}_{metric}": value for metric, value in values.items()})
    run.metrics({"training_s": record.metrics["seconds"], "n_train": record.metrics["n_train"]})
    run.datasets([_base_model(record)])
    run.tags({"chosen": record.metrics["chosen"], **_model_tags(record)})
    if record.is_export:
        exported = record.metrics["exported"]
        run.metrics({"export_ndcg_at_10": exported["exported"], "export_ndcg_at_10_original": exported["original"]})
        run.tags({"format": exported["format"]})


def _pairs(store: Store, dataset: RetrievalDataset) -> Dataset:
    n_pairs = len(dataset.train) + len(dataset.validation)
    return Dataset("training_pairs", digest_of(dataset), f"{store.uri}/pairs", "training", n_pairs)


def _base_model(record: ModelRecord) -> Dataset:
    base = record.base_identity
    return Dataset("base_model", base.model_id, base.base, "base model", 1)


def _model_tags(record: ModelRecord) -> dict[str, str]:
    return {"recipe": record.recipe, "model_id": record.identity.model_id, "base": record.identity.base}
