"""The parts of a chunk's text (Markdown): headings, sentences' paragraphs, list items and table rows, as plain text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.token import Token

_InText = Literal["heading", "paragraph", "item", "step"]
_SPACE = re.compile(r"\s+")
_FOOTNOTE = re.compile(r"\[(?:\d{1,3}|\^\w+)\]")
_ADMONITION = re.compile(r"^\[!\w+\]\s*")
_DEFINITION = re.compile(r"\n\s*:\s+")


@dataclass(frozen=True)
class Block:
    """One part of a text, its inline markup removed.

    `marked` holds the spans that were set as code or in quotation marks: names of things, and messages.
    """

    kind: Literal["heading", "paragraph", "item", "step", "term"]
    text: str
    marked: tuple[str, ...] = ()
    definition: str = ""
    """What a `term` is explained as."""
    all_bold: bool = False
    """A paragraph set in bold altogether: often a question or a heading in disguise."""


@dataclass(frozen=True)
class Row:
    """A table row with its header; cells are plain text, `header` may be empty strings."""

    header: tuple[str, ...]
    cells: tuple[str, ...]
    marked: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parts:
    """Everything a text is made of; code blocks are left out, nobody asks for them in their own words."""

    blocks: tuple[Block, ...]
    rows: tuple[Row, ...]


def parse(text: str) -> Parts:
    """Parts of a Markdown text; plain text is all paragraphs."""
    tokens = _parser().parse(text)
    return Parts(tuple(_blocks(tokens)), tuple(_rows(tokens)))


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    # Indented code is off: a chunk that starts inside a list keeps the list's indentation.
    return MarkdownIt("commonmark").enable("table").disable("code")


def _blocks(tokens: list[Token]) -> Iterator[Block]:
    lists: list[_InText] = []
    in_table = in_heading = False
    for token in tokens:
        if token.type in {"bullet_list_open", "ordered_list_open"}:
            lists.append("step" if token.type.startswith("ordered") else "item")
        elif token.type in {"bullet_list_close", "ordered_list_close"}:
            lists.pop()
        elif token.type in {"table_open", "table_close"}:
            in_table = token.type == "table_open"
        elif token.type in {"heading_open", "heading_close"}:
            in_heading = token.type == "heading_open"
        elif token.type == "inline" and not in_table:
            yield from _inline_blocks(token, "heading" if in_heading else lists[-1] if lists else "paragraph")


def _inline_blocks(token: Token, kind: _InText) -> Iterator[Block]:
    text, marked = _plain(token, line_break="\n")
    head, *definitions = _DEFINITION.split(text)
    if definitions:
        yield Block("term", _squeeze(head.rsplit("\n", 1)[-1]), marked, _squeeze(" ".join(definitions)))
        return
    text = _squeeze(text)
    if text:
        yield Block(kind, text, marked, all_bold=_is_all_bold(token))


def _rows(tokens: list[Token]) -> Iterator[Row]:
    header: list[str] = []
    cells: list[str] = []
    marked: list[str] = []
    in_header = in_table = False
    for token in tokens:
        if token.type == "table_open":
            in_table, header = True, []
        elif token.type == "table_close":
            in_table = False
        elif token.type in {"thead_open", "thead_close"}:
            in_header = token.type == "thead_open"
        elif token.type == "tr_open":
            cells, marked = [], []
        elif token.type == "inline" and in_table:
            text, spans = _plain(token)
            cells.append(_squeeze(text))
            marked += spans
        elif token.type == "tr_close" and in_header:
            header = cells
        elif token.type == "tr_close":
            width = len(cells)
            yield Row(tuple((header + [""] * width)[:width]), tuple(cells), tuple(marked))


def _plain(token: Token, line_break: str = " ") -> tuple[str, tuple[str, ...]]:
    """Text of an inline token without markup, and its code spans."""
    pieces: list[str] = []
    marked: list[str] = []
    for child in token.children or []:
        if child.type == "text":
            pieces.append(child.content)
        elif child.type == "code_inline":
            pieces.append(child.content)
            marked.append(_squeeze(child.content))
        elif child.type in {"softbreak", "hardbreak"}:
            pieces.append(line_break)
        elif child.type == "html_inline":
            pieces.append(" ")
    text = _FOOTNOTE.sub("", _ADMONITION.sub("", "".join(pieces)))
    marked += [_squeeze(quoted) for quoted in re.findall(r"[\"“„«]([^\"“”„«»]{4,160})[\"”“»]", text)]
    return text, tuple(marked)


def _is_all_bold(token: Token) -> bool:
    children = [child for child in token.children or [] if child.content.strip() or child.nesting]
    return (
        len(children) > 2
        and children[0].type == "strong_open"
        and children[-1].type == "strong_close"
        and sum(child.type == "strong_open" for child in children) == 1
    )


def _squeeze(text: str) -> str:
    return _SPACE.sub(" ", text).strip()
