"""HTML to Markdown, and where its headings and a PDF's pages stand in it.

Headings and page starts travel through the conversion as private-use characters, so they are found again whatever the
converter does. A heading's mark is its number between two characters: heading and anchor are matched exactly, in
tables, links or lists too. A page start is one character, glued to the word after it: it stays in its place and cannot
be torn apart, whatever is done to the text on the way.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from selectolax.lexbor import LexborNode

from acronis_pipeline.core.text import normal_form

_FIRST = 0xF0000
_MARK = re.compile("[\U000f0000-\U000fffff]")
MARK = "\ue000{}\ue001"
_MARKED = re.compile("\ue000(\\d+)\ue001")
_HEADING = re.compile(r"^(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_FENCE = re.compile(r"^[ \t>]*(?:[-*+][ \t]+|\d+[.)][ \t]+)*(`{3,}|~{3,})(.*)$")
_EMPHASIS = re.compile(r"(\*\*|__|`|\*(?=\S)|(?<=\S)\*)")
_HEADING_MARK = re.compile(r"[ \t]*(?:\[¶\]\([^)]*\)|¶)[ \t]*$")
"""The sign that links to a heading, where the page was written with it."""
_EMPTY_LINK = re.compile(r"(?<![!`\\])\[[ \t]*\]\((?:https?:|[/#.])[^()\s]*\)")
"""What stays of a linked image, a build badge for one, once the image is gone."""
_ESCAPE = re.compile(r"\\([\\`*_{}\[\]()#+\-.!>|~<])")


MAX_HEADING_CHARS = 2_000


@dataclass(frozen=True)
class PageStart:
    """`offset` in characters of the Markdown at which the text of page `number` begins."""

    offset: int
    number: int


def mark(body: LexborNode) -> bool:
    """Replace the `<span data-page=…>` that `content.pdf` writes by marks; False if there are none."""
    spans = body.css("span[data-page]")
    for span in spans:
        number = span.attributes.get("data-page") or ""
        if number.isdecimal() and len(number) <= 4:
            span.insert_before(chr(_FIRST + int(number)))
        span.decompose()
    return bool(spans)


def split(marked: str) -> tuple[str, tuple[PageStart, ...]]:
    """Text without its marks, and where they stood."""
    starts = [
        PageStart(match.start() - n_before, ord(match[0]) - _FIRST)
        for n_before, match in enumerate(_MARK.finditer(marked))
    ]
    return _MARK.sub("", marked), tuple(starts)


def join(text: str, starts: Sequence[PageStart]) -> str:
    """Text with its marks back in place; `split` undoes it."""
    pieces: list[str] = []
    begin = 0
    for start in starts:
        pieces += [text[begin : start.offset], chr(_FIRST + start.number)]
        begin = start.offset
    return "".join([*pieces, text[begin:]])


@dataclass(frozen=True)
class Heading:
    """A heading of the Markdown: `level` 1 to 6, its plain text, and the id that a link to it can name."""

    level: int
    text: str
    anchor: str | None


def to_markdown(html: str) -> str:
    """Convert a cleaned fragment; everything that is in it is kept."""
    from html_to_markdown import ConversionOptions, PreprocessingOptions, convert

    options = ConversionOptions(
        bullets="-",
        compact_tables=True,
        escape_misc=False,
        expand_abbreviations=False,
        extract_metadata=False,
        hidden_content="all",
        # The converter's own clean-up would drop what ours decided to keep.
        preprocessing=PreprocessingOptions(enabled=False),
    )
    return convert(html, options).content or ""


def with_headings(markdown: str, anchors: Sequence[str | None]) -> tuple[str, tuple[Heading, ...]]:
    """Take the marks out of the Markdown; returns it with its headings, the n-th mark naming the n-th of `anchors`."""
    lines: list[str] = []
    headings: list[Heading] = []
    for line, in_fence in lines_with_fences(_without_false_fences(markdown)):
        marks = _MARKED.findall(line)
        line = _MARKED.sub("", line).rstrip() if marks else line
        match = None if in_fence else _HEADING.match(line)
        if match and "¶" in line:
            line = _HEADING_MARK.sub("", line)
            match = _HEADING.match(line) or match
        if match and len(match[2]) > MAX_HEADING_CHARS:
            line, match = match[2], None  # text in large print, which would be repeated with all that is below it
        if match and not plain_text(match[2]):
            continue
        if match:
            anchor = anchors[int(marks[0])] if marks and int(marks[0]) < len(anchors) else None
            headings.append(Heading(len(match[1]), plain_text(match[2]), anchor))
        lines.append(line)
    return "\n".join(lines), tuple(headings)


def without_marks(text: str) -> str:
    return _MARKED.sub("", text)


def _without_false_fences(markdown: str) -> str:
    """Escape backticks that open a fence only by accident.

    A page whose own Markdown went wrong shows "```bash" as text; read as a fence it would swallow all that follows. A
    heading of the page (they are marked) inside a fence gives it away.
    """
    lines = markdown.split("\n")
    while True:
        opened = None
        for number, (line, in_fence) in enumerate(lines_with_fences("\n".join(lines))):
            opened = (number if opened is None else opened) if in_fence else None
            if opened is not None and line.startswith("#") and _MARKED.search(line):
                lines[opened] = re.sub(r"(`{3,}|~{3,})", r"\\\1", lines[opened], count=1)
                break
        else:
            return "\n".join(lines)


def heading_of(line: str) -> tuple[int, str] | None:
    """(level, plain text) if a line outside a fence is an ATX heading."""
    match = _HEADING.match(line)
    return (len(match[1]), plain_text(match[2])) if match and plain_text(match[2]) else None


def lines_with_fences(markdown: str) -> Iterator[tuple[str, bool]]:
    """Every line, with whether it belongs to a code fence (its opening and closing lines included)."""
    lines = markdown.split("\n")
    before = ""
    for line, after in zip(lines, open_fences(lines), strict=True):
        yield line, bool(before or after)
        before = after


def open_fences(lines: Iterable[str], opened: str = "") -> Iterator[str]:
    """For every line the code fence still open after it: the line that opened it, or "" outside of any.

    `opened` is the fence that the first line stands in.
    """
    for line in lines:
        match = _FENCE.match(line)
        if opened:
            closes = match and match[1].startswith(fence_of(opened)) and not match[2].strip()
            opened = "" if closes else opened
        elif match and not (match[1][0] == "`" and "`" in match[2]):
            opened = line
        yield opened


def fence_of(opening: str) -> str:
    """The backticks or tildes of the line that opens a fence."""
    match = _FENCE.match(opening)
    return match[1] if match else "```"


def plain_text(inline: str) -> str:
    """Inline Markdown without emphasis marks and escapes, white space collapsed."""
    return " ".join(_ESCAPE.sub(r"\1", _EMPHASIS.sub("", inline)).split())


def normalised(markdown: str) -> str:
    """In the one spelling of text (`core.text`), empty links gone, blanks and runs of empty lines collapsed."""
    text = normal_form(without_marks(markdown))
    lines: list[str] = []
    for line, in_fence in lines_with_fences(text):
        line = (line if in_fence else _EMPTY_LINK.sub("", line)).rstrip()
        if line or in_fence or (lines and lines[-1]):
            lines.append(line)
    return "\n".join(lines).strip("\n")
