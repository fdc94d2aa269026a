"""What identifies a passages table: the model of its vectors, and its rows without these.

The model stands in the table's schema metadata, which is written when the table is created and stays through merges and
`optimize` (LanceDB 0.40, tested).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from acronis_pipeline.core.dataset import Passage
from acronis_pipeline.core.errors import IdentityMismatchError
from acronis_pipeline.core.hashing import digest, digest_rows
from acronis_pipeline.encoders import ModelIdentity
from acronis_pipeline.store import Store, tables

_KEY = b"acronis_pipeline.identity"


def every_row(table: Any, columns: Sequence[str]) -> pa.Table:
    """Columns of all rows of an opened table; without a limit LanceDB answers 10 rows."""
    return table.search().select(list(columns)).limit(max(1, table.count_rows())).to_arrow()


def marked(table: tables.Table, identity: ModelIdentity) -> tables.Table:
    """The table with the identity in its schema's metadata."""
    return replace(table, schema=table.schema.with_metadata({_KEY: identity.to_json().encode()}))


def read_identity(store: Store, table: str) -> ModelIdentity:
    """The model whose vectors a passages table holds.

    Raises
    ------
    IdentityMismatchError
        If there is no such table, or it does not say.
    """
    if not store.exists(table):
        raise IdentityMismatchError(f"table {table} does not exist in {store.uri}; build the index of this model first")
    text = (store.open(table).schema.metadata or {}).get(_KEY)
    if text is None:
        raise IdentityMismatchError(
            f"table {table} in {store.uri} does not name the model of its vectors; delete it and build the index again"
        )
    return ModelIdentity.from_json(text.decode())


def require(found: ModelIdentity, wanted: ModelIdentity, table: str) -> None:
    """Refuse to mix the vectors of two models.

    Raises
    ------
    IdentityMismatchError
        If the table's model is not the wanted one.
    """
    if found.model_id != wanted.model_id:
        raise IdentityMismatchError(
            f"table {table} holds vectors of model {found.model_id} ({found.base}), not of {wanted.model_id} "
            f"({wanted.base}); use the model it was built with, or build an index for this one"
        )


VERSION = "2"
"""Raised when the same passages and model would make another table: columns, full-text options."""
_SEARCHED = ["chunk_id", "passage", "cluster_id"]


def passage_rows(passages: Sequence[Passage]) -> pa.Table:
    """Content rows of a corpus that has no chunks table, such as a dataset read from a file."""
    rows = [
        {
            "chunk_id": passage.chunk_id,
            "url": passage.url,
            "heading_path": [],
            "ordinal": ordinal,
            "text": passage.text,
            "passage": passage.text,
            "cluster_id": passage.cluster_id,
        }
        for ordinal, passage in enumerate(passages)
    ]
    return tables.CONTENT.rows(rows)


def read_content(store: Store, table: str) -> pa.Table:
    """Everything of a passages table but the vectors."""
    return store.read(tables.CONTENT.named(table))


def content_version(store: Store, table: str = tables.CHUNKS.name) -> str:
    """Digest of the passages of a table and their near-duplicates, whichever model made its vectors.

    The chunks table itself can be asked too: an index in step with it has the same digest.
    """
    return _content_version_of(store.read(tables.CONTENT.named(table), columns=_SEARCHED))


def data_version(store: Store, table: str) -> str:
    """Digest of what searches of a passages table depend on: its model and its content."""
    return digest(VERSION, read_identity(store, table).model_id, content_version(store, table))


def data_version_of(identity: ModelIdentity, rows: pa.Table) -> str:
    """The `data_version` of a table of this model that holds these content rows."""
    return digest(VERSION, identity.model_id, _content_version_of(rows))


def _content_version_of(rows: pa.Table) -> str:
    return digest_rows(zip(*(rows.column(name).to_pylist() for name in _SEARCHED), strict=True))
