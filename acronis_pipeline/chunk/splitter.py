"""Splitting one page into passages: nothing lost, ids that say what a passage is, tokens counted as they are embedded.

The budget is counted on what is embedded, "Title > Heading > Sub" included, with the embedding model's own tokenizer,
because an encoder truncates in silence. How a page is cut is a strategy (`strategies`). A passage of
a paged document (a PDF) is anchored at the page where its text begins, `manual.pdf#page=7`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from acronis_pipeline.chunk.packing import SEPARATOR, Counter, Draft, Remembering
from acronis_pipeline.chunk.strategies import STRATEGIES
from acronis_pipeline.content import Content, markdown
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.core.settings import ChunkSettings

_WORD = re.compile(r"\w")


class CounterOfShown:
    """Counts tokens as if the marks of page starts were not there."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    def count(self, text: str) -> int:
        return self._counter.count(markdown.split(text)[0])

    def count_many(self, texts: Sequence[str]) -> list[int]:
        return self._counter.count_many([markdown.split(text)[0] for text in texts])


def page_anchors(marked: Sequence[str]) -> tuple[list[str], list[str | None]]:
    """The passages of one document, in order and with their marks, without them; and the anchor of each."""
    texts: list[str] = []
    anchors: list[str | None] = []
    page: int | None = None
    for passage in marked:
        text, starts = markdown.split(passage)
        for start in starts:
            if not _WORD.search(text[: start.offset]):  # only a list's marker or a table's edge before it
                page = start.number
        anchors.append(f"page={page}" if page else None)
        texts.append(text)
        page = max((start.number for start in starts), default=page)
    return texts, anchors


@dataclass(frozen=True)
class PageChunk:
    """One passage of a page. `text` is what is shown, `passage` what is embedded, `n_tokens` are the passage's."""

    chunk_id: str
    url: str
    title: str
    heading_path: tuple[str, ...]
    anchor: str | None
    ordinal: int
    text: str
    passage: str
    n_tokens: int


def chunk_page(content: Content, url: str, options: ChunkSettings, counter: Counter) -> list[PageChunk]:
    """Passages of one page, in reading order.

    The same content gives the same chunk ids; a text that stands twice under one heading gets an id of its own.
    """
    marked = markdown.join(content.markdown, content.page_starts)
    counter = Remembering(counter)
    counting = CounterOfShown(counter) if content.page_starts else counter
    drafts = STRATEGIES[options.strategy](marked, content, options, counting)
    if content.page_starts:
        texts, anchors = page_anchors([draft.text for draft in drafts])
        drafts = [
            replace(draft, text=text, anchor=anchor) for draft, text, anchor in zip(drafts, texts, anchors, strict=True)
        ]
    ids = _identities(url, drafts)
    n_tokens = counter.count_many([draft.passage for draft in drafts])
    return [
        PageChunk(chunk_id, url, content.title, draft.path, draft.anchor, ordinal, draft.text, draft.passage, tokens)
        for ordinal, (chunk_id, draft, tokens) in enumerate(zip(ids, drafts, n_tokens, strict=True))
    ]


def _identities(url: str, drafts: Sequence[Draft]) -> list[str]:
    """20 hex characters each: of the address, the headings and the text, so that moving a section keeps its ids."""
    seen: dict[tuple[tuple[str, ...], str], int] = {}
    ids: list[str] = []
    for draft in drafts:
        named = (draft.path, draft.text)
        repeat = seen[named] = seen.get(named, 0) + 1
        salt = [str(repeat)] if repeat > 1 else []
        ids.append(digest(url, SEPARATOR.join(draft.path), draft.text, *salt)[:20])
    return ids
