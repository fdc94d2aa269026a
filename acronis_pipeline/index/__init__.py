"""The searchable passages of one model: a LanceDB table with vectors, a full-text index and the model's identity.

A table belongs to one model for good. Another model gets another table, so that moving back is moving a pointer.
"""

from acronis_pipeline.index.deferred import DeferredEmbedder
from acronis_pipeline.index.identity import read_identity
from acronis_pipeline.index.rows import VERSION, content_version, data_version, passage_rows, read_content
from acronis_pipeline.index.table import IndexResult, refresh, refresh_from, table_name

__all__ = [
    "VERSION",
    "DeferredEmbedder",
    "IndexResult",
    "content_version",
    "data_version",
    "passage_rows",
    "read_content",
    "read_identity",
    "refresh",
    "refresh_from",
    "table_name",
]
