"""The indexes of a passages table: scalar ones for look-ups and filters, full text, and vectors of a large table.

Rows outside an index are still found, only slower, so a reader gets right answers whichever of them are there. The
full-text index, which cuts and stems words as the site's main language needs it, is made last and says that the first
build is complete: without it LanceDB would search the text all the same, but without stemming.

Up to some 100,000 passages exact search by vector takes milliseconds and misses nothing. The approximate index of a
larger table is measured against it, and the parameters that miss little enough are noted in the table and versioned
with it. A table without such a note, also while its index is built or replaced, is searched exactly.
"""

import json
import logging
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np

from acronis_pipeline.core.settings import IndexSettings
from acronis_pipeline.encoders import vector_cache
from acronis_pipeline.index.rows import every_row
from acronis_pipeline.store import Store, tables

_log = logging.getLogger(__name__)
_KEY = "acronis_pipeline.search"
"""In the metadata of the vector column: unlike the schema's own it can be changed, and it stays through merges, index
builds and `optimize` (LanceDB 0.40, tested)."""


@dataclass(frozen=True)
class SearchOptions:
    """Parameters of a vector search.

    Parameters
    ----------
    exact
        Compare the query with every vector.
    index_type
        For example `IVF_RQ`; None for an exact search.
    nprobes
        Partitions of the index to look into.
    n_refined
        So many neighbours by the index's compressed vectors are re-ranked by their full ones, at least as many as are
        asked for; 0 where the index keeps full vectors.
    recall_at_10
        Share of the ten exact neighbours that these parameters found when they were measured.
    n_trained
        Rows that the index's partitions were made from.
    """

    exact: bool = True
    index_type: str | None = None
    nprobes: int = 0
    n_refined: int = 0
    recall_at_10: float = 1.0
    n_trained: int = 0

    def apply(self, query: Any, depth: int) -> Any:
        """A LanceDB vector query (`table.search(vector)`) that gives `depth` rows, found this way."""
        query = query.limit(depth)
        if self.exact:
            return query.bypass_vector_index()
        # No upper bound (0): under a filter more partitions may be needed to find as many rows as were asked for.
        query = query.minimum_nprobes(self.nprobes).maximum_nprobes(0)
        return query.refine_factor(math.ceil(max(self.n_refined, depth) / depth)) if self.n_refined else query


EXACT = SearchOptions()


def search_options(table: Any) -> SearchOptions:
    """How an opened passages table (at whichever version) is to be searched; costs next to nothing."""
    note = (table.schema.field("vector").metadata or {}).get(_KEY.encode())
    return SearchOptions(**json.loads(note)) if note else EXACT


def write_search_options(table: Any, options: SearchOptions) -> None:
    """Note the options in the table (one version), unless they stand there already."""
    if search_options(table) != options:
        table.update_field_metadata({"path": "vector", "metadata": {_KEY: json.dumps(asdict(options))}})


_NEVER = timedelta(days=36_500)
_SCALAR = {"chunk_id": "BTree", "url": "BTree", "language": "Bitmap"}
"""A B-tree serves `starts_with(url, …)` and `url LIKE '…%'` too."""


def is_finished(store: Store, passages: str) -> bool:
    """Whether the first build of a passages table came to its end; a killed one is completed by the next refresh."""
    excerpts_of_it = tables.excerpts(passages).name
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
    table, of_excerpts = store.open(passages), store.open(tables.excerpts(passages))
    missing, _ = _folded(of_excerpts, ("chunk_id", "text"))
    if "chunk_id" in missing:
        of_excerpts.create_index("chunk_id", config=_scalar("chunk_id"))
    if "text" in missing:
        of_excerpts.create_index("text", config=_full_text(table))
    missing, stale = _folded(table, (*_SCALAR, "passage"))
    for column in _SCALAR:
        if column in missing:
            table.create_index(column, config=_scalar(column))
    options = index_vectors(table, settings, written=stale)
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


def _scalar(column: str) -> Any:
    from lancedb import index

    return getattr(index, _SCALAR[column])()


def _full_text(table: Any) -> Any:
    from lancedb.index import FTS

    tags = every_row(table, ["language"]).column("language")
    return FTS(**full_text_options(main_language(tags.to_pylist())))


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


MIN_RECALL = 0.95
"""recall@10 below which an index is refused."""
_VECTOR_INDEX = "vector_idx"
_DEPTH = 10
_N_SAMPLE = 100
"""Queries of a measurement: the mean over 1,000 neighbours moves by about .005 from one sample to the next."""
_MIN_TRAINABLE = 256
"""Rows without which LanceDB cannot train an index."""
_EFFORTS = ((20, 50), (40, 50), (40, 200), (80, 200), (160, 500), (320, 1000))
"""Partitions looked into and neighbours re-ranked, from cheap to dear."""
_WINDOWED = 10
"""An exact search of several vectors a passage takes so many times as long: 150 ms for 60,000 vectors of 20,000
passages (two cores), 12 ms with an index."""
_INDEX_TYPES = {"float32": "IVF_FLAT", "int8": "IVF_SQ", "int4": "IVF_RQ_4", "binary": "IVF_RQ_1"}


def index_vectors(table: Any, settings: IndexSettings, *, written: bool) -> SearchOptions:
    """Build, rebuild or measure the vector index where that is due; says how the table is to be searched.

    While an index is built or replaced, readers search exactly. Rows that came after the build are found by comparing
    with each, until `optimize` folds them in; the partitions are made anew once the table has twice the rows that they
    were made from.

    Parameters
    ----------
    written
        Whether rows changed since the last call, so that recall has to be measured again.
    """
    n_rows, noted = table.count_rows(), search_options(table)
    indexed = vector_index(table) is not None
    fewest = settings.ann_min_rows // (_WINDOWED if tables.is_windowed(table.schema) else 1)
    if not indexed and n_rows < max(fewest, _MIN_TRAINABLE):
        return EXACT
    wanted = _INDEX_TYPES[settings.vectors]
    if indexed and noted.index_type == wanted and n_rows < 2 * noted.n_trained:
        start = noted
    else:
        # A build that was killed before its note is done again: what it was made from is not known.
        write_search_options(table, EXACT)
        _log.info("%s: building %s on %d vectors", table.name, wanted, n_rows)
        table.create_index("vector", config=_vector_config(settings), name=_VECTOR_INDEX)
        nprobes, n_refined = _EFFORTS[0]
        start = SearchOptions(False, wanted, nprobes, n_refined if wanted != "IVF_FLAT" else 0, 0.0, n_rows)
    if start == noted and not written:
        return noted
    measured = _good_enough(table, start, settings.recall)
    write_search_options(table, measured)
    return measured


def vector_index(table: Any) -> Any | None:
    """LanceDB's description of the index on the vectors; None where there is none."""
    return next((index for index in table.list_indices() if index.columns == ["vector"]), None)


def recall(table: Any, options: SearchOptions, queries: np.ndarray, exact: Sequence[set[str]]) -> float:
    """Mean share of each query's `exact` neighbours that a search with these options finds."""
    found = (_ten_nearest(table, query, options) for query in queries)
    return float(np.mean([len(got & true) / len(true) for got, true in zip(found, exact, strict=True)]))


def _good_enough(table: Any, start: SearchOptions, wanted_recall: float) -> SearchOptions:
    """The cheapest options from `start` on whose measured recall is the wanted one; else the dearest."""
    queries = _between_passages(table)
    exact = [_ten_nearest(table, query, EXACT) for query in queries]
    efforts = [effort for effort in _EFFORTS if effort[0] >= start.nprobes and effort[1] >= start.n_refined]
    options = start
    for nprobes, n_refined in efforts:
        options = replace(options, nprobes=nprobes, n_refined=n_refined if start.n_refined else 0)
        options = replace(options, recall_at_10=round(recall(table, options, queries, exact), 4))
        _log.info(
            "%s: recall@10 %.3f with nprobes %d, %d re-ranked",
            *(table.name, options.recall_at_10, options.nprobes, options.n_refined),
        )
        if options.recall_at_10 >= wanted_recall:
            break
    return options


def _between_passages(table: Any) -> np.ndarray:
    """Queries to measure with, shape (n, dimension) float32: each between two passages drawn at random (seeded).

    A passage's own vector lies in the middle of its partition and is found too easily; questions lie between passages.
    """
    n_rows = table.count_rows()
    drawn = np.random.default_rng(0).choice(n_rows, size=min(2 * _N_SAMPLE, n_rows), replace=False)
    rows = table.take_offsets(sorted(drawn.tolist())).select(["vector"]).to_arrow()
    matrix = vector_cache.read_column(rows.column("vector")).centres()
    matrix = matrix[np.random.default_rng(1).permutation(len(matrix))]
    mixed = 0.7 * matrix[0::2][: len(matrix) // 2] + 0.3 * matrix[1::2]
    return mixed / np.linalg.norm(mixed, axis=1, keepdims=True)


def _ten_nearest(table: Any, query: np.ndarray, options: SearchOptions) -> set[str]:
    search = options.apply(table.search(query, vector_column_name="vector").distance_type("cosine"), _DEPTH)
    return set(search.select(["chunk_id", "_distance"]).to_arrow().column("chunk_id").to_pylist())


def _vector_config(settings: IndexSettings) -> Any:
    """LanceDB's own number of partitions (one per 8,192 rows) is kept: with √n of them, recall@10 at the same speed is
    .84 against 1.0 (100,000 vectors, 4 bits, 20 partitions looked into)."""
    from lancedb.index import IvfFlat, IvfRq, IvfSq

    match settings.vectors:
        case "float32":
            return IvfFlat(distance_type="cosine")
        case "int8":
            return IvfSq(distance_type="cosine")
        case "int4":
            return IvfRq(distance_type="cosine", num_bits=4)
        case "binary":
            return IvfRq(distance_type="cosine", num_bits=1)
