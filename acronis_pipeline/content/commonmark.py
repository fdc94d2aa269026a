"""The parser of CommonMark and tables, with the limits of its own set for pages that others wrote."""

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, table
from markdown_it.rules_core import StateCore

_MAX_NESTING = 100
"""Blocks within blocks, two for a list; what stands deeper than the parser's own twenty is lost without a word."""
_MAX_BRACKETS = 1_000
"""Of one paragraph. Each may begin a link, which takes the parser 0.1 ms to rule out; beyond, none does."""

_FEW_COLUMNS = 30
_MAX_GROWTH = 10
"""Cells for each character: short rows of a wide table are filled up with empty cells, 65,536 of them if need be."""


def parser(*, html: bool = False) -> MarkdownIt:
    """A parser for pages (`html` passes markup on) and for passages."""
    made = MarkdownIt("commonmark", {"html": html, "maxNesting": _MAX_NESTING}).enable(["table", "strikethrough"])
    without_links = MarkdownIt("commonmark", {"html": html, "maxNesting": _MAX_NESTING})
    without_links.enable("strikethrough").disable(["link", "image"])

    def inline(state: StateCore) -> None:
        for token in state.tokens:
            if token.type == "inline":
                reader = made if token.content.count("[") <= _MAX_BRACKETS else without_links
                token.children = token.children or []
                reader.inline.parse(token.content, reader, state.env, token.children)

    def bounded_table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
        return not _is_mostly_empty(state, start, end) and table(state, start, end, silent)

    made.core.ruler.at("inline", inline)
    made.block.ruler.at("table", bounded_table, {"alt": ["paragraph", "reference"]})
    return made


def _is_mostly_empty(state: StateBlock, start: int, end: int) -> bool:
    """Whether what begins at a line would be a table of cells that nobody wrote."""
    if start + 1 >= end:
        return False
    n_columns = state.src.count("|", state.bMarks[start], state.eMarks[start])
    rule = state.src[state.bMarks[start + 1] : state.eMarks[start + 1]]
    if n_columns < _FEW_COLUMNS or "-" not in rule or rule.strip("|-: \t>"):
        return False
    last = start + 1
    while last + 1 < end and not state.isEmpty(last + 1):
        last += 1
    n_chars = state.eMarks[last] - state.bMarks[start]
    return n_columns * (last - start) > _MAX_GROWTH * n_chars
