"""Passages of a paged document (a PDF): each is anchored at the page where its text begins, `manual.pdf#page=7`."""

import re
from collections.abc import Sequence

from acronis_pipeline.chunk.packing import Counter
from acronis_pipeline.content import page_starts

_WORD = re.compile(r"\w")


class CounterOfShown:
    """Counts tokens as if the marks of page starts were not there."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    def count(self, text: str) -> int:
        return self._counter.count(page_starts.split(text)[0])

    def count_many(self, texts: Sequence[str]) -> list[int]:
        return self._counter.count_many([page_starts.split(text)[0] for text in texts])


def page_anchors(marked: Sequence[str]) -> tuple[list[str], list[str | None]]:
    """The passages of one document, in order and with their marks, without them; and the anchor of each."""
    texts: list[str] = []
    anchors: list[str | None] = []
    page: int | None = None
    for passage in marked:
        text, starts = page_starts.split(passage)
        for start in starts:
            if not _WORD.search(text[: start.offset]):  # only a list's marker or a table's edge before it
                page = start.number
        anchors.append(f"page={page}" if page else None)
        texts.append(text)
        page = max((start.number for start in starts), default=page)
    return texts, anchors
