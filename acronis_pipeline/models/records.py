"""The models that were trained: what from what, so that nothing is trained twice, and where their folders are.

<models>/<recipe>/<key>            a published model; it appears in one step, and goes in one
<models>/<recipe>/.<key>.partial   one that is being written
<models>/<recipe>/.<key>.dropped   one that is being deleted
<models>/.work/<recipe>/<key>      what a training must not lose when it is killed
"""

import json
import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from acronis_pipeline import encoders
from acronis_pipeline.core.dataset import RetrievalDataset
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.core.settings import EmbeddingEndpoint, ModelSettings
from acronis_pipeline.encoders import IDENTITY_FILE, ModelIdentity, precision_named
from acronis_pipeline.encoders.endpoint import BASE_FOLDER, is_endpoint
from acronis_pipeline.encoders.identity import BFLOAT16_IN_TORCH
from acronis_pipeline.finetune.base_model import describe_base, naming
from acronis_pipeline.finetune.examples import digest_of, prepare
from acronis_pipeline.finetune.method import OnEntry, unwatched
from acronis_pipeline.finetune.methods import method_named
from acronis_pipeline.finetune.recipe import Recipe
from acronis_pipeline.finetune.training import train
from acronis_pipeline.models import training_corpora
from acronis_pipeline.store import Store, quoted, tables

VERSION = "2"
"""Part of the training key: a change here trains every recipe again, one of a method's own version that method's."""

KEY_CHARACTERS = 16
"""Letters of a training key that name its folders."""

_DEFAULTS = ModelSettings.model_validate({})
_log = logging.getLogger(__name__)


def model_folder(models_dir: Path, recipe_name: str, training_key: str) -> Path:
    """Where the model of a training goes."""
    return models_dir / recipe_name / training_key[:KEY_CHARACTERS]


def work_folder(models_dir: Path, recipe_name: str, training_key: str) -> Path:
    """Where a training keeps what must survive a kill."""
    return work_folders(models_dir, recipe_name) / training_key[:KEY_CHARACTERS]


def work_folders(models_dir: Path, recipe_name: str) -> Path:
    """Holds `work_folder` of every training of a recipe."""
    return models_dir / ".work" / recipe_name


@dataclass(frozen=True)
class ModelRecord:
    """A row of the models table.

    `metrics` holds `chosen`, `validation` (base and best), `history`, `n_train`, `n_validation` and `seconds`.
    """

    record_id: str
    recipe: str
    training_key: str
    folder: Path
    identity: ModelIdentity
    base_identity: ModelIdentity
    metrics: dict[str, Any]
    created_at: datetime
    mlflow_run_id: str | None = None
    registry_version: str | None = None

    @property
    def is_tuned(self) -> bool:
        """Whether it is another model than its base, which is published where training does not help."""
        return self.identity.model_id != self.base_identity.model_id

    @property
    def is_there(self) -> bool:
        """Whether the model still has its folder: pruning drops folders, and keeps records."""
        return self.folder.is_dir()

    @property
    def is_export(self) -> bool:
        """Whether it is a trained model in another format, which somebody put to use."""
        return "exported" in self.metrics

    def identity_named(self, model_id: str) -> ModelIdentity | None:
        """Its identity in the precision that has this id; an export runs in OpenVINO, so in none of torch's."""
        found = precision_named(self.identity, model_id)
        return None if self.is_export and found and found.precision == BFLOAT16_IN_TORCH else found

    def base_folder(self) -> Path:
        """Where the untouched base loads from: one behind an endpoint stands in the model's own folder."""
        if is_endpoint(self.folder):
            return self.folder / BASE_FOLDER
        return encoders.find_base(self.base_identity.base)


@dataclass(frozen=True)
class ModelResult:
    """What `refresh` found or made."""

    record: ModelRecord
    reused: bool


def require_enough(store: Store, recipe: Recipe, dataset: RetrievalDataset) -> None:
    """Refuse few questions where there once were enough: a fault, and no reason to go back to the base.

    Raises
    ------
    DatasetError
        If there is too little to learn from, and the recipe's current model has learned something.
    """
    current = current_model(store, recipe.name)
    if current and current.is_tuned:
        prepare(dataset)


def refresh(
    store: Store,
    recipe: Recipe,
    dataset: RetrievalDataset,
    models_dir: Path,
    *,
    running: ModelSettings = _DEFAULTS,
    report: OnEntry = unwatched,
) -> ModelResult:
    """The recipe's model for this data: the one on record if it was trained from the same, else a new one.

    A reused model costs no import of torch. Afterwards the result is the recipe's current model. Training that was
    killed goes on from its last checkpoint. `running` says on what and in which precision models run and are trained;
    `report` is that of `train`; if that fails, the recipe's current model stays what it was.

    Raises
    ------
    DatasetError
        As `require_enough`. Otherwise as `train`.
    """
    key = training_key(recipe, dataset, running.endpoints)
    record_id = digest(recipe.name, key)
    if known := _find(store, recipe, record_id):
        return ModelResult(known, reused=True)
    require_enough(store, recipe, dataset)
    trained = train(
        recipe,
        dataset,
        store,
        model_folder(models_dir, recipe.name, key),
        device=running.device,
        batch_size=running.batch_size,
        endpoints=running.endpoints,
        precision=running.training_precision,
        devices=running.training_devices,
        work=work_folder(models_dir, recipe.name, key),
        report=report,
    )
    names = ("chosen", "validation", "history", "n_train", "n_validation", "seconds")
    record = ModelRecord(
        record_id=record_id,
        recipe=recipe.name,
        training_key=key,
        folder=trained.folder,
        identity=trained.identity,
        base_identity=trained.base_identity,
        metrics={name: getattr(trained, name) for name in names},
        created_at=datetime.now(UTC),
    )
    training_corpora.remember(store, key, dataset)
    write(store, record)
    # With what killed training on other data may have left.
    shutil.rmtree(work_folders(models_dir, recipe.name), ignore_errors=True)
    return ModelResult(record, reused=False)


def find(
    store: Store, recipe: Recipe, dataset: RetrievalDataset, endpoints: Sequence[EmbeddingEndpoint] = ()
) -> ModelRecord | None:
    """The model trained from this recipe and data, if there is one; it becomes the recipe's current model."""
    return _find(store, recipe, digest(recipe.name, training_key(recipe, dataset, endpoints)))


def _find(store: Store, recipe: Recipe, record_id: str) -> ModelRecord | None:
    known = next(iter(_records(store, f"record_id = {quoted(record_id)}")), None)
    if known is None or not (known.folder / IDENTITY_FILE).exists():
        return None
    if encoders.as_found(known.folder, known.identity).model_id != known.identity.model_id:
        _log.warning("recipe %s: %s was changed since it was published: trained anew", recipe.name, known.folder)
        return None
    _log.info("recipe %s: trained on the same data before, nothing to do", recipe.name)
    return _make_current(store, known)


def is_unfinished(models_dir: Path, recipe_name: str, training_key: str) -> bool:
    """Whether a training that did not come to its end has left something to go on from."""
    return work_folder(models_dir, recipe_name, training_key).is_dir()


def training_key(recipe: Recipe, dataset: RetrievalDataset, endpoints: Sequence[EmbeddingEndpoint] = ()) -> str:
    """Digest of all that decides what comes out: code version, recipe, files of the models it names, and data."""
    base = describe_base(recipe, endpoints)
    method = method_named(recipe.method)
    with naming(recipe):
        folders = method.reads(recipe.parameters)
    others = [encoders.describe(folder, base=str(folder)).document_fingerprint for folder in folders]
    return digest(
        VERSION + method.version,
        recipe.content,
        base.query_fingerprint,
        base.document_fingerprint,
        digest_of(dataset),
        *others,
    )


def current_model(store: Store, recipe_name: str) -> ModelRecord | None:
    """The newest model of a recipe, or None if it was never trained."""
    return max(of_recipe(store, recipe_name), key=lambda record: record.created_at, default=None)


def current_models(store: Store) -> dict[str, ModelRecord]:
    """The newest model of every recipe, by its name."""
    return {record.recipe: record for record in sorted(every_model(store), key=lambda record: record.created_at)}


def of_recipe(store: Store, recipe_name: str) -> list[ModelRecord]:
    """Every model of a recipe on record, those whose folder is gone too."""
    return _records(store, f"recipe = {quoted(recipe_name)}")


def every_model(store: Store) -> list[ModelRecord]:
    """Every model of every recipe on record, those whose folder is gone too."""
    return _records(store)


def model_named(store: Store, recipe_name: str, model_id: str) -> ModelRecord | None:
    """A recipe's model by the id that it has in any precision, current or not.

    The newest of equal ones, those first whose folder is there; where none is, the record still tells what the model
    was trained on, and `is_there` that it can no longer be run.
    """
    records = [record for record in of_recipe(store, recipe_name) if record.identity_named(model_id)]
    return max(records, key=lambda record: (record.is_there, record.created_at), default=None)


def annotate(store: Store, record_id: str, *, mlflow_run_id: str, registry_version: str | None = None) -> ModelRecord:
    """Note where a model was logged and registered.

    Raises
    ------
    KeyError
        If there is no such record.
    """
    found = _records(store, f"record_id = {quoted(record_id)}")
    if not found:
        raise KeyError(record_id)
    record = replace(found[0], mlflow_run_id=mlflow_run_id, registry_version=registry_version)
    write(store, record)
    return record


def _make_current(store: Store, record: ModelRecord) -> ModelRecord:
    """Data that went A, B, A: the model of A is on record, but B's is newer. An export of A in use stays in use."""
    newest = current_model(store, record.recipe)
    if newest and newest.training_key == record.training_key:
        if newest.is_there:
            return newest
        _log.warning("recipe %s: export %s is gone; the model it was made from is used", record.recipe, newest.folder)
    record = replace(record, created_at=datetime.now(UTC))
    write(store, record)
    return record


def _records(store: Store, where: str | None = None) -> list[ModelRecord]:
    rows = store.read(tables.MODELS, columns=[field.name for field in fields(ModelRecord)], where=where).to_pylist()
    return [
        ModelRecord(
            **row
            | {
                "folder": store.placed(row["folder"]),
                "identity": ModelIdentity.from_json(row["identity"]),
                "base_identity": ModelIdentity.from_json(row["base_identity"]),
                "metrics": json.loads(row["metrics"]),
            }
        )
        for row in rows
    ]


def write(store: Store, record: ModelRecord) -> None:
    """Put a record on record, in the place of one with the same id."""
    row = vars(record) | {
        "model_id": record.identity.model_id,
        "folder": store.portable(record.folder),
        "identity": record.identity.to_json(),
        "base_identity": record.base_identity.to_json(),
        "metrics": json.dumps(record.metrics),
    }
    store.upsert(tables.MODELS, tables.MODELS.rows([row]))


@dataclass(frozen=True)
class Drift:
    """Passages that were added and removed since a training, of `n_now` today; `state` names today's passages."""

    added: int
    removed: int
    n_now: int
    state: str

    @property
    def share(self) -> float:
        """Of today's passages; a rewritten one counts twice, being one that went and one that came."""
        return (self.added + self.removed) / self.n_now

    def __str__(self) -> str:
        return f"{self.added} passages added and {self.removed} removed since, {self.share:.0%} of {self.n_now}"


def drift(store: Store, recipe: str) -> Drift | None:
    """Today's passages against those of the recipe's last training; None without a training, or without passages.

    The last training counts even if its model lost against the champion, or a champion that keeps winning would have
    its recipe trained for ever.
    """
    model = current_model(store, recipe)
    before = training_corpora.chunk_ids(store, model.training_key) if model else None
    now = frozenset(store.read(tables.CHUNKS, columns=["chunk_id"]).column("chunk_id").to_pylist())
    if before is None or not now:
        return None
    return Drift(len(now - before), len(before - now), len(now), digest(*sorted(now))[:16])
