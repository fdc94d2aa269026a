"""Strategies `recursive` and `page`: what most notebooks do, as baselines to measure the heading-aware one against.

`recursive` cuts the running text at its largest gaps (paragraphs, lines, sentences, words) into at most so many
characters, headings within the text; `page` leaves it whole. Only the page's title goes before the text. Every code
fence is whole, wherever the text was cut.
"""

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from acronis_pipeline.chunk.packing import Budget, Counter, Draft, breadcrumb, overlapped
from acronis_pipeline.content import Content
from acronis_pipeline.content.markdown import Heading, fence_of, heading_of, lines_with_fences, open_fences, plain_text
from acronis_pipeline.core.settings import ChunkSettings

_WORD = re.compile(r"\w")
_SMALLEST_TOKENS = 4


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


@dataclass(frozen=True)
class _Line:
    """A heading line: where it begins and ends in the Markdown, and the headings in force from there on."""

    start: int
    end: int
    path: tuple[str, ...]
    anchor: str | None


def recursive_drafts(markdown: str, content: Content, options: ChunkSettings, counter: Counter) -> list[Draft]:
    """Passages of at most `recursive_chars` characters that also fit the token budget, overlap and fences included.

    A heading at the end of one goes to the next, where what it names begins. Code that is cut keeps its fence in each
    part, which the characters do not count.
    """
    headings = _heading_lines(markdown, content)
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


def _heading_lines(markdown: str, content: Content) -> list[_Line]:
    found: list[_Line] = []
    open_headings: list[Heading] = []
    upcoming = iter(content.headings)
    offset = 0
    for line, in_fence in lines_with_fences(markdown):
        heading = None if in_fence else heading_of(line)
        if heading is not None:
            level, text = heading
            known = next(upcoming, None)
            open_headings = [above for above in open_headings if above.level < level]
            open_headings.append(Heading(level, text, known.anchor if known else None))
            named = [above for above in open_headings if above.level > 1 or not _same(above.text, content.title)]
            anchor = next((above.anchor for above in reversed(open_headings) if above.anchor), None)
            found.append(_Line(offset, offset + len(line), tuple(above.text for above in named), anchor))
        offset += len(line) + 1
    return found


def _in_force(headings: list[_Line], markdown: str, start: int, end: int) -> tuple[tuple[str, ...], str | None]:
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
    spans: Sequence[tuple[int, int]], headings: Sequence[_Line], markdown: str, fits: Callable[[int, int], bool]
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


def _first_of_last_headings(start: int, end: int, headings: Sequence[_Line], markdown: str) -> int:
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
    return rest.strip("\n") if heading and heading[0] == 1 and _same(heading[1], title) else text


def _same(left: str, right: str) -> bool:
    return plain_text(left).casefold() == plain_text(right).casefold()
