"""What was taken out of a page's main content, by which rule: counted and shown, so that a rule that eats is seen.

What goes around the content (a site's navigation, its footer) is not counted: that is on every page. Readers of other
formats say in the HTML that they make what they left out (`left_out`), and it is counted here like the rest.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from selectolax.lexbor import LexborHTMLParser, LexborNode

from acronis_pipeline.content.elements import ancestors
from acronis_pipeline.core.text import printable

_WORD = re.compile(r"\w")
_SAMPLES = 3
"""Of each rule, a page."""
_SAMPLE_CHARS = 80
_MAX_RULES = 20
_MAX_RULE_CHARS = 40


@dataclass(frozen=True)
class Removed:
    """`count` pieces that the rule named `rule` took out of the main content, the beginnings of some as `samples`."""

    rule: str
    count: int
    samples: tuple[str, ...] = ()


def left_out(rule: str, count: int, samples: Sequence[str] = ()) -> str:
    """HTML for the head of a page made from another format: so many pieces were left out, by this rule.

    `rule` is what a user reads: "Markdown: directive without a meaning".
    """
    named = f'<meta name="left-out" data-rule="{escape(rule)}"'
    return f'{named} data-count="{count}">' + "".join(f'{named} content="{escape(said)}">' for said in samples)


@dataclass
class _Piece:
    rule: str
    count: int
    sample: str
    places: frozenset[int]
    """`mem_id`s of the elements that it stood in; empty if it belongs to the content by what it is."""


@dataclass
class Removals:
    """Takes note of what the rules remove, before anyone knows where the content is; `within` tells what was in it."""

    _pieces: list[_Piece] = field(default_factory=list)

    def note(self, rule: str, nodes: Collection[LexborNode]) -> None:
        """These elements are about to be removed; those without a word are nothing to tell of."""
        for node in nodes:
            sample = _sample(node.text(separator=" "))
            if _WORD.search(sample):
                places = frozenset(ancestor.mem_id for ancestor in ancestors(node))
                self._pieces.append(_Piece(rule, 1, sample, places))

    def note_left_out(self, tree: LexborHTMLParser) -> None:
        """What the reader of another format left out."""
        for node in tree.css('head > meta[name="left-out"][data-rule]'):
            attributes = node.attributes
            rule = printable(attributes["data-rule"] or "")[:_MAX_RULE_CHARS]
            counted = attributes.get("data-count") or "0"
            count = int(counted) if counted.isascii() and counted.isdecimal() and len(counted) < 8 else 0
            self._pieces.append(_Piece(rule, count, _sample(attributes.get("content") or ""), frozenset()))

    def within(self, nodes: Collection[LexborNode]) -> tuple[Removed, ...]:
        """What was removed from these elements, by rule, the most frequent first."""
        content = {node.mem_id for node in nodes}
        counts: dict[str, int] = {}
        samples: dict[str, dict[str, None]] = {}
        for piece in self._pieces:
            if piece.places and content.isdisjoint(piece.places):
                continue
            counts[piece.rule] = counts.get(piece.rule, 0) + piece.count
            shown = samples.setdefault(piece.rule, {})
            if piece.sample and len(shown) < _SAMPLES:
                shown[piece.sample] = None
        frequent = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_MAX_RULES]
        return tuple(Removed(rule, count, tuple(samples[rule])) for rule, count in frequent if count)


def counts(removed: Collection[Removed]) -> Mapping[str, int]:
    """Pieces by rule."""
    return {one.rule: one.count for one in removed}


def _sample(text: str) -> str:
    words = " ".join(printable(text[: 20 * _SAMPLE_CHARS]).split())  # indentation counts here
    return words if len(words) <= _SAMPLE_CHARS else words[: _SAMPLE_CHARS - 1].rstrip() + "…"
