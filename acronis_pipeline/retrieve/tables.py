"""The tables that a system searches, opened after checks."""

from dataclasses import dataclass
from typing import Any

from acronis_pipeline.embedding import Embedder
from acronis_pipeline.errors import IdentityMismatchError
from acronis_pipeline.index import excerpts, is_finished
from acronis_pipeline.index.identity import read_identity, require
from acronis_pipeline.retrieve.system import System
from acronis_pipeline.store import Store


@dataclass(frozen=True)
class Tables:
    """An open passages table and that of its excerpts."""

    passages: Any
    excerpts: Any


def open_checked(store: Store, system: System, embedder: Embedder | None) -> Tables:
    """The system's tables, after making sure that `embedder` is the model of their vectors.

    Raises
    ------
    IdentityMismatchError
        If the table does not exist, is not finished, or holds vectors of another model than the one given.
    """
    found = read_identity(store, system.table)
    if system.needs_encoder:
        if embedder is None:
            raise IdentityMismatchError(
                f"system {system.name} searches by vectors and needs model {found.model_id} ({found.base}), got none"
            )
        require(found, embedder.identity, system.table)
    if not is_finished(store, system.table):
        raise IdentityMismatchError(
            f"table {system.table} lacks a full-text index: its build was interrupted, or an older version of this "
            "program made it; build the index again"
        )
    return Tables(store.open(system.table), store.open(excerpts.table_name(system.table)))
