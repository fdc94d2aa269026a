"""Overlap: the end of one passage repeated at the start of the next, where the text was cut between them."""

import re
from collections.abc import Sequence
from itertools import pairwise

from acronis_pipeline.chunk.packing import Budget, Counter
from acronis_pipeline.content import page_starts

_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])|\n+")
_NO_PROSE = re.compile(r"[|`~]|#{1,6} ")


def overlapped(texts: Sequence[str], overlap_tokens: int, budget: Budget) -> list[str]:
    """The texts, each after the first with the end of the one before it, wherever that fits the budget."""
    if overlap_tokens == 0:
        return list(texts)
    joined = list(texts[:1])
    for before, text in pairwise(texts):
        end = ending(before, overlap_tokens, budget.counter)
        both = f"{end}\n\n{text}"
        joined.append(both if end and budget.fits(both) else text)
    return joined


def ending(text: str, max_tokens: int, counter: Counter) -> str:
    """The last whole sentences within `max_tokens`; of a sentence that is longer by itself, its last words.

    Empty where the text ends in a table or in code: a table repeats its header instead, and half of a command misleads.
    """
    lines = page_starts.split(text)[0].rstrip().split("\n")
    first = len(lines)
    while first and lines[first - 1].strip() and not _NO_PROSE.match(lines[first - 1].lstrip()):
        first -= 1
    units = [unit for unit in _SENTENCE_END.split("\n".join(lines[first:])) if unit.strip()]
    if not units:
        return ""
    if counter.count(units[-1]) > max_tokens:
        units = units[-1].split()
    kept: list[str] = []
    while units and counter.count(" ".join([units[-1], *kept])) <= max_tokens:
        kept.insert(0, units.pop())
    return " ".join(kept)
