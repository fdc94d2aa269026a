"""Which model a passages table belongs to, kept in the table's schema metadata.

The metadata is written when the table is created and stays through merges and `optimize` (LanceDB 0.40, tested).
"""

import pyarrow as pa

from acronis_pipeline.embedding import ModelIdentity
from acronis_pipeline.errors import IdentityMismatchError
from acronis_pipeline.store import Store

_KEY = b"acronis_pipeline.identity"


def marked(schema: pa.Schema, identity: ModelIdentity) -> pa.Schema:
    """`schema` with the identity in its metadata."""
    return schema.with_metadata({**(schema.metadata or {}), _KEY: identity.to_json().encode()})


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
