"""How passages are cut into words and stemmed for full-text search: as the site's main language needs it.

The indexes of a passages table: scalar ones for look-ups and filters, an approximate one on the vectors of a large
table, full text on the passage.

Rows outside an index are still found, only slower, so a reader gets right answers whichever of them are there. The
full-text index is made last and says that the first build is complete: without it LanceDB would search the text all the
same, but without stemming.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from acronis_pipeline.core.settings import IndexSettings
from acronis_pipeline.index import ann, excerpts
from acronis_pipeline.index.ann import SearchOptions
from acronis_pipeline.store import Store

_STEMMED = {
    "ar": "Arabic",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "fi": "Finnish",
    "fr": "French",
    "hu": "Hungarian",
    "it": "Italian",
    "nb": "Norwegian",
    "nl": "Dutch",
    "nn": "Norwegian",
    "no": "Norwegian",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sv": "Swedish",
    "ta": "Tamil",
    "tr": "Turkish",
}
"""What LanceDB has a stemmer for (0.40)."""
_WITHOUT_SPACES = {"ja", "zh"}
"""Cut at spaces, a sentence of these is one word that no question holds; ICU finds the words in it. Its words for Thai
did not match those of the question."""


def main_language(tags: Iterable[str | None]) -> str:
    """The most frequent primary language of the tags (`de` of `de-AT`); `en` where no tag says anything."""
    known = Counter(tag.replace("_", "-").split("-")[0].lower() for tag in tags if tag)
    return known.most_common(1)[0][0] if known else "en"


def full_text_options(language: str) -> dict[str, Any]:
    """Options of `lancedb.index.FTS` for a site that is mostly in this language.

    Stemming finds more on questions that people wrote (nDCG@10 .684 against .644 on 236 of them over 1,488 passages),
    at a cost on questions made from the passages' own words (.803 against .833). Leaving out stop words gains .01 to
    .07 on three sets of English questions; cutting English by ICU loses up to .005.
    """
    folded = {"ascii_folding": True, "lower_case": True}
    if language in _STEMMED:
        return {"language": _STEMMED[language], "stem": True, "remove_stop_words": True, **folded}
    if language in _WITHOUT_SPACES:
        # English: for the product names and terms in between.
        return {"base_tokenizer": "icu", "language": "English", "stem": True, "remove_stop_words": True, **folded}
    return {"stem": False, "remove_stop_words": False, **folded}


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
