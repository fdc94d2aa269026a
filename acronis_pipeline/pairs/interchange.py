"""Pairs from elsewhere, found again in the corpus at every refresh, and our pairs as labelled data for other tools.

Imported pairs are kept as they were given. Those that a pipeline like this one exported stay what they were: generator,
prompt and a rejection come along, and with the generator the id. All others are taken for people's.
"""

import datetime as dt
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from acronis_pipeline.core.errors import DatasetError, EmptyCorpusError
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.pairs.generator import TASK_OF_STYLE, Candidate, Chunk, Generation, read_chunks
from acronis_pipeline.pairs.labelled import LabelledData, LabelledPassage, LabelledQuery
from acronis_pipeline.pairs.words import words
from acronis_pipeline.store import Store, quoted, tables

GENERATOR = "imported"
NOT_FOUND = "imported: its passage is not in the corpus"
REJECTED = "imported as rejected"

_ORIGIN = ("task", "generator", "prompt_hash")
_SHINGLE_WORDS = 5
_MIN_CONTAINMENT = 0.6
"""Share of a passage's shingles that a chunk must hold to count as it: other tools cut the same page elsewhere."""
_OF_QUERY = (
    "url", "style", "task", "generator", "prompt_hash", "status", "reject_reason", "copy_rate", "removed", "negatives",
)  # fmt: skip
_OF_PASSAGE = ("url", "title", "heading_path", "anchor", "ordinal", "cluster_id", "language", "n_tokens")


@dataclass(frozen=True)
class ImportResult:
    """`n_matched` of `n_pairs` have their passage in the corpus now; `n_new` were not imported before.

    `left_out` counts what the file holds and could not be used, by reason.
    """

    n_pairs: int
    n_new: int
    n_matched: int
    unmatched: tuple[str, ...]
    left_out: Mapping[str, int]


def take_in(store: Store, data: LabelledData, *, source: str) -> ImportResult:
    """Add labelled pairs to the store; what an earlier import of the same source brought and this one lacks goes.

    They become training and test pairs when `synthetic_pairs` is refreshed. The split follows the page, as for every
    other pair, so what the file says of splits is not used.

    Raises
    ------
    DatasetError
        If there are no chunks to match them with, or not one passage is found: nothing is taken in then.
    """
    chunks = read_chunks(store)
    if not chunks:
        raise DatasetError("there are no chunks to match the pairs with; crawl the site and materialize chunks first")
    now = dt.datetime.now(dt.UTC)
    rows = [
        {
            "import_id": digest(source, query.text, *query.relevant, *_origin(query.metadata).values())[:20],
            "query": query.text,
            "passage_ids": list(query.relevant),
            "passages": [data.corpus[passage_id].passage for passage_id in query.relevant],
            "style": _style(query.metadata.get("style")),
            "removed": _text(query.metadata.get("removed")),
            "negatives": _texts(query.metadata.get("negatives")),
            **dict.fromkeys(_ORIGIN),
            **_origin(query.metadata),
            "reject_reason": _reject_reason(query.metadata),
            "source": source,
            "imported_at": now,
        }
        for query in data.queries.values()
    ]
    rows = list({row["import_id"]: row for row in rows}.values())
    corpus = _Corpus(chunks)
    found = [any(corpus.find(*passage) for passage in _passages(row)) for row in rows]
    if not any(found):
        raise DatasetError(
            f"{source}: not one of {len(rows)} pairs has its passage in this corpus; import pairs made from this site, "
            "or use `acronis-pipeline bench` for data with a corpus of its own"
        )
    known = store.read(tables.IMPORTED_PAIRS, columns=["import_id", "source"]).to_pylist()
    before = {row["import_id"] for row in known if row["source"] == source}
    table = tables.IMPORTED_PAIRS.rows(rows)
    store.upsert(tables.IMPORTED_PAIRS, table, delete_keys=before)
    return ImportResult(
        n_pairs=len(rows),
        n_new=sum(row["import_id"] not in before for row in rows),
        n_matched=sum(found),
        unmatched=tuple(row["query"] for row, matched in zip(rows, found, strict=True) if not matched),
        left_out=data.left_out,
    )


def candidates(store: Store, chunks: Sequence[Chunk]) -> Generation:
    """Every imported pair whose passages are in the corpus now; the others are counted."""
    rows = store.read(tables.IMPORTED_PAIRS).to_pylist()
    if not rows:
        return Generation(())
    corpus = _Corpus(chunks)
    made: dict[str, Candidate] = {}
    failures: Counter[str] = Counter()
    for row in sorted(rows, key=lambda row: row["import_id"]):
        found = [chunk_id for passage in _passages(row) if (chunk_id := corpus.find(*passage))]
        if not found:
            failures[NOT_FOUND] += 1
            continue
        first, *also = dict.fromkeys(found)
        candidate = Candidate(
            query=row["query"],
            chunk_id=first,
            style=row["style"],
            generator=row["generator"] or GENERATOR,
            prompt_hash=row["prompt_hash"] or digest(row["source"])[:20],
            also=tuple(also),
            told_task=row["task"],
            negatives=tuple(row["negatives"]),
            removed=row["removed"],
            source=row["source"],
            rejected=row["reject_reason"],
        )
        made[candidate.pair_id] = candidate
    return Generation(tuple(made.values()), dict(failures))


def sources(store: Store) -> dict[str, int]:
    """Imported collections by name, with the number of their pairs."""
    names = store.read(tables.IMPORTED_PAIRS, columns=["source"]).column("source").to_pylist()
    return dict(sorted(Counter(names).items()))


def forget(store: Store, source: str) -> int:
    """Remove an imported collection; returns how many pairs it had.

    Raises
    ------
    DatasetError
        If there is none of that name.
    """
    known = sources(store)
    if source not in known:
        there = ", ".join(known) or "none at all"
        raise DatasetError(f"no collection {source!r} was imported; there is {there}")
    rows = store.read(tables.IMPORTED_PAIRS, columns=["import_id"], where=f"source = {quoted(source)}")
    store.delete(tables.IMPORTED_PAIRS, rows.column("import_id").to_pylist())
    return known[source]


class _Corpus:
    """Chunks by id, by text, and by the word sequences in them."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self._ids = {chunk.chunk_id for chunk in chunks}
        self._by_text: dict[str, str] = {}
        self._by_shingle: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for chunk in sorted(chunks, key=lambda chunk: chunk.chunk_id):
            for text in (chunk.passage, chunk.text):
                self._by_text.setdefault(_plain(text), chunk.chunk_id)
            for shingle in set(_shingles(chunk.passage)):
                self._by_shingle[shingle].append(chunk.chunk_id)

    def find(self, passage_id: str, text: str) -> str | None:
        """The chunk with this id or this text, or else the one that holds most of it."""
        if passage_id in self._ids:
            return passage_id
        if same := self._by_text.get(_plain(text)):
            return same
        shingles = set(_shingles(text))
        held = Counter(chunk_id for shingle in shingles for chunk_id in self._by_shingle.get(shingle, ()))
        best = min(held, key=lambda chunk_id: (-held[chunk_id], chunk_id), default=None)
        return best if best is not None and held[best] >= _MIN_CONTAINMENT * len(shingles) else None


def _passages(row: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    return zip(row["passage_ids"], row["passages"], strict=True)


def _plain(text: str) -> str:
    return " ".join(words(text.lower()))


def _shingles(text: str) -> Iterator[tuple[str, ...]]:
    found = words(text.lower())
    return (tuple(found[start : start + _SHINGLE_WORDS]) for start in range(len(found) - _SHINGLE_WORDS + 1))


def _style(told: object) -> str:
    return told if isinstance(told, str) and told in TASK_OF_STYLE else "question"


def _origin(metadata: Mapping[str, Any]) -> dict[str, str]:
    """What made a pair, if its metadata is as we export it."""
    told = {name: metadata.get(name) for name in _ORIGIN}
    return {name: _text(value) for name, value in told.items()} if all(map(_text, told.values())) else {}


def _reject_reason(metadata: Mapping[str, Any]) -> str | None:
    return _text(metadata.get("reject_reason")) or REJECTED if metadata.get("status") == "rejected" else None


def _text(told: object) -> str:
    return told if isinstance(told, str) else ""


def _texts(told: object) -> list[str]:
    return [text for text in told if isinstance(text, str)] if isinstance(told, list) else []


def labelled(store: Store, *, rejected: bool = False) -> LabelledData:
    """Every kept pair (on request the rejected ones too, marked as such) over all passages, with all that we know.

    Raises
    ------
    EmptyCorpusError
        If there are no pairs yet.
    """
    rows = store.read(tables.PAIRS, where=None if rejected else "status = 'kept'").to_pylist()
    if not rows:
        raise EmptyCorpusError("there are no pairs to export; run the pipeline or materialize synthetic_pairs first")
    corpus = {row["chunk_id"]: _passage(row) for row in store.read(tables.CHUNKS).to_pylist()}
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
