"""The arms of an evaluation by name: the untouched base, a recipe's model, the reigning champion."""

from pathlib import Path

from acronis_pipeline import encoders
from acronis_pipeline.champion.record import Champion
from acronis_pipeline.core.errors import ModelError
from acronis_pipeline.core.settings import ModelSettings
from acronis_pipeline.encoders import ModelIdentity, in_precision
from acronis_pipeline.encoders.deferred import DeferredEmbedder
from acronis_pipeline.encoders.endpoint import is_endpoint
from acronis_pipeline.encoders.identity import BFLOAT16_IN_TORCH, FLOAT32
from acronis_pipeline.evaluate.arena import Arm
from acronis_pipeline.index import table_name
from acronis_pipeline.models.records import ModelRecord, current_model
from acronis_pipeline.store import Store


def require_model(store: Store, recipe: str) -> ModelRecord:
    """The recipe's current model.

    Raises
    ------
    ModelError
        If it was never trained here, or its folder is gone.
    """
    record = current_model(store, recipe)
    if record is None:
        raise ModelError(f"recipe {recipe} has no model in {store.uri}; materialize fine_tuned_model[{recipe}] first")
    if not record.is_there and record.is_export:
        raise ModelError(
            f"recipe {recipe}: the export {record.folder}, which it runs on, is gone; put it back, or have it run on "
            f"its trained model with `acronis-pipeline model restore {recipe}`"
        )
    if not record.is_there:
        raise ModelError(
            f"recipe {recipe}: its model folder {record.folder} is gone; materialize fine_tuned_model[{recipe}] again"
        )
    return record


def base_arm(record: ModelRecord, model: ModelSettings) -> Arm:
    """The untouched base that a recipe's model started from, with the recipe's prompts and length limit."""
    identity = in_precision(record.base_identity, _precision(record, model))
    embedder = DeferredEmbedder(identity, lambda: encoders.running(record.base_folder(), identity, model))
    return Arm(table_name("base", identity.model_id), embedder)


def tuned_arm(record: ModelRecord, model: ModelSettings) -> Arm:
    """A recipe's model."""
    precision = _precision(record, model)
    if record.is_export and precision == BFLOAT16_IN_TORCH:
        precision = FLOAT32  # an export runs in OpenVINO, on a processor
    identity = in_precision(record.identity, precision)
    return Arm(table_name(record.recipe, identity.model_id), _deferred(record.folder, identity, model))


def _precision(record: ModelRecord, model: ModelSettings) -> str:
    if is_endpoint(record.folder):
        return FLOAT32  # others compute it, in whatever they do
    return encoders.precision_of(record.base_identity, record.base_folder, model)


def champion_arm(champion: Champion, model: ModelSettings) -> Arm | None:
    """The champion's model and table; None if it searches words only."""
    identity, folder = champion.identity, champion.model_folder
    if identity is None or folder is None:
        return None
    return Arm(champion.system.table, _deferred(Path(folder), identity, model))


def arms_of(store: Store, recipe: str, model: ModelSettings, champion: Champion | None) -> list[Arm]:
    """Every table that a refresh of a recipe must keep fresh: its model's, its base's, and the champion's, which its
    systems are compared with."""
    record = require_model(store, recipe)
    arms = [tuned_arm(record, model), base_arm(record, model)]
    serving = champion_arm(champion, model) if champion else None
    if serving and serving.table not in {arm.table for arm in arms}:
        arms.append(serving)
    return arms


def base_embedder(identity: ModelIdentity, model: ModelSettings) -> DeferredEmbedder:
    """An untouched base, found when it is first needed."""
    return DeferredEmbedder(identity, lambda: encoders.running(encoders.find_base(identity.base), identity, model))


def _deferred(folder: Path, identity: ModelIdentity, model: ModelSettings) -> DeferredEmbedder:
    return DeferredEmbedder(identity, lambda: encoders.running(folder, identity, model))
