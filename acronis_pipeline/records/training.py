"""A training in MLflow: hyper-parameters, curves, data, and the model as a version in the registry."""

from collections.abc import Callable, Mapping

from acronis_pipeline import finetune
from acronis_pipeline.dataset import RetrievalDataset
from acronis_pipeline.evaluate.champion import history
from acronis_pipeline.finetune import ModelRecord, Recipe
from acronis_pipeline.finetune.examples import digest_of
from acronis_pipeline.store import Store
from acronis_pipeline.tracking import Dataset, Run, Tracker, log_model, prune_models

Tags = Mapping[str, object]


def record_training(
    tracker: Tracker,
    store: Store,
    train: Callable[[], ModelRecord],
    *,
    recipe: Recipe,
    dataset: RetrievalDataset,
    tags: Tags,
    keep_versions: int | None = None,
) -> ModelRecord:
    """Train within an MLflow run (which ends FAILED if training does) and register the model.

    With `keep_versions`, versions of the recipe beyond the newest so many leave the registry, champions' apart.
    """
    with tracker.run(f"train {recipe.name}", tags={**tags, **_tags(recipe)}) as run:
        run.params(recipe_params(recipe))
        record = train()
        _log_training(run, record)
        run.datasets(_datasets(store, dataset, record))
        record = _register(tracker, store, run, record)
    if keep_versions:
        champions = {champion.model_id for champion in history(store) if champion.model_id}
        prune_models(tracker, recipe.name, newest=keep_versions, model_ids=champions)
    return record


def ensure_registered(
    tracker: Tracker, store: Store, record: ModelRecord, *, recipe: Recipe, tags: Tags
) -> ModelRecord:
    """The record of a model that is in the registry; it is entered now if it is not.

    It is not after a kill between training and registration, with another MLflow server, or once it was pruned.
    """
    if record.registry_version and tracker.has_version(record.registry_version):
        return record
    with tracker.run(f"register {recipe.name}", tags={**tags, **_tags(recipe)}) as run:
        run.params(recipe_params(recipe))
        _log_training(run, record)
        return _register(tracker, store, run, record)


def recipe_params(recipe: Recipe) -> dict[str, object]:
    """A recipe on one level: the method's own parameters stand beside the common ones, under their own names."""
    common = recipe.model_dump(exclude={"name", "description", "parameters"})
    return {"recipe": recipe.name, **common, **recipe.parameters.model_dump()}


def _register(tracker: Tracker, store: Store, run: Run, record: ModelRecord) -> ModelRecord:
    version = log_model(tracker, run, record.folder, _model_tags(record))
    run.tags({"registry_version": version})
    return finetune.annotate(store, record.record_id, mlflow_run_id=run.run_id, registry_version=version)


def _log_training(run: Run, record: ModelRecord) -> None:
    for name, values in record.metrics["validation"].items():
        run.metrics({f"validation_{name}_{metric}": value for metric, value in values.items()})
    for entry in record.metrics["history"]:
        step = int(entry.get("step", 0))
        curves = {name: value for name, value in entry.items() if name != "step" and value is not None}
        run.metrics({f"training_{name}": value for name, value in curves.items()}, step=step)
    run.metrics({"training_s": record.metrics["seconds"], "n_train": record.metrics["n_train"]})
    run.tags({"chosen": record.metrics["chosen"], **_model_tags(record)})


def _datasets(store: Store, dataset: RetrievalDataset, record: ModelRecord) -> list[Dataset]:
    n_pairs = len(dataset.train) + len(dataset.validation)
    base = record.base_identity
    return [
        Dataset("training_pairs", digest_of(dataset), f"{store.uri}/pairs", "training", n_pairs),
        Dataset("base_model", base.model_id, base.base, "base model", 1),
    ]


def _tags(recipe: Recipe) -> dict[str, str]:
    return {"stage": "fine_tuned_model", "recipe": recipe.name, "method": recipe.method}


def _model_tags(record: ModelRecord) -> dict[str, str]:
    return {"recipe": record.recipe, "model_id": record.identity.model_id, "base": record.identity.base}
