"""Blocks as an HTML document, words hyphenated at line ends whole again, a mark where a new page begins."""

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import groupby

from acronis_pipeline.content.html_document import html_document
from acronis_pipeline.content.pdf.blocks import Block
from acronis_pipeline.content.pdf.document import Line

_LAST_WORD = re.compile(r"[\w'’-]+$")
_FIRST_WORD = re.compile(r"^[\w'’-]+")


def document(title: str, language: str, blocks: Sequence[Block]) -> str:
    """The HTML; headings begin at level 2, below the title."""
    body = "\n".join(_Body(_vocabulary(blocks)).parts(blocks))
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


def _vocabulary(blocks: Iterable[Block]) -> frozenset[str]:
    return frozenset(
        word for block in blocks for line in block.lines for word in re.findall(r"[\w'’-]+", line.text.casefold())
    )
