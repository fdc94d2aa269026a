"""Whether a system can answer questions now: its passages table, and the model that its questions go through."""

from pathlib import Path

from acronis_pipeline import embedding, index
from acronis_pipeline.embedding import ModelIdentity, precision_named
from acronis_pipeline.errors import IdentityMismatchError, ModelError
from acronis_pipeline.evaluate.arena import Arm
from acronis_pipeline.evaluate.arms import base_arm, base_embedder, champion_arm, require_model
from acronis_pipeline.evaluate.champion import Champion, Contender
from acronis_pipeline.finetune import model_named
from acronis_pipeline.retrieve import System
from acronis_pipeline.settings import ModelSettings
from acronis_pipeline.store import Store


def model_of(store: Store, contender: Contender) -> tuple[str | None, ModelIdentity | None]:
    """Folder and identity of the model that a contender searches with; neither for BM25.

    Raises
    ------
    ModelError
        If no model on record is the one that it was evaluated with, or its folder is gone.
    """
    if contender.model_id is None:
        return None, None
    record = model_named(store, contender.recipe, contender.model_id)
    if record and record.is_there:
        return str(record.folder), record.identity_named(contender.model_id)
    current = require_model(store, contender.recipe)
    base = precision_named(current.base_identity, contender.model_id)
    if base is None and record:
        raise ModelError(
            f"{contender} was evaluated with model {contender.model_id}, whose folder {record.folder} is gone; "
            f"materialize fine_tuned_model, lancedb_index and eval_report of {contender.recipe}"
        )
    if base is None:
        raise ModelError(
            f"{contender} was evaluated with model {contender.model_id}, which is no longer on record; materialize "
            f"fine_tuned_model, lancedb_index and eval_report of {contender.recipe}"
        )
    return str(current.base_folder()), base


def problem(store: Store, system: System, model_folder: str | None, identity: ModelIdentity | None) -> str | None:
    """What keeps a system from answering; None if nothing does. Reads names and hashes, loads no model."""
    try:
        found = index.read_identity(store, system.table)
    except IdentityMismatchError as error:
        return f"table {system.table} is gone" if not store.exists(system.table) else str(error)
    if not system.needs_encoder or identity is None:
        return None
    if found.model_id != identity.model_id:
        return f"table {system.table} holds vectors of model {found.model_id}, not of {identity.model_id}"
    folder = Path(model_folder or "")
    if not model_folder or not folder.is_dir():
        return f"its model folder {model_folder} is gone"
    actual = embedding.as_found(folder, identity)
    if actual.model_id != identity.model_id:
        return f"model folder {folder} now holds model {actual.model_id}, not {identity.model_id}"
    return None


def serving_arm(store: Store, champion: Champion, model: ModelSettings) -> Arm:
    """The table that a champion searches and the model of its vectors: passages are embedded for BM25's table too."""
    if arm := champion_arm(champion, model):
        return arm
    identity = index.read_identity(store, champion.system.table)
    base = base_arm(require_model(store, champion.recipe), model)
    if base.embedder.identity.model_id == identity.model_id:
        return base
    return Arm(champion.system.table, base_embedder(identity, model))
