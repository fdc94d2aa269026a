"""What a PDF's lines are: running heads, feet and page numbers, which belong to no page, and headings.

Furniture is what stands at the edge of page after page. Headings are the lines that the outline names, else those in
larger print.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from acronis_pipeline.content.pdf.document import Bookmark, Document, Line

_MIN_PAGES = 3
_EDGE_LINES = 2
_MOST_PAGES = 0.5
_SAME_PLACE_POINTS = 3.0
_NUMBER = re.compile(r"\b(?:\d+|[ivxlc]+)\b")
_LEADER = re.compile(r"(?:[.…]\s?){4,}\s*[\divxlc]+$")
"""A line of a table of contents: "Restoring a disk . . . . . . 12"."""
_PAGE_NUMBER = re.compile(r"\s(\d{1,4})$")
_INDEX_ENTRY = re.compile(r",\s*\d+(?:[–-]\d+)?(?:,\s*\d+(?:[–-]\d+)?)*$")
_LISTING_SHARE = 0.5
_LARGER = 1.12
_MAX_LINES = 4
_MAX_WORDS = 20
_MAX_SHARE = 0.25
"""Of the text; if more of it is in larger print, that is not how the document marks its headings."""
_FOUND_SHARE = 0.5
_MAX_LEVELS = 4
_DOTTED_NUMBER = re.compile(
    r"^(?:(?:chapter|section|appendix)\s+)?(?:[A-Z]\.)?\d+(?:\.\d+)+\.?:?\s+|^[A-Z]\.\d+\.?\s+", re.IGNORECASE
)
_SINGLE_NUMBER = re.compile(
    r"^(?:(?:chapter|part|appendix)\s+(?:\d+|[A-Z]|[IVX]+)\b[.:]?|\d{1,2}\.?|[A-Z]\.)\s+", re.IGNORECASE
)
_NO_TITLE = re.compile(
    r"microsoft (?:word|powerpoint|excel)\b.*|untitled.*|(?:document|slide|presentation|title)\s*\d*"
    r"|.*\.(?:docx?|dvi|indd|pdf|tex|qxd|fm|pptx?|rtf|odt|html?|xml|ps)",
    re.IGNORECASE,
)


def without_furniture(lines: Sequence[Line], n_pages: int) -> list[Line]:
    """The lines without running heads and feet, page numbers and tables of contents.

    A head is what repeats (numbers aside) on a neighbouring page, left and right pages apart, on most pages; where
    there is one, whatever stands in its place goes, since it may name a chapter of one page.
    """
    by_page: dict[int, list[Line]] = {}
    for line in lines:
        by_page.setdefault(line.page, []).append(line)
    removed: set[int] = set()
    if n_pages >= _MIN_PAGES:
        for at_top in (True, False):
            for _ in range(_EDGE_LINES):
                removed |= _band(by_page, removed, at_top=at_top)
    left = {page: [line for line in found if id(line) not in removed] for page, found in by_page.items()}
    listings = {page for page, found in left.items() if _is_listing(found)}
    return [
        line for page, found in left.items() if page not in listings for line in found if not _LEADER.search(line.text)
    ]


def _is_listing(lines: Sequence[Line]) -> bool:
    """Whether a page is a table of contents (most lines end in page numbers that go up) or an index."""
    numbers = [int(match[1]) for line in lines if (match := _PAGE_NUMBER.search(line.text))]
    going_up = sum(after >= before for before, after in pairwise(numbers))
    is_contents = len(numbers) >= _LISTING_SHARE * len(lines) and going_up >= 0.9 * (len(numbers) - 1)
    entries = sum(bool(_INDEX_ENTRY.search(line.text)) for line in lines)
    return len(lines) > 2 * _EDGE_LINES and (is_contents or entries >= _LISTING_SHARE * len(lines))


def _band(by_page: dict[int, list[Line]], removed: set[int], *, at_top: bool) -> set[int]:
    """`id`s of the outermost lines at one edge, if they are a running head."""
    outermost: dict[int, Line] = {}
    for page, lines in by_page.items():
        left = [line for line in lines if id(line) not in removed]
        if left:
            outermost[page] = max(left, key=lambda line: line.y if at_top else -line.y)
    repeating = [line for line in outermost.values() if _repeats(line, outermost)]
    if len(repeating) < _MOST_PAGES * len(outermost):
        return set()
    places = Counter((round(line.y / _SAME_PLACE_POINTS), line.size) for line in repeating)
    usual = {place for place, count in places.items() if count >= 0.1 * len(repeating)}
    return {
        id(line)
        for line in outermost.values()
        if _repeats(line, outermost) or (round(line.y / _SAME_PLACE_POINTS), line.size) in usual
    }


def _repeats(line: Line, outermost: dict[int, Line]) -> bool:
    near = (outermost.get(line.page + step) for step in (-2, -1, 1, 2))
    return any(other is not None and _shapes(other) & _shapes(line) for other in near)


def _shapes(line: Line) -> set[str]:
    """The parts of a line, numbers aside: a head may name the chapter at the left and the section at the right."""
    return {_NUMBER.sub("#", cell.text.casefold()) for cell in line.cells}


@dataclass(frozen=True)
class HeadingLines:
    """A heading: `lines` (indexes into the document's lines) that print it, level 0 the highest, and its words.

    The outline's words where there is one: in print they may be in capitals.
    """

    lines: tuple[int, ...]
    level: int
    text: str


def find(document: Document, lines: Sequence[Line], left_out: frozenset[int]) -> list[HeadingLines]:
    """Headings in the order of the lines, numbering taken off their text ("5.11 Restore" is asked for as "restore").

    `left_out` are indexes of lines that are none (the title).
    """
    named = _by_outline(document.outline, lines)
    if not document.outline or len(named) < _FOUND_SHARE * len(document.outline):
        named = _by_size(lines, left_out)
    return _without_numbers(named)


def title(document: Document, lines: Sequence[Line]) -> tuple[str, frozenset[int]]:
    """The document's title, and the indexes of the lines on its first page that print it; empty if it has none.

    The metadata's, where it is one; else what stands in the largest print on the first page.
    """
    declared = "" if _NO_TITLE.fullmatch(document.title) else document.title
    first = [index for index, line in enumerate(lines) if line.page == lines[0].page][:40] if lines else []
    if declared:
        wanted = _key(declared)
        for start in first:
            if run := _matching_run(lines, start, wanted):
                return declared, frozenset(run)
        return declared, frozenset()
    largest = max((lines[index].size for index in first), default=0.0)
    printed = [index for index in first if lines[index].size == largest][:_MAX_LINES]
    words = " ".join(lines[index].text for index in printed)
    if largest < _LARGER * _body_size(lines) or not 0 < len(words.split()) <= _MAX_WORDS:
        return "", frozenset()
    return words, frozenset(printed)


def _by_outline(outline: Sequence[Bookmark], lines: Sequence[Line]) -> list[HeadingLines]:
    pages: dict[int, list[int]] = {}
    for index, line in enumerate(lines):
        pages.setdefault(line.page, []).append(index)
    taken: set[int] = set()
    found: list[HeadingLines] = []
    for entry in outline:
        run = _printed(entry, lines, pages, taken)
        if run:
            taken.update(run)
            found.append(HeadingLines(tuple(run), entry.level, entry.title))
    return sorted(found, key=lambda heading: heading.lines[0])


def _printed(entry: Bookmark, lines: Sequence[Line], pages: Mapping[int, Sequence[int]], taken: set[int]) -> list[int]:
    """The lines that print an outline entry: on its page, nearest to where it leads."""
    wanted = _key(entry.title)
    runs = [
        run
        for start in pages.get(entry.page, ())
        if start not in taken and (run := _matching_run(lines, start, wanted))
    ]
    if not runs:
        return []
    y = entry.y
    # A bookmark leads to just above its heading; without a place, the largest print is the heading.
    return min(runs, key=lambda run: abs(lines[run[0]].y - y) if y is not None else -lines[run[0]].size)


def _matching_run(lines: Sequence[Line], start: int, wanted: str) -> list[int]:
    """Indexes of up to four lines from `start` that together say `wanted`, a number before it aside; else empty."""
    said = ""
    for end in range(start, min(start + _MAX_LINES, len(lines))):
        if lines[end].page != lines[start].page:
            break
        said += _key(lines[end].text)
        if wanted and said.endswith(wanted) and len(said) - len(wanted) <= 12 and _is_number(said[: -len(wanted)]):
            return list(range(start, end + 1))
        if len(said) > len(wanted) + 12:
            break
    return []


def _is_number(key: str) -> bool:
    return not key or bool(re.fullmatch(r"(?:chapter|section|appendix|part)?(?:\d+|[a-z]\d*|[ivx]+)", key))


def _by_size(lines: Sequence[Line], left_out: frozenset[int]) -> list[HeadingLines]:
    least = _LARGER * _body_size(lines)
    large = [index for index, line in enumerate(lines) if line.size >= least and _may_be_heading(line)]
    large = [index for index in large if index not in left_out]
    if not large or sum(len(lines[index].text) for index in large) > _MAX_SHARE * sum(len(line.text) for line in lines):
        return []
    sizes = sorted({lines[index].size for index in large}, reverse=True)[:_MAX_LEVELS]
    found: list[HeadingLines] = []
    for index in large:
        line, before = lines[index], found[-1] if found else None
        level = next((level for level, size in enumerate(sizes) if line.size >= size), len(sizes) - 1)
        if before and before.lines[-1] == index - 1 and _goes_on(lines[index - 1], line):
            found[-1] = HeadingLines((*before.lines, index), before.level, f"{before.text} {line.text}")
        else:
            found.append(HeadingLines((index,), level, line.text))
    return found


def _goes_on(before: Line, line: Line) -> bool:
    return before.page == line.page and before.size == line.size and 0 < before.y - line.y < 1.6 * line.size


def _without_numbers(headings: Sequence[HeadingLines]) -> list[HeadingLines]:
    singles = Counter(heading.level for heading in headings if _SINGLE_NUMBER.match(heading.text))
    stripped: list[HeadingLines] = []
    for heading in headings:
        text = _DOTTED_NUMBER.sub("", heading.text)
        if text == heading.text and singles[heading.level] >= 2:  # one alone may be "3 ways to restore"
            text = _SINGLE_NUMBER.sub("", text)
        stripped.append(HeadingLines(heading.lines, heading.level, text.strip() or heading.text))
    return stripped


def _body_size(lines: Sequence[Line]) -> float:
    sizes: Counter[float] = Counter()
    for line in lines:
        sizes[line.size] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 0.0


def _may_be_heading(line: Line) -> bool:
    return not line.mono and len(line.text.split()) <= _MAX_WORDS and bool(re.search(r"[^\W\d_]{2}", line.text))


def _key(text: str) -> str:
    return re.sub(r"[\W_]", "", text.casefold())
