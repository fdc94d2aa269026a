"""The searchable passages of one model: a LanceDB table with vectors, a full-text index and the model's identity.

A table belongs to one model for good. Another model gets another table, so that moving back is moving a pointer.
"""

from acronis_pipeline.index.lance_indexes import MIN_RECALL, is_finished, search_options
from acronis_pipeline.index.pruning import Dropped, prune, tables_in_use
from acronis_pipeline.index.rows import (
    VERSION,
    content_version,
    passage_rows,
    read_content,
    read_identity,
)
from acronis_pipeline.index.table import IndexedModel, IndexResult, part_bytes, refresh, refresh_from, table_name

__all__ = [
    "MIN_RECALL",
    "VERSION",
    "Dropped",
    "IndexResult",
    "IndexedModel",
    "content_version",
    "is_finished",
    "part_bytes",
    "passage_rows",
    "prune",
    "read_content",
    "read_identity",
    "refresh",
    "refresh_from",
    "search_options",
    "table_name",
    "tables_in_use",
]
