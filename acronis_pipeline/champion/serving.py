"""Which table and model a champion answers from, and whether it can: it is compared and refreshed by these as well."""

from collections.abc import Sequence
from dataclasses import replace

from acronis_pipeline import encoders, index
from acronis_pipeline.champion.record import Champion, Contender, ServedModel, promotions
from acronis_pipeline.core.errors import IdentityMismatchError, ModelError
from acronis_pipeline.core.settings import ModelSettings, Settings
from acronis_pipeline.encoders import precision_named
from acronis_pipeline.evaluate.setup import CHAMPION, ComparedSystem, ComparedSystems, endpoint_models
from acronis_pipeline.index import IndexedModel
from acronis_pipeline.models.indexed import deferred, indexed_base, indexed_model, require_model
from acronis_pipeline.models.records import model_named
from acronis_pipeline.retrieve import System
from acronis_pipeline.store import Store


def model_of(store: Store, contender: Contender) -> ServedModel | None:
    """The model that a contender searches with; None for BM25.

    Raises
    ------
    ModelError
        If no model on record is the one that it was evaluated with, or its folder is gone.
    """
    if contender.model_id is None:
        return None
    record = model_named(store, contender.recipe, contender.model_id)
    if record and record.is_there and (identity := record.identity_named(contender.model_id)):
        return ServedModel(str(record.folder), identity)
    current = require_model(store, contender.recipe)
    base = precision_named(current.base_identity, contender.model_id)
    if base is None:
        why = f"whose folder {record.folder} is gone" if record else "which is no longer on record"
        raise ModelError(
            f"{contender} was evaluated with model {contender.model_id}, {why}; materialize fine_tuned_model, "
            f"lancedb_index and eval_report of {contender.recipe}"
        )
    return ServedModel(str(current.base_folder()), base)


def problem(store: Store, system: System, model: ServedModel | None) -> str | None:
    """What keeps a system from answering; None if nothing does. Reads names and hashes, loads no model."""
    try:
        found = index.read_identity(store, system.table)
    except IdentityMismatchError as error:
        return f"table {system.table} is gone" if not store.exists(system.table) else str(error)
    if not system.needs_encoder or model is None:
        return None
    identity, folder = model.identity, model.place
    if found.model_id != identity.model_id:
        return f"table {system.table} holds vectors of model {found.model_id}, not of {identity.model_id}"
    if not folder.is_dir():
        return f"its model folder {folder} is gone"
    actual = encoders.as_found(folder, identity)
    if actual.model_id != identity.model_id:
        return f"model folder {folder} now holds model {actual.model_id}, not {identity.model_id}"
    return None


def champion_model(champion: Champion, model: ModelSettings) -> IndexedModel | None:
    """The champion's model and table; None if it searches words only."""
    served = champion.model
    if served is None:
        return None
    return IndexedModel(champion.system.table, deferred(served.identity, lambda: served.place, model))


def serving_model(store: Store, champion: Champion, model: ModelSettings) -> IndexedModel:
    """The table that a champion searches and the model of its vectors: passages are embedded for BM25's table too."""
    if indexed := champion_model(champion, model):
        return indexed
    identity = index.read_identity(store, champion.system.table)
    base = indexed_base(require_model(store, champion.recipe), model)
    if base.encoder.identity.model_id == identity.model_id:
        return base
    return IndexedModel(champion.system.table, deferred(identity, lambda: encoders.find_base(identity.base), model))


def models_to_index(
    store: Store, recipe: str, model: ModelSettings, champion: Champion | None
) -> Sequence[IndexedModel]:
    """Every table that a refresh of a recipe must keep fresh: its model's, its base's, and the champion's, which its
    systems are compared with."""
    record = require_model(store, recipe)
    found = [indexed_model(record, model), indexed_base(record, model)]
    serving = champion_model(champion, model) if champion else None
    if serving and serving.table not in {indexed.table for indexed in found}:
        found.append(serving)
    return found


def compared_systems(
    store: Store, base: IndexedModel, champion: Champion | None, settings: Settings
) -> ComparedSystems:
    """What a recipe's systems are compared with: the champion and the configured endpoints' models.

    They search the passages of the base's table; the champion, called `champion`, does so in its own table, and one
    that searches words only in the base's.
    """
    external = endpoint_models(store, base, settings.evaluation.external)
    if champion is None:
        return external
    indexed = champion_model(champion, settings.model)
    if indexed and (problem := _why_not_compared(store, base, champion, indexed.table)):
        return replace(external, champion_caveats=(f"Not compared with the champion: {problem}.",))
    indexed = indexed or base
    now = ComparedSystem(replace(champion.system, name=CHAMPION, table=indexed.table), indexed)
    return replace(external, systems=(now, *external.systems))


def _why_not_compared(store: Store, base: IndexedModel, champion: Champion, table: str) -> str | None:
    if unfit := problem(store, champion.system, champion.model):
        return unfit
    # Its table answers questions: bringing it into line with an older base would take passages away from users.
    if index.content_version(store, table) != index.content_version(store, base.table):
        return f"table {table} holds other passages; materialize lancedb_index"
    return None


def reports_in_use(store: Store) -> set[str]:
    """Ids of the reports that a promotion rests on."""
    return {champion.report_id for champion in promotions(store)}
