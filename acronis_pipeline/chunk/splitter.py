"""Splitting one page into passages: nothing lost, ids that say what a passage is, tokens counted as they are embedded.

The budget is counted on what is embedded, "Title > Heading > Sub" included, with the embedding model's own tokenizer,
because an encoder truncates in silence. A passage of a paged document (a PDF) is anchored at the page where its text
begins, `manual.pdf#page=7`. How a page is cut is a strategy.

With `headings` a passage never leaves its section, and carries the headings that it stands under. Sections too small to
stand alone join the one above them; sections too large are packed block by block.

The others are what most notebooks do, as baselines to measure the heading-aware one against. `recursive` cuts the
running text at its largest gaps (paragraphs, lines, sentences, words) into at most so many characters, headings within
the text; `page` leaves it whole. Only the page's title goes before the text. Every code fence is whole, wherever the
text was cut.
"""

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from acronis_pipeline.chunk.blocks import Block, HeadingLine, Section, heading_lines, same_text, sections
from acronis_pipeline.chunk.packing import SEPARATOR, Budget, Counter, Draft, Remembering, breadcrumb, overlapped, pack
from acronis_pipeline.content import Content
from acronis_pipeline.content import markdown as markdown_text
from acronis_pipeline.content.markdown import fence_of, heading_of, open_fences
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.core.settings import ChunkSettings

_WORD = re.compile(r"\w")
_SMALLEST_TOKENS = 4
_STATEMENT_WORDS = 6


def heading_drafts(markdown: str, content: Content, options: ChunkSettings, counter: Counter) -> list[Draft]:
    """Passages of a page in order; `markdown` is that of `content`, with or without the marks of page starts."""
    found: list[Draft] = []
    for section in _with_tiny_subsections(sections(markdown, content.headings, content.title), options, counter):
        prefix = breadcrumb(content.title, section.path, options.max_tokens // 2, counter)
        whole = Budget(prefix, options.max_tokens, options.min_tokens, counter)
        cut = Budget(prefix, options.max_tokens - options.overlap_tokens, options.min_tokens, counter)
        texts = pack(section.blocks, whole)
        if len(texts) > 1 and options.overlap_tokens:
            texts = overlapped(pack(section.blocks, cut), options.overlap_tokens, whole)
        found += [Draft(section.path, section.anchor, prefix, text) for text in texts if _WORD.search(text)]
    return found


def _with_tiny_subsections(found: Sequence[Section], options: ChunkSettings, counter: Counter) -> list[Section]:
    """Sections with text, each with the subsections too small to stand alone folded in, heading line and all.

    Sections of level 2 are what a reader finds a page by, so they are never folded; neither is anything that follows a
    larger subsection, since that would change the order.
    """
    kept: list[Section] = []
    for section, following in zip(found, [*found[1:], None], strict=True):
        leaf = following is None or following.level <= section.level
        if leaf and not section.blocks and section.path and len(section.path[-1].split()) >= _STATEMENT_WORDS:
            # A heading with nothing below it that is a sentence is text in large print.
            kept.append(Section(section.level, section.path[:-1], section.anchor, (_paragraph(section.path[-1]),)))
            continue
        host = kept[-1] if kept else None
        if host is not None and leaf and _may_join(section, host):
            folded = _as_block(section)
            if section.blocks and counter.count(folded.text) < min(options.min_tokens, options.max_tokens // 2):
                kept[-1] = Section(host.level, host.path, host.anchor, (*host.blocks, folded))
                continue
        kept.append(section)
    return [section for section in kept if section.blocks]


def _may_join(section: Section, host: Section) -> bool:
    """A question stays with its answer only: it is what someone will ask."""
    return (
        section.level >= 3
        and host.level < section.level
        and section.path[:-1] == host.path
        and not section.path[-1].endswith("?")
    )


def _as_block(section: Section) -> Block:
    body = "\n\n".join(block.text for block in section.blocks)
    return _paragraph(f"{'#' * section.level} {section.path[-1]}\n\n{body}")


def _paragraph(text: str) -> Block:
    return Block("paragraph", (text,))


class Fenced:
    """Stretches of one page: code that is cut has its fence, language and all, in each part.

    Parameters
    ----------
    max_opening_chars
        A longer line that opens a fence is repeated as the fence alone.
    """

    def __init__(self, markdown: str, max_opening_chars: int) -> None:
        self._markdown, self._max_opening_chars = markdown, max_opening_chars
        lines = markdown.split("\n")
        self._opened_before = ["", *open_fences(lines)]
        self._starts = list(accumulate((len(line) + 1 for line in lines), initial=0))

    def text(self, start: int, end: int) -> str:
        """The characters from `start` to `end`; a fence with nothing in it is left out."""
        text = self._markdown[start:end].lstrip("\n")
        opened = self._opened_before[bisect_right(self._starts, end - len(text)) - 1]
        lines = text.rstrip("\n").split("\n")
        before = [opened, *open_fences(lines, opened)]
        if opened and not before[1]:  # its first line closes the fence
            opened, lines, before = "", lines[1:], before[1:]
        if lines and before[-1] and not before[-2]:  # its last line opens one
            lines, before = lines[:-1], before[:-1]
        if not any(line.strip() for line in lines):
            return ""
        opening = [self._opening(opened)] if opened else []
        closing = [fence_of(before[-1])] if before[-1] else []
        return "\n".join([*opening, *lines, *closing])

    def _opening(self, line: str) -> str:
        """The line that opens a fence, without a list's marker or indent before it."""
        fence = fence_of(line)
        opening = line[line.index(fence) :]
        return opening if len(opening) <= self._max_opening_chars else fence


def recursive_drafts(markdown: str, content: Content, options: ChunkSettings, counter: Counter) -> list[Draft]:
    """Passages of at most `recursive_chars` characters that also fit the token budget, overlap and fences included.

    A heading at the end of one goes to the next, where what it names begins. Code that is cut keeps its fence in each
    part, which the characters do not count.
    """
    headings = heading_lines(markdown, content.headings, content.title)
    prefix = breadcrumb(content.title, (), options.max_tokens // 2, counter)
    whole = Budget(prefix, options.max_tokens, 0, counter)
    cut = Budget(prefix, options.max_tokens - options.overlap_tokens, 0, counter)
    fenced = Fenced(markdown, max_opening_chars=options.max_tokens // 4)

    def fits(start: int, end: int, budget: Budget = cut) -> bool:
        return budget.fits(fenced.text(start, end))

    by_characters = _by_characters(markdown, options.recursive_chars)
    spans = _without_last_headings(
        [part for span in by_characters for part in _by_tokens(markdown, span, cut, fits)],
        headings,
        markdown,
        lambda start, end: end - start <= options.recursive_chars and fits(start, end, whole),
    )
    found = {(start, end): fenced.text(start, end) for start, end in spans if _WORD.search(markdown[start:end])}
    shown = {span: _without_title(text, content.title) for span, text in found.items()}
    kept = {span: text for span, text in shown.items() if _WORD.search(text)}
    texts = overlapped(list(kept.values()), options.overlap_tokens, whole)
    in_force = [_in_force(headings, markdown, start, end) for start, end in kept]
    return [Draft(*place, prefix, text) for place, text in zip(in_force, texts, strict=True)]


def page_drafts(markdown: str, content: Content, options: ChunkSettings, counter: Counter) -> list[Draft]:
    """The whole page as one passage, whatever its size: full-text search sees all of it, an encoder its beginning."""
    prefix = breadcrumb(content.title, (), options.max_tokens // 2, counter)
    whole = Fenced(markdown, max_opening_chars=0).text(0, len(markdown))  # a page may leave its last one open
    text = _without_title(whole, content.title)
    return [Draft((), None, prefix, text)] if _WORD.search(text) else []


def _by_characters(markdown: str, max_chars: int) -> list[tuple[int, int]]:
    return _recursively(markdown, max_chars, len)


def _by_tokens(
    markdown: str, span: tuple[int, int], budget: Budget, fits: Callable[[int, int], bool]
) -> Iterator[tuple[int, int]]:
    """The span itself where it fits; code and tables have more tokens to the character than prose."""
    start, end = span
    size = budget.available
    while not fits(start, end):
        parts = _recursively(markdown[start:end], size, budget.counter.count)
        spans = [(start + first, start + last) for first, last in parts]
        if size <= _SMALLEST_TOKENS or all(fits(*part) for part in spans):
            yield from spans
            return
        size = max(_SMALLEST_TOKENS, int(0.85 * size))
    yield span


def _recursively(text: str, size: int, measure: Callable[[str], int]) -> list[tuple[int, int]]:
    from semchunk.semchunk import chunk

    _, spans = chunk(text, size, measure, memoize=False, offsets=True)
    return [(int(start), int(end)) for start, end in spans]


def _in_force(headings: list[HeadingLine], markdown: str, start: int, end: int) -> tuple[tuple[str, ...], str | None]:
    """Headings above the first text of a span, those that it begins with included."""
    path, anchor = (), None
    position = start
    for line in headings:
        if line.start >= end or (line.start > position and markdown[position : line.start].strip()):
            break
        path, anchor = line.path, line.anchor
        position = max(position, line.end)
    return path, anchor


def _without_last_headings(
    spans: Sequence[tuple[int, int]], headings: Sequence[HeadingLine], markdown: str, fits: Callable[[int, int], bool]
) -> list[tuple[int, int]]:
    """Headings that end a span begin the next one, which is cut in half where it gets too long by that."""
    waiting = deque(spans)
    done: list[tuple[int, int]] = []
    while waiting:
        start, end = waiting.popleft()
        first = _first_of_last_headings(start, end, headings, markdown)
        if first == end or not waiting:
            done.append((start, end))
            continue
        next_start, next_end = waiting.popleft()
        parts = [(next_start, next_end)]
        if not fits(first, next_end):
            half = max(1, (next_end - next_start) // 2)
            parts = [(next_start + a, next_start + b) for a, b in _by_characters(markdown[next_start:next_end], half)]
        if not parts or not fits(first, parts[0][1]):
            done.append((start, end))
            waiting.appendleft((next_start, next_end))
            continue
        waiting.extendleft(reversed([(first, parts[0][1]), *parts[1:]]))
        if markdown[start:first].strip():
            done.append((start, first))
    return done


def _first_of_last_headings(start: int, end: int, headings: Sequence[HeadingLine], markdown: str) -> int:
    """Where the headings begin that end a span; its end if it does not end in one."""
    first = end
    for line in reversed(headings):
        if start <= line.start and line.end <= first:
            if markdown[line.end : first].strip():
                break
            first = line.start
    return first


def _without_title(text: str, title: str) -> str:
    """Text without a leading h1 that repeats the title, which stands in front of the passage already."""
    text = text.strip("\n")
    first, _, rest = text.partition("\n")
    heading = heading_of(first)
    return rest.strip("\n") if heading and heading[0] == 1 and same_text(heading[1], title) else text


Strategy = Callable[[str, Content, ChunkSettings, Counter], list[Draft]]
STRATEGIES: dict[str, Strategy] = {
    "headings": heading_drafts,
    "recursive": recursive_drafts,
    "page": page_drafts,
}


class CounterOfShown:
    """Counts tokens as if the marks of page starts were not there."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    def count(self, text: str) -> int:
        return self._counter.count(markdown_text.split(text)[0])

    def count_many(self, texts: Sequence[str]) -> list[int]:
        return self._counter.count_many([markdown_text.split(text)[0] for text in texts])


def page_anchors(marked: Sequence[str]) -> tuple[list[str], list[str | None]]:
    """The passages of one document, in order and with their marks, without them; and the anchor of each."""
    texts: list[str] = []
    anchors: list[str | None] = []
    page: int | None = None
    for passage in marked:
        text, starts = markdown_text.split(passage)
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

    Raises
    ------
    TooCostlyError
        If the page is of a kind whose splitting takes far more than its size warrants.
    """
    marked = markdown_text.join(content.markdown, content.page_starts)
    counter = Remembering(counter, len(content.markdown))
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
