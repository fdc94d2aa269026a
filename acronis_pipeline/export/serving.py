"""Letting a recipe's index and questions run on an exported model, and back."""

from dataclasses import replace
from datetime import UTC, datetime

from acronis_pipeline.core.errors import ModelError
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.export.exporting import Exported
from acronis_pipeline.models import records
from acronis_pipeline.models.records import ModelRecord
from acronis_pipeline.store import Store


def serve(store: Store, record: ModelRecord, exported: Exported) -> ModelRecord:
    """Make an export the recipe's current model, until it is trained anew.

    The next refresh of its index embeds the passages again if the vectors are others, and its report judges it like
    any model, so that the champion changes only on evidence.
    """
    taken = replace(
        record,
        record_id=digest(record.record_id, exported.identity.model_id, str(exported.folder)),
        folder=exported.folder,
        # With the same vectors it is the same model; any other is registered when fine_tuned_model is materialized.
        registry_version=record.registry_version if exported.identity == record.identity else None,
        identity=exported.identity,
        metrics=record.metrics | {"exported": exported.as_json()},
        created_at=datetime.now(UTC),
    )
    records.write(store, taken)
    return taken


def restore(store: Store, recipe: str) -> ModelRecord:
    """Make the model that an export was made from the recipe's current one again.

    Raises
    ------
    ModelError
        If the recipe runs on no export.
    """
    current = records.current_model(store, recipe)
    if current is None or not current.is_export:
        raise ModelError(f"recipe {recipe} runs on no exported model in {store.uri}; there is nothing to restore")
    trained = [known for known in records.of_recipe(store, recipe) if known.training_key == current.training_key]
    original = next((known for known in trained if not known.is_export and known.is_there), None)
    if original is None:
        raise ModelError(f"the model that {current.folder} was exported from is gone; train recipe {recipe} again")
    restored = replace(original, created_at=datetime.now(UTC))
    records.write(store, restored)
    return restored
