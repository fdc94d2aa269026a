"""The data contracts: every table's name, schema and key, in one object each.

Tables whose name is computed (vectors of an encoder, passages of a model, their excerpts) come from a function that
takes what the name is made of. Keys carry Lance's unenforced-primary-key mark: without it two writers of one new key
leave two rows (LanceDB 0.40).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

_KEY = b"lance-schema:unenforced-primary-key"
_TIME = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Table:
    """A table as the program knows it, there or not.

    `remade_by` is the asset that makes all of it anew from other tables, the site's answers or files, at its next
    materialization; None where what is lost is lost.
    """

    name: str
    schema: pa.Schema
    remade_by: str | None = None

    @property
    def key(self) -> str:
        """Name of the column that identifies a row."""
        return next(field.name for field in self.schema if field.metadata and _KEY in field.metadata)

    def rows(self, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
        """Rows to write, from dictionaries; a missing column is null."""
        return pa.Table.from_pylist(list(rows), schema=self.schema)

    def cast(self, rows: pa.Table) -> pa.Table:
        """Rows with this table's columns, in their order and of their types; others are left out."""
        return rows.select(self.schema.names).cast(self.schema)

    def empty(self) -> pa.Table:
        """No rows."""
        return self.schema.empty_table()

    def named(self, name: str) -> "Table":
        """The same contract under another name."""
        return replace(self, name=name)

    def without(self, column: str) -> "Table":
        """The same table, for readers that leave a column alone."""
        return replace(self, schema=pa.schema([field for field in self.schema if field.name != column]))


def key(name: str) -> pa.Field:
    """A non-null string column that identifies a row."""
    return pa.field(name, pa.string(), nullable=False, metadata={_KEY: b"true"})


def _table(name: str, *columns: pa.Field, remade_by: str | None = None) -> Table:
    return Table(name, pa.schema(columns), remade_by)


PAGES = _table(
    "pages",
    key("url"),  # canonical
    pa.field("final_url", pa.string()),  # after redirects
    pa.field("status", pa.int32()),
    pa.field("media_type", pa.string()),  # as served: text/html, application/pdf, text/markdown …
    pa.field("etag", pa.string()),
    pa.field("last_modified", pa.string()),
    pa.field("fetched_at", _TIME),  # last answered request, 304 included
    pa.field("changed_at", _TIME),  # last change of content_hash
    pa.field("content_hash", pa.string()),  # of the extracted main content, not of the HTML
    pa.field("extractor", pa.string()),  # what content_hash was made with: hashes of two extractors say nothing
    pa.field("title", pa.string()),
    pa.field("language", pa.string()),
    pa.field("depth", pa.int32()),
    pa.field("source", pa.string()),  # sitemap | link | seed
    pa.field("missing_count", pa.int32()),  # consecutive crawls that did not find it
    pa.field("gone_at", _TIME),  # null while the page exists
)
"""State of every page, small rows that each crawl renews; what a page says is in PAGE_VERSIONS."""

PAGE_VERSIONS = _table(
    "page_versions",
    key("version_id"),  # of address and content hash, see `crawl.page_versions`
    pa.field("url", pa.string()),
    pa.field("content_hash", pa.string()),
    pa.field("html", pa.large_string()),  # PDF, Markdown and plain text as the HTML made from them
    pa.field("first_seen_at", _TIME),
)
"""Every content a page had, written once and never again: renewing a page's state must not rewrite its HTML."""

PAGE_CHANGES = _table(
    "page_changes",
    key("change_id"),
    pa.field("url", pa.string()),
    pa.field("seen_at", _TIME),
    pa.field("what", pa.string()),  # new | changed | gone | returned
    pa.field("content_hash", pa.string()),  # from then on; of a page that went, its last
)

VISITS = _table(
    "visits",
    key("url"),  # canonical; every address that was asked for, page or not
    pa.field("asked_at", _TIME),
    pa.field("outcome", pa.string()),  # page | redirect | alias | refused (noindex, soft 404 …) | failed
    pa.field("reason", pa.string()),  # of `refused` and `failed`, in words fit for counting
    pa.field("status", pa.int32()),
    pa.field("etag", pa.string()),
    pa.field("last_modified", pa.string()),
    pa.field("lastmod", pa.string()),  # what the sitemap said of it when it was last asked for
    pa.field("target", pa.string()),  # where a redirect or an alias leads
    pa.field("links_id", pa.string()),  # in LINK_LISTS: an answer of 304 has no body; null if it has none
    pa.field("extractor", pa.string()),  # what it was read with: another may find that it is a page after all
)

LINK_LISTS = _table(
    "link_lists",
    key("links_id"),  # digest of the links
    pa.field("links", pa.list_(pa.string())),  # same-site addresses to follow
)
"""Where pages lead, written once per list: renewing a visit must not rewrite the hundreds of links of a page."""

SITE_FILES = _table(
    "site_files",
    key("url"),  # robots.txt, sitemaps
    pa.field("asked_at", _TIME),
    pa.field("status", pa.int32()),
    pa.field("etag", pa.string()),
    pa.field("last_modified", pa.string()),
    pa.field("body", pa.large_binary()),  # gzipped
    remade_by="raw_pages",
)

CHUNKS = _table(
    "chunks",
    key("chunk_id"),
    pa.field("url", pa.string()),
    pa.field("title", pa.string()),
    pa.field("heading_path", pa.list_(pa.string())),  # without the page title
    pa.field("anchor", pa.string()),  # id of the nearest heading, null at the top of the page
    pa.field("ordinal", pa.int32()),  # position within the page
    pa.field("text", pa.string()),  # what is shown
    pa.field("passage", pa.string()),  # what is embedded and searched: title and heading path, then the text
    pa.field("n_tokens", pa.int32()),  # of `passage`
    pa.field("cluster_id", pa.string()),  # near-duplicates share one
    pa.field("language", pa.string()),
    pa.field("page_key", pa.string()),  # (page content, chunker version and options): unchanged key, unchanged chunks
    remade_by="chunks",
)

CONTENT = CHUNKS.without("page_key")
"""What is searched and shown of a chunk; named like a passages table, everything of that but its vectors."""

PAGE_BLOCKS = _table(
    "page_blocks",
    key("url"),
    pa.field("blocks_key", pa.string()),  # page content and how it is read: unchanged key, unchanged blocks
    pa.field("language", pa.string()),  # as the page declares it
    pa.field("blocks", pa.list_(pa.string())),  # hashes of its paragraphs, see `chunk.repeated`
    remade_by="chunks",
)
"""What tells which paragraphs stand on most pages without reading every page again."""

ANCHOR_TEXTS = _table(
    "anchor_texts",
    key("anchor_id"),  # of source, target, fragment and text
    pa.field("source_url", pa.string()),
    pa.field("target_url", pa.string()),  # same host, redirects and aliases followed; a live page or not
    pa.field("target_fragment", pa.string()),  # id of the section it leads to, null for the page
    pa.field("text", pa.string()),  # what the link shows
    pa.field("title", pa.string()),  # its title attribute where that says something else, else null
    remade_by="chunks",
)

PAIRS = _table(
    "pairs",
    key("pair_id"),
    pa.field("query", pa.string()),
    pa.field("chunk_ids", pa.list_(pa.string())),  # every gold passage; the first is the one it was made from
    pa.field("url", pa.string()),  # page of the first gold passage
    pa.field("style", pa.string()),
    pa.field("task", pa.string()),
    pa.field("generator", pa.string()),
    pa.field("prompt_hash", pa.string()),
    pa.field("split", pa.string()),  # train | validation | test
    pa.field("status", pa.string()),  # kept | rejected
    pa.field("reject_reason", pa.string()),
    pa.field("negatives", pa.list_(pa.string())),  # texts that look like an answer and are none; train only
    pa.field("removed", pa.string()),  # sentence that training takes out of the passage; empty for most
    pa.field("copy_rate", pa.float32()),
    pa.field("scores", pa.string()),  # JSON of further filter scores
    pa.field("source", pa.string()),  # collection that it was imported from; null for what was generated here
    remade_by="synthetic_pairs",
)

LLM_ANSWERS = _table(
    "llm_answers",
    key("answer_key"),  # passage, prompt, model and parameters: what was answered once is not paid for again
    pa.field("model", pa.string()),
    pa.field("content", pa.string()),  # what the model said, as it said it
    pa.field("failure", pa.string()),  # refused | truncated answer | null
    pa.field("prompt_tokens", pa.int64()),
    pa.field("completion_tokens", pa.int64()),
    pa.field("answered_at", _TIME),
)

LLM_BATCHES = _table(
    "llm_batches",
    key("submission_id"),  # of the answer keys that were asked for, also written into the batch's own metadata
    pa.field("endpoint", pa.string()),
    pa.field("model", pa.string()),
    pa.field("batch_id", pa.string()),  # null until the endpoint has accepted it
    pa.field("answer_keys", pa.list_(pa.string())),
    pa.field("submitted_at", _TIME),
    pa.field("collected_at", _TIME),  # null while answers are awaited
)
"""Batches of requests under way: a run that was killed while waiting finds them again."""

IMPORTED_PAIRS = _table(
    "imported_pairs",
    key("import_id"),  # of query, passages and source
    pa.field("query", pa.string()),
    pa.field("passage_ids", pa.list_(pa.string())),  # as in the file
    pa.field("passages", pa.list_(pa.string())),  # their texts, to find them again where the ids are not ours
    pa.field("style", pa.string()),
    pa.field("removed", pa.string()),  # as in PAIRS
    pa.field("negatives", pa.list_(pa.string())),  # as in PAIRS
    pa.field("task", pa.string()),  # as in PAIRS, like the next two; null for what no generator of ours made
    pa.field("generator", pa.string()),
    pa.field("prompt_hash", pa.string()),
    pa.field("reject_reason", pa.string()),  # of a pair that came as a rejected one
    pa.field("source", pa.string()),
    pa.field("imported_at", _TIME),
)

PAGE_SPLITS = _table(
    "page_splits",
    key("url"),
    pa.field("split", pa.string()),
    pa.field("assigned_at", _TIME),
)

GOLD_QUESTIONS = _table(
    "gold_questions",
    key("question_id"),
    pa.field("question", pa.string()),
    pa.field("expected_urls", pa.list_(pa.string())),  # empty: asked, not scored
    pa.field("anchor", pa.string()),
    pa.field("text", pa.string()),
    pa.field("answer", pa.string()),
)

MEASURES = ("hit_rate", "mrr", "ndcg", "precision", "recall", "map")
CUTOFFS = (1, 3, 5, 10, 20)
METRICS = tuple(f"{measure}_at_{k}" for measure in MEASURES for k in CUTOFFS)
"""Every metric of a question and of a system, by name; `evaluate.metrics` holds their definitions."""

QUESTION_RESULTS = _table(
    "question_results",
    key("result_id"),  # report, system, set and question
    pa.field("report_id", pa.string()),
    pa.field("recipe", pa.string()),
    pa.field("system", pa.string()),
    pa.field("question_set", pa.string()),  # synthetic | human
    pa.field("question_id", pa.string()),
    pa.field("query", pa.string()),
    pa.field("style", pa.string()),
    pa.field("page_group", pa.string()),  # bootstrap unit: questions about one page are not independent
    pa.field("language", pa.string()),  # of the right passage; empty where unknown
    pa.field("section", pa.string()),  # of the site, that holds the right passage, for example /backup/
    pa.field("n_words", pa.int32()),  # of the query
    pa.field("lexical_overlap", pa.float64()),  # share of the query's content words in the right passage
    pa.field("relevant", pa.list_(pa.string())),  # chunk ids, for each right unit the one most like the query
    pa.field("first_relevant_rank", pa.int32()),  # 1-based, null when not among the retrieved
    *(pa.field(metric, pa.float64()) for metric in METRICS),
    pa.field("retrieved", pa.list_(pa.string())),  # chunk ids, best first
    remade_by="eval_report",
)

CRAWLS = _table(
    "crawls",
    key("crawl_id"),
    pa.field("site_url", pa.string()),
    pa.field("site_version", pa.string()),  # what the site said of itself: sitemap entries, or page validators
    pa.field("started_at", _TIME),
    pa.field("finished_at", _TIME),
    pa.field("summary", pa.string()),  # JSON of the counts
)

MODELS = _table(
    "models",
    key("record_id"),  # recipe and training key
    pa.field("recipe", pa.string()),
    pa.field("training_key", pa.string()),  # recipe, base model and training data: unchanged key, no training
    pa.field("model_id", pa.string()),
    pa.field("folder", pa.string()),
    pa.field("identity", pa.string()),  # JSON of ModelIdentity
    pa.field("base_identity", pa.string()),  # JSON of the untouched base's ModelIdentity
    pa.field("metrics", pa.string()),  # JSON: validation metrics, history, seconds
    pa.field("created_at", _TIME),
    pa.field("mlflow_run_id", pa.string()),
    pa.field("registry_version", pa.string()),
)

REPORTS = _table(
    "reports",
    key("report_id"),  # recipe and report key
    pa.field("recipe", pa.string()),
    pa.field("report_key", pa.string()),  # systems, questions and evaluation version: unchanged key, same report
    pa.field("report", pa.string()),  # JSON
    pa.field("created_at", _TIME),
    pa.field("mlflow_run_id", pa.string()),
    remade_by="eval_report",
)

TRAINING_CORPORA = _table(
    "training_corpora",
    key("training_key"),
    pa.field("chunk_ids", pa.list_(pa.string())),  # of every passage that there was, sorted
    pa.field("pages", pa.list_(pa.string())),  # that hold a gold passage of a training or validation question
    pa.field("passages", pa.list_(pa.string())),  # digests of those passages' texts and of their near-duplicates'
    pa.field("queries", pa.list_(pa.string())),  # digests of the training and validation questions, normalised
)
"""What a model was trained on, for as long as the model is on record: versions of the chunks table are cleaned up."""

CHAMPIONS = _table(
    "champions",
    key("promotion_id"),
    pa.field("promoted_at", _TIME),
    pa.field("move", pa.string()),  # first | promotion | rollback | by_hand
    pa.field("recipe", pa.string()),  # whose report it was promoted from
    pa.field("system", pa.string()),  # JSON of System
    pa.field("model_id", pa.string()),
    pa.field("model_folder", pa.string()),
    pa.field("identity", pa.string()),  # JSON of ModelIdentity, null for bm25
    pa.field("report_id", pa.string()),
    pa.field("evidence", pa.string()),  # JSON of the comparisons that decided
    pa.field("asked", pa.string()),  # digest of the questions that were known at that moment
    pa.field("previous_id", pa.string()),  # the promotion before; null for the first
    pa.field("restored_id", pa.string()),  # which promotion a rollback brought back, else null
    pa.field("reason", pa.string()),
)
"""The pointer and its history: the newest row is the current champion, and rows are never altered."""


TEACHER_SCORES = _table(
    "teacher_scores",
    key("score_id"),  # digest of teacher, query and passage
    pa.field("teacher", pa.string()),  # fingerprint of its files, short
    pa.field("score", pa.float32()),  # logit
    remade_by="fine_tuned_model",
)
"""What a cross-encoder thinks of a question and a passage: scored once, whichever recipes and runs learn from it."""


_EXCERPTS_PREFIX = "excerpts_of_"
_VECTORS_PREFIX = "vectors_"
PASSAGES_PREFIX = "passages_"
_INDEX = "lancedb_index"


def excerpts(passages: str) -> Table:
    """Parts of the passages of one table, for searching their words; see `index.excerpts`."""
    return _table(
        _EXCERPTS_PREFIX + passages,
        key("excerpt_id"),
        pa.field("chunk_id", pa.string()),
        pa.field("text", pa.string()),
        remade_by=_INDEX,
    )


def excerpts_are_of(name: str) -> str | None:
    """Name of the passages table that a table of this name holds excerpts of; None for any other table."""
    return name.removeprefix(_EXCERPTS_PREFIX) if name.startswith(_EXCERPTS_PREFIX) else None


def vectors_name(fingerprint: str) -> str:
    """Name of the cache table of one encoder."""
    return f"{_VECTORS_PREFIX}{fingerprint[:12]}"


def vectors(fingerprint: str, dimension: int, *, windowed: bool = False) -> Table:
    """Cache of vectors, one table per encoder: whatever was embedded once is not embedded again."""
    return _table(vectors_name(fingerprint), key("passage_hash"), _vector(dimension, windowed), remade_by=_INDEX)


def passages(name: str, dimension: int, *, windowed: bool = False) -> Table:
    """What is searched, one table per model: the columns of a chunk and its vector, or vectors."""
    return _table(name, *CONTENT.schema, _vector(dimension, windowed), remade_by=_INDEX)


def _vector(dimension: int, windowed: bool) -> pa.Field:
    """A text's vector, or a list of them (a multivector column of LanceDB), one of each window."""
    one = pa.list_(pa.float32(), dimension)
    return pa.field("vector", pa.list_(one) if windowed else one)


def is_windowed(schema: pa.Schema) -> bool:
    """Whether the texts of a table have several vectors each."""
    return not pa.types.is_fixed_size_list(schema.field("vector").type)


def dimension_of(schema: pa.Schema) -> int:
    """Length of the vectors in the column `vector`, one a row or several."""
    kind = schema.field("vector").type
    return int((kind.value_type if is_windowed(schema) else kind).list_size)


def remade_by(name: str) -> str | None:
    """The asset that makes a table of this name anew; None for one that holds what cannot be had again."""
    if name.startswith((_EXCERPTS_PREFIX, _VECTORS_PREFIX, PASSAGES_PREFIX)):
        return _INDEX
    return next(
        (table.remade_by for table in globals().values() if isinstance(table, Table) and table.name == name), None
    )


def lost_with(name: str) -> tuple[str, ...]:
    """Tables that say nothing without the one of this name, which goes with them when it is dropped."""
    together = next((group for group in _TOGETHER if name in group), (name,))
    if name.startswith(PASSAGES_PREFIX):
        together = (name, _EXCERPTS_PREFIX + name)
    return tuple(together)


_TOGETHER = ((REPORTS.name, QUESTION_RESULTS.name), (CHUNKS.name, PAGE_BLOCKS.name, ANCHOR_TEXTS.name))
