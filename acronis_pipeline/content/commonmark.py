"""The parser of CommonMark and tables, with the limits of its own set for pages that others wrote."""

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore

_MAX_NESTING = 100
"""Blocks within blocks, two for a list; what stands deeper than the parser's own twenty is lost without a word."""
_MAX_BRACKETS = 1_000
"""Of one paragraph. Each may begin a link, which takes the parser 0.1 ms to rule out; beyond, none does."""


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

    made.core.ruler.at("inline", inline)
    return made
