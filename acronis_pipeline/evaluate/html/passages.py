"""Passages as the page shows them: where they stand, and the words around what was asked."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from itertools import groupby

from acronis_pipeline.content.markdown import plain_text
from acronis_pipeline.evaluate.traits import stems
from acronis_pipeline.index.rows import CONTENT
from acronis_pipeline.pairs.words import stem
from acronis_pipeline.store import Store, is_in

_MARKUP = re.compile(r"^[-:| ]+$|^#+ |[`|]", re.MULTILINE)
"""Fences, code marks, tables and headings of Markdown."""
_WORDS = 45
"""Words of an excerpt."""
_LONGEST_WORD = 60
"""Characters; tables without spaces and encoded strings come as one word."""


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


class Passages:
    """Passages of one table, read in one go."""

    def __init__(self, store: Store, table: str, chunk_ids: Collection[str]) -> None:
        wanted = sorted(set(chunk_ids))
        rows = store.read(table, CONTENT, where=is_in("chunk_id", wanted)) if wanted else CONTENT.empty_table()
        self._rows = {row["chunk_id"]: row for row in rows.to_pylist()}

    def shown(self, chunk_id: str, query: str) -> Shown | None:
        """One passage beside a question; None if it is no longer in the table."""
        row = self._rows.get(chunk_id)
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
