"""A PDF as PDFium sees it: lines of text with their place, size and style, the outline, title and language."""

import ctypes
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from acronis_pipeline.content.pdf import BROKEN, ENCRYPTED, SCANNED, TOO_LONG, TRUNCATED, BadPdfError

_FIXED_PITCH = 1
_TAIL_BYTES = 65_536
_BOLD_WEIGHT = 600
_MONO_NAME = re.compile(rb"mono|courier|typewriter|cmtt|consol|menlo|inconsolata|sourcecode", re.IGNORECASE)
_BOLD_NAME = re.compile(rb"bold|black|heavy|semibold|cmbx", re.IGNORECASE)
_CELL_GAP = 1.5
"""Ems of white between two cells of a table; justified text stays below one."""
_NO_TEXT = re.compile("[\x00-\x08\x0b-\x1f\ufffe\ufffd\U000f0000-\U0010fffd]")
"""Control and private-use characters: glyphs without a meaning, and the marks of page starts."""


@dataclass(frozen=True)
class Cell:
    """A stretch of a line without a wide gap; `x0`, `x1` in points from the left."""

    x0: float
    x1: float
    text: str


@dataclass(frozen=True)
class Line:
    """`y` is the baseline in points from the bottom, `size` the font's in points; `page` counts from 1.

    `hyphenated` lines end within a word whose hyphen is not in the text.
    """

    page: int
    y: float
    size: float
    bold: bool
    mono: bool
    cells: tuple[Cell, ...]
    hyphenated: bool = False

    @property
    def text(self) -> str:
        return " ".join(cell.text for cell in self.cells)

    @property
    def x0(self) -> float:
        return self.cells[0].x0

    @property
    def x1(self) -> float:
        return self.cells[-1].x1


@dataclass(frozen=True)
class Bookmark:
    """An entry of the outline; `level` counts from 0, `y` is None if it leads to the page as a whole."""

    level: int
    title: str
    page: int
    y: float | None = None


@dataclass(frozen=True)
class Document:
    """What is read from a PDF; `lines` in the order of the file, which is the order of reading."""

    title: str
    language: str
    lines: tuple[Line, ...]
    outline: tuple[Bookmark, ...] = ()
    n_pages: int = 1


@dataclass
class _Draft:
    """A line while its characters come in."""

    indexes: list[int] = field(default_factory=list)
    characters: list[str] = field(default_factory=list)


def read(body: bytes, max_pages: int) -> Document:
    """Read everything that is text; raises BadPdfError if it is encrypted, broken, truncated, scanned or too long."""
    # PDFium would make the best of what is there, and half of a manual would go unnoticed.
    if b"%%EOF" not in body[-_TAIL_BYTES:]:
        raise BadPdfError(TRUNCATED, f"{len(body)} bytes without an end")
    try:
        file = pdfium.PdfDocument(body)
    except pdfium.PdfiumError as error:
        locked = "assword" in str(error) or "ecurity" in str(error)
        raise BadPdfError(ENCRYPTED if locked else BROKEN, str(error)) from error
    if len(file) > max_pages:
        raise BadPdfError(TOO_LONG, f"{len(file)} pages, more than {max_pages}")
    lines: list[Line] = []
    unreadable = 0
    for number in range(len(file)):
        try:
            lines.extend(_lines(file[number], number + 1))
        except pdfium.PdfiumError:
            unreadable += 1
    if not lines:
        broken = unreadable or not len(file)
        raise BadPdfError(BROKEN if broken else SCANNED, f"{len(file)} pages, {unreadable} unreadable")
    title = file.get_metadata_value("Title")
    return Document(_clean(title), _language(file), tuple(lines), tuple(_outline(file)), len(file))


def _language(file: pdfium.PdfDocument) -> str:
    length = raw.FPDFCatalog_GetLanguage(file, None, 0)
    buffer = (ctypes.c_ushort * (length // 2 + 1))()
    raw.FPDFCatalog_GetLanguage(file, buffer, length)
    return bytes(buffer)[: max(0, length - 2)].decode("utf-16-le", "replace").strip()


def _outline(file: pdfium.PdfDocument) -> Iterator[Bookmark]:
    for entry in file.get_toc(max_depth=6):
        target = entry.get_dest()
        page = target.get_index() if target else None
        title = _clean(entry.get_title())
        if target is None or page is None or not title:
            continue
        mode, view = target.get_view()
        # Only an XYZ or FitH target says how far down its page it leads.
        y = view[1] if mode == raw.PDFDEST_VIEW_XYZ and len(view) > 1 else None
        y = view[0] if mode == raw.PDFDEST_VIEW_FITH and view else y
        yield Bookmark(entry.level, title, page + 1, y)


def _lines(page: pdfium.PdfPage, number: int) -> list[Line]:
    text = page.get_textpage()
    found: list[Line] = []
    rotated = 0
    for draft, hyphenated in _drafts(text):
        if not _clean("".join(draft.characters)):
            continue
        line = _line(text, draft, number, hyphenated)
        if raw.FPDFText_GetCharAngle(text, draft.indexes[0]) > 0.1:
            # Watermarks and margin notes; a page that stands on its side is rotated as a whole.
            rotated += 1
            line = replace(line, page=-number)
        found.append(line)
    sideways = 2 * rotated > len(found)
    upright = [replace(line, page=number) for line in found if sideways or line.page > 0]
    return _with_split_rows_joined(upright)


def _drafts(text: pdfium.PdfTextPage) -> Iterator[tuple[_Draft, bool]]:
    draft = _Draft()
    for index in range(text.count_chars()):
        code = raw.FPDFText_GetUnicode(text, index)
        hyphen = code == 0x02 or (code == 0xAD and raw.FPDFText_IsHyphen(text, index) == 1)
        if hyphen or code in (0x0A, 0x0D):
            if draft.indexes:
                yield draft, hyphen
            draft = _Draft()
        elif draft.indexes or not chr(code).isspace():
            draft.indexes.append(index)
            draft.characters.append(chr(code))
    if draft.indexes:
        yield draft, False


def _line(text: pdfium.PdfTextPage, draft: _Draft, page: int, hyphenated: bool) -> Line:
    while draft.characters[-1].isspace():
        draft.characters.pop()
        draft.indexes.pop()
    samples = [draft.indexes[0], draft.indexes[len(draft.indexes) // 2], draft.indexes[-1]]
    size = sorted(_size(text, index) for index in samples)[1]
    fonts = [_font(text, index) for index in samples]
    y = ctypes.c_double()
    raw.FPDFText_GetCharOrigin(text, draft.indexes[0], ctypes.c_double(), y)
    bold, mono = (sum(style) >= 2 for style in zip(*fonts, strict=True))
    return Line(page, y.value, round(size, 1), bold, mono, tuple(_cells(text, draft, size)), hyphenated)


def _cells(text: pdfium.PdfTextPage, draft: _Draft, size: float) -> Iterator[Cell]:
    """The line, broken where the white between two words is wide."""
    start = 0
    blank: int | None = None
    for position, character in enumerate(draft.characters):
        if character.isspace():
            blank = position if blank is None else blank
            continue
        if blank is not None:
            gap = _box(text, draft.indexes[position])[0] - _box(text, draft.indexes[blank - 1])[1]
            if gap > _CELL_GAP * size:
                yield from _cell(text, draft, start, blank)
                start = position
            blank = None
    yield from _cell(text, draft, start, len(draft.characters))


def _cell(text: pdfium.PdfTextPage, draft: _Draft, start: int, end: int) -> Iterator[Cell]:
    words = _clean("".join(draft.characters[start:end]))
    if words:
        yield Cell(_box(text, draft.indexes[start])[0], _box(text, draft.indexes[end - 1])[1], words)


def _with_split_rows_joined(lines: list[Line]) -> list[Line]:
    """Pieces on one baseline, left to right, are one line: some programs write each cell of a table by itself."""
    joined: list[Line] = []
    for line in lines:
        before = joined[-1] if joined else None
        if before and abs(before.y - line.y) < 0.3 * line.size and line.x0 >= before.x1:
            near = line.x0 - before.x1 < _CELL_GAP * line.size
            first, last = before.cells[:-1], before.cells[-1]
            meeting = (
                (Cell(last.x0, line.cells[0].x1, f"{last.text} {line.cells[0].text}"),)
                if near
                else (last, line.cells[0])
            )
            joined[-1] = replace(before, cells=(*first, *meeting, *line.cells[1:]), hyphenated=line.hyphenated)
        else:
            joined.append(line)
    return joined


def _box(text: pdfium.PdfTextPage, index: int) -> tuple[float, float]:
    box = raw.FS_RECTF()
    raw.FPDFText_GetLooseCharBox(text, index, box)
    return box.left, box.right


def _size(text: pdfium.PdfTextPage, index: int) -> float:
    """As seen: some programs write all text at size 1 and scale it."""
    matrix = raw.FS_MATRIX()
    raw.FPDFText_GetMatrix(text, index, matrix)
    scale = abs(matrix.a * matrix.d - matrix.b * matrix.c) ** 0.5
    return raw.FPDFText_GetFontSize(text, index) * (scale or 1.0)


def _font(text: pdfium.PdfTextPage, index: int) -> tuple[bool, bool]:
    """(bold, fixed pitch)."""
    name, flags = ctypes.create_string_buffer(256), ctypes.c_int()
    raw.FPDFText_GetFontInfo(text, index, name, 256, flags)
    bold = raw.FPDFText_GetFontWeight(text, index) >= _BOLD_WEIGHT or bool(_BOLD_NAME.search(name.value))
    return bold, bool(flags.value & _FIXED_PITCH) or bool(_MONO_NAME.search(name.value))


def _clean(text: str) -> str:
    return " ".join(_NO_TEXT.sub("", text.replace("\u00ad", "")).split())
