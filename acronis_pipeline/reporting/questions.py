"""Single questions: the worst misses with what beat the right passage, and where tuning won and lost most.

Passages are shown with where they stand, and the words around what was asked.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pyarrow as pa

from acronis_pipeline.content.markdown import plain_text
from acronis_pipeline.evaluate.metrics import PRIMARY
from acronis_pipeline.evaluate.questions import stems
from acronis_pipeline.pairs.words import stem
from acronis_pipeline.store import Store, is_in, tables

_MARKUP = re.compile(r"^[-:| ]+$|^#+ |[`|]", re.MULTILINE)
"""Fences, code marks, tables and headings of Markdown."""
_WORDS = 45
"""Words of an excerpt."""
_LONGEST_WORD = 60
"""Characters; tables without spaces and encoded strings come as one word."""
Row = dict[str, Any]
_MISSED_BELOW = 5
"""A question is missed if no right passage stands among so many."""
_MISSES, _CHANGES, _BEATERS = 10, 8, 3


@dataclass(frozen=True)
class Span:
    """A run of an excerpt; `asked` if it is made of words of the question."""

    text: str
    asked: bool


@dataclass(frozen=True)
class Shown:
    """A passage, cut to the part that has most of the question's words. Every text is the site's own, unescaped."""

    title: str
    headings: tuple[str, ...]
    url: str
    language: str
    excerpt: tuple[Span, ...]


def _passages(store: Store, table: str, chunk_ids: Collection[str]) -> dict[str, Row]:
    """Those that are still in the table, read in one go."""
    if not chunk_ids:
        return {}
    rows = store.read(tables.CONTENT.named(table), where=is_in("chunk_id", sorted(chunk_ids)))
    return {row["chunk_id"]: row for row in rows.to_pylist()}


def _shown(row: Row | None, query: str) -> Shown | None:
    """A passage beside a question; None if it is no longer in the table."""
    if row is None:
        return None
    url = f"{row['url']}#{row['anchor']}" if row["anchor"] else row["url"]
    headings = tuple(row["heading_path"] or ())
    return Shown(row["title"] or "", headings, url or "", row["language"] or "", excerpt(row["text"] or "", query))


def excerpt(text: str, query: str) -> tuple[Span, ...]:
    """The stretch of `_WORDS` words with most different words of the query, as spans."""
    asked = stems(query)
    plain = plain_text(_MARKUP.sub(" ", text))
    words = [word if len(word) <= _LONGEST_WORD else word[:_LONGEST_WORD] + "…" for word in plain.split()]
    matched = [_bare(word) if _bare(word) in asked else "" for word in words]
    starts = range(0, max(1, len(words) - _WORDS + 1), 5)
    start = max(starts, key=lambda at: len(set(matched[at : at + _WORDS]) - {""}))
    end = min(len(words), start + _WORDS)
    spans = [
        Span(" ".join(word for word, _ in run), hit)
        for hit, run in groupby(zip(words[start:end], matched[start:end], strict=True), key=lambda pair: bool(pair[1]))
    ]
    before = [Span("…", False)] if start else []
    after = [Span("…", False)] if end < len(words) else []
    return (*before, *spans, *after)


def _bare(word: str) -> str:
    return stem("".join(character for character in word.lower() if character.isalnum() or character in "-_"))


@dataclass(frozen=True)
class Asked:
    """One question and its row in question_results for every system that was asked it."""

    question_id: str
    query: str
    question_set: str
    style: str
    group: str
    relevant: tuple[str, ...]
    rows: dict[str, Row]

    def rank(self, system: str) -> int | None:
        """Rank of the first right passage; None if it was not retrieved."""
        return self.rows[system]["first_relevant_rank"]

    def gain(self, a: str, b: str) -> float:
        """nDCG@10 of `a` minus that of `b`."""
        return self.rows[a][PRIMARY] - self.rows[b][PRIMARY]


@dataclass(frozen=True)
class Miss:
    """A question whose right passage came late or not at all; `beaten_by` are the first passages ranked above it."""

    asked: Asked
    right: Shown | None
    beaten_by: tuple[Shown, ...]


@dataclass(frozen=True)
class Misses:
    """The worst misses of a system on one set; `n_missed` of `n` questions have no right passage in the first five."""

    system: str
    question_set: str
    n: int
    n_missed: int
    worst: tuple[Miss, ...]


@dataclass(frozen=True)
class Change:
    """A question that the tuned model and its base answer differently."""

    asked: Asked
    gain: float
    right: Shown | None


@dataclass(frozen=True)
class Changes:
    """The biggest gains and losses of system `a` against `b` on one set."""

    a: str
    b: str
    question_set: str
    gained: tuple[Change, ...]
    lost: tuple[Change, ...]


def asked_questions(results: pa.Table) -> list[Asked]:
    """Every question with its results, in the order of the table."""
    rows_of: defaultdict[tuple[str, str], dict[str, Row]] = defaultdict(dict)
    for row in results.to_pylist():
        rows_of[row["question_set"], row["question_id"]][row["system"]] = row
    return [_asked(rows) for rows in rows_of.values()]


def misses(store: Store, table: str, asked: Sequence[Asked], systems: Sequence[str]) -> tuple[Misses, ...]:
    """The worst misses of each system on each set, those that nobody finds last among equals.

    Questions without any indexed right passage are nobody's miss and are left out.
    """
    chosen = [
        (system, question_set, part, _worst(part, system))
        for system in systems
        for question_set, part in _by_set(question for question in asked if question.relevant)
    ]
    needed = [(question, _beaters(question, system)) for system, _, _, worst in chosen for question in worst]
    passages = _passages(store, table, {key for asked, beaters in needed for key in (asked.relevant[0], *beaters)})

    def miss(question: Asked, system: str) -> Miss:
        beaten_by = (_shown(passages.get(chunk_id), question.query) for chunk_id in _beaters(question, system))
        right = _shown(passages.get(question.relevant[0]), question.query)
        return Miss(question, right, tuple(shown for shown in beaten_by if shown))

    return tuple(
        Misses(
            system=system,
            question_set=question_set,
            n=len(part),
            n_missed=sum(_missed(question, system) for question in part),
            worst=tuple(miss(question, system) for question in worst),
        )
        for system, question_set, part, worst in chosen
    )


def changes(store: Store, table: str, asked: Sequence[Asked], a: str, b: str) -> tuple[Changes, ...]:
    """Where system `a` differs most from `b`, by nDCG@10, on each set."""
    found: list[tuple[str, list[Asked], list[Asked]]] = []
    for question_set, part in _by_set(question for question in asked if question.relevant):
        ordered = sorted(part, key=lambda question: -question.gain(a, b))
        gained = [question for question in ordered[:_CHANGES] if question.gain(a, b) > 0]
        lost = [question for question in reversed(ordered[-_CHANGES:]) if question.gain(a, b) < 0]
        found.append((question_set, gained, lost))
    wanted = {question.relevant[0] for _, gained, lost in found for question in (*gained, *lost)}
    passages = _passages(store, table, wanted)

    def as_changes(questions: Iterable[Asked]) -> tuple[Change, ...]:
        return tuple(Change(q, q.gain(a, b), _shown(passages.get(q.relevant[0]), q.query)) for q in questions)

    return tuple(Changes(a, b, part, as_changes(gained), as_changes(lost)) for part, gained, lost in found)


def _asked(rows: dict[str, Row]) -> Asked:
    row = next(iter(rows.values()))
    relevant = tuple(row["relevant"] or ())
    return Asked(
        row["question_id"], row["query"], row["question_set"], row["style"] or "", row["page_group"], relevant, rows
    )


def _by_set(asked: Iterable[Asked]) -> Iterator[tuple[str, list[Asked]]]:
    every = list(asked)
    for question_set in ("synthetic", "human"):
        if part := [question for question in every if question.question_set == question_set]:
            yield question_set, part


def _worst(asked: Sequence[Asked], system: str) -> list[Asked]:
    """Not retrieved first, then by rank; among equals those that another system finds. One a page, while pages last."""
    missed = [question for question in asked if _missed(question, system)]
    missed.sort(key=lambda q: (-_depth(q.rank(system)), min(_depth(q.rank(other)) for other in q.rows), q.question_id))
    first_of_page = {question.group: question for question in reversed(missed)}.values()
    chosen = {id(question) for question in first_of_page}
    return sorted(missed, key=lambda question: id(question) not in chosen)[:_MISSES]


def _missed(question: Asked, system: str) -> bool:
    return _depth(question.rank(system)) > _MISSED_BELOW


def _depth(rank: int | None) -> float:
    return float("inf") if rank is None else rank


def _beaters(question: Asked, system: str) -> list[str]:
    retrieved = question.rows[system]["retrieved"] or []
    rank = question.rank(system)
    return retrieved[: min(_BEATERS, rank - 1 if rank else _BEATERS)]
