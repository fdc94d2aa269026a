"""Whether a system can answer questions now: its passages table, and the model that its questions go through.

What repeats the pointer for those who look elsewhere: the registry's alias, and the tag on the passages table.

The champions table is the one truth. Its row is written first, then the tag is moved, then the alias: whoever is killed
in between leaves a disagreement that `disagreements` names and `follow` mends.
"""

from pathlib import Path
from typing import Protocol

from acronis_pipeline import encoders, index
from acronis_pipeline.champion.record import Champion, Contender, history
from acronis_pipeline.core.errors import IdentityMismatchError, ModelError
from acronis_pipeline.core.settings import ModelSettings
from acronis_pipeline.encoders import ModelIdentity, precision_named
from acronis_pipeline.evaluate.arena import Arm
from acronis_pipeline.evaluate.arms import base_arm, base_embedder, champion_arm, require_model
from acronis_pipeline.models.records import ModelRecord, model_named
from acronis_pipeline.retrieve import System
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
    actual = encoders.as_found(folder, identity)
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


TAG = "champion"
"""On the current version of the table that answers questions, and on no other table."""


class Registry(Protocol):
    """The model registry, as far as it knows of the champion (`tracking.Tracker` is one)."""

    def champion_version(self) -> str | None: ...

    def model_id_of(self, version: str) -> str | None: ...

    def set_champion(self, version: str | None) -> None: ...


def _record(store: Store, champion: Champion) -> ModelRecord | None:
    """Of the champion's model; None for BM25 and for an untrained base."""
    return model_named(store, champion.recipe, champion.model_id) if champion.model_id else None


def _version(record: ModelRecord | None) -> str | None:
    """In the registry; None for a model that was never registered, too."""
    return record.registry_version if record else None


def follow(store: Store, registry: Registry, champion: Champion) -> None:
    """Move tag and alias to where the pointer stands; nothing is written where they stand there already."""
    mark(store, champion)
    registry.set_champion(_version(_record(store, champion)))


def mark(store: Store, champion: Champion) -> None:
    """Move the tag to the current version of the champion's table: after every refresh of it, and after every move."""
    if store.exists(champion.system.table):
        store.tag(champion.system.table, TAG)
    for table in _other_tables(store, champion):
        store.untag(table, TAG)


def disagreements(store: Store, registry: Registry, champion: Champion) -> list[str]:
    """Why the champion cannot answer as its row says, and what says something else than the row."""
    table = champion.system.table
    unfit = problem(store, champion.system, champion.model_folder, champion.identity)
    problems = [unfit] if unfit else []
    if store.exists(table):
        tagged, current = store.tags(table).get(TAG), store.version(table)
        if tagged != current:
            problems.append(f"table {table} is at version {current}, its tag {TAG} at {tagged or 'none'}")
    problems += [f"table {other} carries the tag {TAG} too" for other in _other_tables(store, champion, tagged=True)]
    named, record = registry.champion_version(), _record(store, champion)
    due = _version(record)
    if named != due:
        problems.append(f"the alias names version {named or 'none'}, the champion's model is version {due or 'none'}")
    # The registry holds the weights, in whichever precision they answer.
    elif named and record and registry.model_id_of(named) != record.identity.model_id:
        problems.append(f"registry version {named} is not model {record.identity.model_id}")
    return problems


def _other_tables(store: Store, champion: Champion, *, tagged: bool = False) -> list[str]:
    """Tables that answered questions before."""
    tables = {past.system.table for past in history(store)} - {champion.system.table}
    return sorted(table for table in tables if not tagged or TAG in store.tags(table))
