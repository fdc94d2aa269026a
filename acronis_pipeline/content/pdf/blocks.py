"""Lines to blocks (paragraphs, list items, code, tables), and blocks to an HTML document.

A PDF has no blocks, only places: what belongs together is told by white space, indentation and punctuation, over line
and page ends. Words hyphenated at line ends are whole again, and a mark stands where a new page begins.
"""

import re
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby, pairwise
from typing import Literal

from acronis_pipeline.content.pdf.document import Cell, Line
from acronis_pipeline.content.pdf.roles import HeadingLines
from acronis_pipeline.content.plain_text import html_document

_BULLET = re.compile(r"^[•◦▪▫●○■□‣⁃∙·–—*\uf0b7-](?:\s+|$)")
_NUMBERED = re.compile(r"^\(?(\d{1,3}|[a-z])[.)](?:\s+|$)")
_SENTENCE_END = re.compile(r"[.!?:;…][\"'”’)\]]*$")
_WIDE_GAP = 1.3
"""Line pitches between paragraphs, at least."""
_FULL_WIDTH = 0.85
_MIN_ROWS = 2

Kind = Literal["heading", "paragraph", "bullet", "number", "code", "table"]
_LAST_WORD = re.compile(r"[\w'’-]+$")
_FIRST_WORD = re.compile(r"^[\w'’-]+")


@dataclass(frozen=True)
class Block:
    """`lines` in reading order. A heading has its `text` and `level`, a numbered item its `number`.

    Lists have the marker taken off their first line; a table has `rows`, each with the page that it stands on.
    """

    kind: Kind
    lines: tuple[Line, ...] = ()
    text: str = ""
    level: int = 0
    number: int = 1
    rows: tuple[tuple[int, tuple[str, ...]], ...] = ()


@dataclass(frozen=True)
class _Measures:
    """`pitch` from baseline to baseline and the `right` edge of the text, in points."""

    pitch: float
    right: float


def build(lines: Sequence[Line], headings: Sequence[HeadingLines], left_out: frozenset[int]) -> list[Block]:
    """All blocks in reading order; `left_out` are indexes of lines that are said elsewhere (the title)."""
    measures = _measure(lines)
    starts = {heading.lines[0]: heading for heading in headings}
    taken = left_out | {index for heading in headings for index in heading.lines}
    found: list[Block] = []
    waiting: list[Line] = []
    for index, line in enumerate(lines):
        heading = starts.get(index)
        if heading and index not in left_out:
            found += _blocks(waiting, measures)
            waiting = []
            found.append(Block("heading", text=heading.text, level=heading.level))
        elif index not in taken:
            waiting.append(line)
    return [*found, *_blocks(waiting, measures)]


def _measure(lines: Sequence[Line]) -> _Measures:
    steps = [
        round(before.y - line.y, 1)
        for before, line in pairwise(lines)
        if before.page == line.page and before.size == line.size and 0 < before.y - line.y < 3 * line.size
    ]
    pitch = Counter(steps).most_common(1)[0][0] if steps else 14.0
    edges = [line.x1 for line in lines]
    right = statistics.quantiles(edges, n=10)[-1] if len(edges) > 1 else max(edges, default=0.0)
    return _Measures(pitch, right)


def _blocks(lines: Sequence[Line], measures: _Measures) -> Iterator[Block]:
    index = 0
    while index < len(lines):
        line = lines[index]
        if line.mono:
            end = _while(lines, index, lambda before, line: line.mono)
            yield Block("code", tuple(lines[index:end]))
        elif marker := _marker(line):
            end = _while(lines, index, lambda before, after, x0=line.x0: _item_goes_on(before, after, x0, measures))
            first = _without(line, marker)
            number = int(marker[1]) if marker.re is _NUMBERED and marker[1].isdigit() else 1
            kind = "bullet" if marker.re is _BULLET else "number"
            yield Block(kind, (*([first] if first else []), *lines[index + 1 : end]), number=number)
        elif (end := _end_of_table(lines, index)) and (rows := _rows(lines[index:end])):
            yield Block("table", rows=tuple(rows))
        else:
            end = _while(lines, index, lambda before, line: _goes_on(before, line, measures))
            yield Block("paragraph", tuple(lines[index:end]))
        index = end


def _while(lines: Sequence[Line], start: int, belongs: Callable[[Line, Line], bool]) -> int:
    """Where a run that begins at `start` ends; `belongs` is asked of each line with the one before it."""
    end = start + 1
    while end < len(lines) and belongs(lines[end - 1], lines[end]):
        end += 1
    return end


def _marker(line: Line) -> re.Match[str] | None:
    return _BULLET.match(line.text) or _NUMBERED.match(line.text)


def _without(line: Line, marker: re.Match[str]) -> Line | None:
    rest = line.text[marker.end() :].strip()
    if not rest:
        return None
    cell = Cell(line.cells[1].x0 if len(line.cells) > 1 else line.x0, line.x1, rest)
    return Line(line.page, line.y, line.size, line.bold, line.mono, (cell,), line.hyphenated)


def _item_goes_on(before: Line, line: Line, x0: float, measures: _Measures) -> bool:
    """An item's further lines are indented below its marker."""
    if _marker(line) or line.mono or line.x0 <= x0 + 0.3 * line.size:
        return False
    if line.page != before.page or line.y > before.y:
        return _goes_over(before, line, measures)
    return before.y - line.y <= _WIDE_GAP * measures.pitch


def _goes_on(before: Line, line: Line, measures: _Measures) -> bool:
    if _marker(line) or line.mono or abs(before.size - line.size) > 0.5:
        return False
    if line.page != before.page or line.y > before.y + 0.5 * line.size:
        return _goes_over(before, line, measures)
    if before.y - line.y > _WIDE_GAP * max(measures.pitch, 1.1 * line.size):
        return False
    ended = bool(_SENTENCE_END.search(before.text))
    short = before.x1 < _FULL_WIDTH * measures.right
    indented = line.x0 > before.x0 + 0.8 * line.size
    return not ((short and (ended or before.bold != line.bold)) or (ended and indented))


def _goes_over(before: Line, line: Line, measures: _Measures) -> bool:
    """Whether a paragraph goes on at the top of the next page or column."""
    if before.hyphenated:
        return True
    if _SENTENCE_END.search(before.text) or before.bold != line.bold:
        return False
    return line.text[:1].islower() or (line.page != before.page and before.x1 >= _FULL_WIDTH * measures.right)


def _end_of_table(lines: Sequence[Line], start: int) -> int:
    """Where a table that begins here ends; 0 if none does.

    Rows have two cells at least; a line with one cell belongs to the row above if it goes on in one of its columns.
    """
    if len(lines[start].cells) < 2:
        return 0
    end, rows = start + 1, 1
    while end < len(lines):
        before, line = lines[end - 1], lines[end]
        if line.mono or _marker(line) or before.y - line.y > 3.5 * line.size:
            break
        if len(line.cells) >= 2:
            rows += 1
        elif line.page != before.page or not _in_lower_column(line, lines[start:end]):
            break
        end += 1
    while end > start and len(lines[end - 1].cells) < 2 and rows < _MIN_ROWS:
        end -= 1
    return end if rows >= _MIN_ROWS else 0


def _in_lower_column(line: Line, above: Sequence[Line]) -> bool:
    """Whether a one-cell line stands below a cell of the last full row, with no more than a line's white between."""
    full = next(row for row in reversed(above) if len(row.cells) >= 2)
    close = above[-1].y - line.y <= 1.6 * line.size
    return close and any(abs(cell.x0 - line.x0) < 0.5 * line.size for cell in full.cells[1:])


def _rows(lines: Sequence[Line]) -> list[tuple[int, tuple[str, ...]]]:
    """Cells in their columns; empty if the lines do not share columns."""
    columns = _columns(lines)
    if len(columns) < 2:
        return []
    rows: list[tuple[int, list[str]]] = []
    for line in lines:
        continues = bool(rows) and (len(line.cells) == 1 or line.cells[0].x0 > columns[0][1])
        if not continues:
            rows.append((line.page, [""] * len(columns)))
        row = rows[-1][1]
        for cell in line.cells:
            middle = (cell.x0 + cell.x1) / 2
            place = min(range(len(columns)), key=lambda n: max(columns[n][0] - middle, middle - columns[n][1]))
            row[place] = f"{row[place]} {cell.text}".strip()
    return [(page, tuple(row)) for page, row in rows]


def _columns(lines: Sequence[Line]) -> list[tuple[float, float]]:
    """Stretches of the width that cells cover, left to right."""
    columns: list[tuple[float, float]] = []
    for x0, x1 in sorted((cell.x0, cell.x1) for line in lines for cell in line.cells):
        if columns and x0 < columns[-1][1]:
            columns[-1] = (columns[-1][0], max(columns[-1][1], x1))
        else:
            columns.append((x0, x1))
    return columns


def document(title: str, language: str, blocks: Sequence[Block]) -> str:
    """The HTML; headings begin at level 2, below the title."""
    lines = (line.text.casefold() for block in blocks for line in block.lines)
    words = frozenset(word for line in lines for word in re.findall(r"[\w'’-]+", line))
    body = "\n".join(_Body(words).parts(blocks))
    return html_document(title=title, heading=title, body=body, language=language)


class _Body:
    """Renders in reading order; remembers the last page that was begun."""

    def __init__(self, words: frozenset[str]) -> None:
        self._words = words
        self._page = 0

    def parts(self, blocks: Iterable[Block]) -> Iterator[str]:
        for kind, run in groupby(blocks, key=lambda block: block.kind):
            if kind == "bullet":
                yield "<ul>" + "".join(f"<li>{self._text(block.lines)}</li>" for block in run) + "</ul>"
            elif kind == "number":
                numbered = list(run)
                items = "".join(f'<li value="{block.number}">{self._text(block.lines)}</li>' for block in numbered)
                yield f'<ol start="{numbered[0].number}">{items}</ol>'
            else:
                yield from map(self._block, run)

    def _block(self, block: Block) -> str:
        if block.kind == "heading":
            level = min(6, block.level + 2)
            return f"<h{level}>{escape(block.text)}</h{level}>"
        if block.kind == "code":
            left = min(line.x0 for line in block.lines)
            return "<pre><code>" + "\n".join(self._code(line, left) for line in block.lines) + "</code></pre>"
        if block.kind == "table":
            return "<table>" + "".join(self._row(row, n) for n, row in enumerate(block.rows)) + "</table>"
        return f"<p>{self._text(block.lines)}</p>"

    def _row(self, row: tuple[int, tuple[str, ...]], number: int) -> str:
        page, cells = row
        tag = "td" if number else "th"
        marked = [self._begin(page) + escape(cells[0]), *map(escape, cells[1:])]
        return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in marked) + "</tr>"

    def _code(self, line: Line, left: float) -> str:
        # A fixed-pitch character is about 0.6 em wide.
        indent = " " * round((line.x0 - left) / (0.6 * line.size or 1.0))
        return indent + self._begin(line.page) + escape("  ".join(cell.text for cell in line.cells))

    def _text(self, lines: Sequence[Line]) -> str:
        text = ""
        broken = False
        for line in lines:
            words = line.text
            if broken:
                text, words = self._mended(text, words)
            elif text:
                text += " "
            text += self._begin(line.page) + escape(words)
            broken = line.hyphenated
        return text

    def _mended(self, text: str, words: str) -> tuple[str, str]:
        """A word that was broken over a line end, in one piece before the (possible) page start.

        "re-" and "store" are "restore", "well-" and "known" are "well-known": the document itself knows which.
        """
        head, tail = _LAST_WORD.search(text), _FIRST_WORD.match(words)
        if not head or not tail:
            return text, words
        whole, hyphenated = head[0] + tail[0], f"{head[0]}-{tail[0]}"
        seen_whole, seen_hyphenated = whole.casefold() in self._words, hyphenated.casefold() in self._words
        joint = "" if seen_whole or (tail[0][0].islower() and not seen_hyphenated) else "-"
        return text + joint + escape(tail[0]), words[tail.end() :]

    def _begin(self, page: int) -> str:
        if page == self._page:
            return ""
        self._page = page
        return f'<span data-page="{page}"></span>'
