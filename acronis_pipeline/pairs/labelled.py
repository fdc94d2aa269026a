"""Labelled retrieval data as plain values: what the interchange formats hold, whichever tool wrote them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class LabelledPassage:
    """`title` stands before the text in what is embedded; `metadata` is whatever else the file says of the passage."""

    text: str
    title: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def passage(self) -> str:
        """What is embedded and searched."""
        return f"{self.title}\n\n{self.text}" if self.title else self.text


@dataclass(frozen=True)
class LabelledQuery:
    """A query with its judged passages: id to grade, 0 meaning judged and not relevant. `split` if the file says."""

    text: str
    judged: Mapping[str, int]
    split: Split | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def relevant(self) -> tuple[str, ...]:
        """Passages that answer it, best grade first, in the order of the file."""
        return tuple(sorted((p for p, grade in self.judged.items() if grade > 0), key=lambda p: -self.judged[p]))


@dataclass(frozen=True)
class LabelledData:
    """Queries and corpus by id; every judged passage is in the corpus."""

    queries: Mapping[str, LabelledQuery]
    corpus: Mapping[str, LabelledPassage]
