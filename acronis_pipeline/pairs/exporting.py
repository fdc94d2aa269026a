"""The pairs table as labelled data for other tools."""

import json
from typing import Any

from acronis_pipeline import schemas
from acronis_pipeline.errors import EmptyCorpusError
from acronis_pipeline.pairs.labelled import LabelledData, LabelledPassage, LabelledQuery
from acronis_pipeline.store import Store

_OF_QUERY = (
    "url", "style", "task", "generator", "prompt_hash", "status", "reject_reason", "copy_rate", "removed", "negatives",
)  # fmt: skip
_OF_PASSAGE = ("url", "title", "heading_path", "anchor", "ordinal", "cluster_id", "language", "n_tokens")


def labelled(store: Store, *, rejected: bool = False) -> LabelledData:
    """Every kept pair (on request the rejected ones too, marked as such) over all passages, with all that we know.

    Raises
    ------
    EmptyCorpusError
        If there are no pairs yet.
    """
    rows = store.read("pairs", schemas.PAIRS, where=None if rejected else "status = 'kept'").to_pylist()
    if not rows:
        raise EmptyCorpusError("there are no pairs to export; run the pipeline or materialize synthetic_pairs first")
    corpus = {row["chunk_id"]: _passage(row) for row in store.read("chunks", schemas.CHUNKS).to_pylist()}
    queries = {}
    for row in sorted(rows, key=lambda row: row["pair_id"]):
        gold = [chunk_id for chunk_id in row["chunk_ids"] if chunk_id in corpus]
        if gold:  # the chunks may have moved on since the pairs were made
            metadata = {**_given(row, _OF_QUERY), "scores": json.loads(row["scores"] or "{}")}
            queries[row["pair_id"]] = LabelledQuery(row["query"], dict.fromkeys(gold, 1), row["split"], metadata)
    return LabelledData(queries, dict(sorted(corpus.items())))


def _passage(row: dict[str, Any]) -> LabelledPassage:
    """The breadcrumbs as title, so that BEIR tools, which join title and text, embed what we embed."""
    breadcrumbs = row["passage"].removesuffix(row["text"]).rstrip("\n")
    return LabelledPassage(row["text"], breadcrumbs, _given(row, _OF_PASSAGE))


def _given(row: dict[str, Any], columns: tuple[str, ...]) -> dict[str, Any]:
    return {column: row[column] for column in columns if row[column] not in (None, "", [])}
