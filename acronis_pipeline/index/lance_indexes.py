"""The indexes of a passages table: scalar ones for look-ups and filters, an approximate one on the vectors of a large
table, full text on the passage.

Rows outside an index are still found, only slower, so a reader gets right answers whichever of them are there. The
full-text index is made last and says that the first build is complete: without it LanceDB would search the text all the
same, but without stemming.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from acronis_pipeline.index import ann, excerpts
from acronis_pipeline.index.search_options import SearchOptions
from acronis_pipeline.index.text_language import full_text_options, main_language
from acronis_pipeline.settings import IndexSettings
from acronis_pipeline.store import Store

_NEVER = timedelta(days=36_500)
_SCALAR = {"chunk_id": "BTree", "url": "BTree", "language": "Bitmap"}
"""A B-tree serves `starts_with(url, …)` and `url LIKE '…%'` too."""


def is_finished(store: Store, passages: str) -> bool:
    """Whether the first build of a passages table came to its end; a killed one is completed by the next refresh."""
    excerpts_of_it = excerpts.table_name(passages)
    return store.exists(excerpts_of_it) and all(
        any(index.columns == [column] for index in store.open(name).list_indices())
        for name, column in ((passages, "passage"), (excerpts_of_it, "text"))
    )


def bring_up_to_date(store: Store, passages: str, settings: IndexSettings) -> SearchOptions:
    """Make missing indexes and fold rows that are not indexed yet into them; without either, nothing is written.

    Returns
    -------
    SearchOptions
        How the vectors are to be searched now.
    """
    table, of_excerpts = store.open(passages), store.open(excerpts.table_name(passages))
    missing, _ = _folded(of_excerpts, ("chunk_id", "text"))
    if "chunk_id" in missing:
        of_excerpts.create_index("chunk_id", config=_config("chunk_id"))
    if "text" in missing:
        of_excerpts.create_index("text", config=_full_text(table))
    missing, stale = _folded(table, (*_SCALAR, "passage"))
    for column in _SCALAR:
        if column in missing:
            table.create_index(column, config=_config(column))
    options = ann.bring_up_to_date(table, settings, written=stale)
    if "passage" in missing:
        table.create_index("passage", config=_full_text(table))
    return options


def _folded(table: Any, columns: Sequence[str]) -> tuple[set[str], bool]:
    """The columns without an index, and whether rows had to be folded into one of the others."""
    existing = {index.columns[0]: index for index in table.list_indices()}
    stale = any(index.num_unindexed_rows for index in existing.values())
    if stale:
        # No pruning here: with an old tagged version it fails, and it fails before rows are indexed (LanceDB 0.40).
        table.optimize(cleanup_older_than=_NEVER)
    return set(columns) - existing.keys(), stale


def _config(column: str) -> Any:
    from lancedb.index import Bitmap, BTree

    return BTree() if _SCALAR[column] == "BTree" else Bitmap()


def _full_text(table: Any) -> Any:
    from lancedb.index import FTS

    tags = table.search().select(["language"]).limit(max(1, table.count_rows())).to_arrow().column("language")
    return FTS(**full_text_options(main_language(tags.to_pylist())))
