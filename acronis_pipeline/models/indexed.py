"""What a recipe searches with: its model or the untouched base of it, each with the table of its passages."""

from collections.abc import Callable
from pathlib import Path

from acronis_pipeline import encoders
from acronis_pipeline.core.errors import ModelError
from acronis_pipeline.core.settings import ModelSettings
from acronis_pipeline.encoders import DeferredEncoder, ModelIdentity, in_precision
from acronis_pipeline.encoders.endpoint import is_endpoint
from acronis_pipeline.encoders.identity import BFLOAT16_IN_TORCH, FLOAT32
from acronis_pipeline.index import IndexedModel, table_name
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


def indexed_base(record: ModelRecord, model: ModelSettings) -> IndexedModel:
    """The untouched base that a recipe's model started from, with the recipe's prompts and length limit."""
    identity = in_precision(record.base_identity, _precision(record, model))
    return IndexedModel(table_name("base", identity.model_id), deferred(identity, record.base_folder, model))


def indexed_model(record: ModelRecord, model: ModelSettings) -> IndexedModel:
    """A recipe's model."""
    precision = _precision(record, model)
    if record.is_export and precision == BFLOAT16_IN_TORCH:
        precision = FLOAT32  # an export runs in OpenVINO, on a processor
    identity = in_precision(record.identity, precision)
    return IndexedModel(table_name(record.recipe, identity.model_id), deferred(identity, lambda: record.folder, model))


def _precision(record: ModelRecord, model: ModelSettings) -> str:
    if is_endpoint(record.folder):
        return FLOAT32  # others compute it, in whatever they do
    return encoders.precision_of(record.base_identity, record.base_folder, model)


def deferred(identity: ModelIdentity, folder: Callable[[], Path], model: ModelSettings) -> DeferredEncoder:
    """An encoder whose folder is found, and whose weights are loaded, when it is first needed."""
    return DeferredEncoder(identity, lambda: encoders.running(folder(), identity, model))
