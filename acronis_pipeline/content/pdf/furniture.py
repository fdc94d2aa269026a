"""Running heads, feet and page numbers: what stands at the edge of page after page and belongs to none of them."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from acronis_pipeline.content.pdf.document import Line

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
    return [line for page, found in left.items() if page not in listings for line in found if not _is_entry(line)]


def _is_listing(lines: Sequence[Line]) -> bool:
    """Whether a page is a table of contents (most lines end in page numbers that go up) or an index."""
    numbers = [int(match[1]) for line in lines if (match := _PAGE_NUMBER.search(line.text))]
    going_up = sum(after >= before for before, after in pairwise(numbers))
    is_contents = len(numbers) >= _LISTING_SHARE * len(lines) and going_up >= 0.9 * (len(numbers) - 1)
    entries = sum(bool(_INDEX_ENTRY.search(line.text)) for line in lines)
    return len(lines) > 2 * _EDGE_LINES and (is_contents or entries >= _LISTING_SHARE * len(lines))


def _is_entry(line: Line) -> bool:
    return bool(_LEADER.search(line.text))


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
