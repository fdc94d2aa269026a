"""Labelled retrieval data as plain values, and what files of other people's hold of it.

Two formats are read and written, LlamaIndex's (`llama_index`) and BEIR's (`beir`). Files are read as they are
published: what cannot be used is left out and counted by reason, and the rest is read. Refused is only what leaves no
question with a passage that answers it.
"""

import logging
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from acronis_pipeline.core.errors import DatasetError
from acronis_pipeline.core.text import normal_form, printable

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")

_log = logging.getLogger(__name__)
# What exporters and the hub's copies call what BEIR calls text.
_TEXT_KEYS = ("text", "contents", "content", "query", "question")


@dataclass(frozen=True)
class LabelledPassage:
    """`title` stands before the text in what is embedded; `metadata` is whatever else the file says of the passage."""

    text: str
    title: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def passage(self) -> str:
        """What is embedded and searched."""
        return "\n\n".join(part for part in (self.title, self.text) if part.strip())


@dataclass(frozen=True)
class LabelledQuery:
    """A query with its judged passages: id to grade, 0 meaning judged and not relevant. `split` if the file says."""

    text: str
    judged: Mapping[str, float]
    split: Split | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def relevant(self) -> tuple[str, ...]:
        """Passages that answer it, best grade first, in the order of the file."""
        return tuple(sorted((p for p, grade in self.judged.items() if grade > 0), key=lambda p: -self.judged[p]))


@dataclass(frozen=True)
class LabelledData:
    """Queries and corpus by id; every judged passage is in the corpus, and every query has a relevant one.

    `left_out` counts what the files hold and could not be used, by reason.
    """

    queries: Mapping[str, LabelledQuery]
    corpus: Mapping[str, LabelledPassage]
    left_out: Mapping[str, int] = field(default_factory=dict, compare=False)


class Tally:
    """What could not be used of files, by reason, with the first place of each."""

    def __init__(self) -> None:
        self._n: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def add(self, reason: str, place: str) -> None:
        self._n[reason] += 1
        self._first.setdefault(reason, place)

    def join(self, counts: Mapping[str, int], place: str) -> None:
        """Take over what another reader counted."""
        for reason, n in counts.items():
            self._n[reason] += n
            self._first.setdefault(reason, place)

    def __bool__(self) -> bool:
        return bool(self._n)

    def __str__(self) -> str:
        return "; ".join(f"{n:,} × {reason} (first: {self._first[reason]})" for reason, n in self._n.most_common())

    def complete(
        self, path: Path, queries: Mapping[str, LabelledQuery], corpus: Mapping[str, LabelledPassage]
    ) -> LabelledData:
        """The data that is left, with what was left out said; raises a DatasetError if no question is."""
        if not queries:
            why = f"; left out: {self}" if self._n else ""
            raise DatasetError(f"{path} holds no query with a passage that answers it{why}; mend or re-export it")
        if self._n:
            _log.warning("%s: %d queries over %d passages; left out: %s", path, len(queries), len(corpus), self)
        return LabelledData(queries, corpus, dict(self._n))


def rank(split: Split | None) -> int:
    """The later, the more a query must be kept from training."""
    return SPLITS.index(split) if split else -1


def mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def text_in(value: object) -> str:
    """What a value says; empty where it is no text, or a blank one."""
    text = normal_form(value) if isinstance(value, str) else ""
    return text if text.strip() else ""


def identifier_in(value: object) -> str | None:
    """An id as text: files write it as a number too."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return printable(f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)) or None


def grade_in(value: object) -> float | None:
    """A grade as a number, whole where it is; None where it is none."""
    try:
        grade = float(value)  # pyright: ignore[reportArgumentType]
    except (TypeError, ValueError, OverflowError):
        return None
    if not math.isfinite(grade):
        return None
    return int(grade) if grade.is_integer() else grade


def passage_in(value: object, metadata: object = None) -> LabelledPassage | None:
    """A passage as text, or as title and text; None where neither says anything."""
    row = value if isinstance(value, dict) else {"text": value}
    text, title = first_text(row), text_in(row.get("title"))
    if not text and not title:
        return None
    return LabelledPassage(text, title, mapping(metadata) or mapping(row.get("metadata")))


def first_text(row: Mapping[str, Any]) -> str:
    return next((text for key in _TEXT_KEYS if (text := text_in(row.get(key)))), "")
