"""What repeats the champion for those who look elsewhere: the registry's alias, and the tag on the passages table.

The champions table is the one truth. Its row is written first, then the tag is moved, then the alias: whoever is killed
in between leaves a disagreement that `disagreements` names and `follow` mends.
"""

from typing import Protocol

from acronis_pipeline.champion.record import Champion, promotions
from acronis_pipeline.champion.serving import problem
from acronis_pipeline.models.records import ModelRecord, model_named
from acronis_pipeline.store import Store

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
    unfit = problem(store, champion.system, champion.model)
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
    tables = {past.system.table for past in promotions(store)} - {champion.system.table}
    return sorted(table for table in tables if not tagged or TAG in store.tags(table))
