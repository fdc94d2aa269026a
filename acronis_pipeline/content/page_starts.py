"""Where the pages of a paged document (a PDF) begin in its Markdown.

A page start travels through the conversion as one private-use character, glued to the word after it: whatever is done
to the text on the way, it stays in its place and cannot be torn apart.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from selectolax.lexbor import LexborNode

_FIRST = 0xF0000
_MARK = re.compile("[\U000f0000-\U000fffff]")


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
