"""Packing the blocks of one section into texts within a token budget.

Whole blocks go together while they fit; lists break between items, tables between rows (the header is repeated), code
between lines (the fence is). An item too long for a passage breaks between its own blocks, its code keeping the fence
too. Only what does not fit by itself is cut, at sentence boundaries where there are any. A `Draft` is what a strategy
makes of a page before passages get an identity; with an overlap, the end of one is repeated at the start of the next.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil
from typing import Protocol

from acronis_pipeline.chunk.blocks import Block, cells, inner_blocks
from acronis_pipeline.content import markdown

_FULL_ENOUGH = 0.5
"""A text may end early, at the end of a block, once it holds this share of what would fit."""
_STUMP = 1 / 3
"""Share of a code block's text below which its last part means little by itself."""
_SHRINK = 0.85
_SMALLEST = 4
_MIN_WORK, _MAX_WORK, _WORK_OF_A_TEXT = 1_000_000, 100, 50
"""Characters that may be counted for any page, for each of its own, and what a text costs beside its characters."""
_JOINTS_TOKENS = 8
"""More than joining prefix, opening, text and closing ever adds to the sum of their tokens."""
SEPARATOR = " > "
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])|\n+")
_NO_PROSE = re.compile(r"[|`~]|#{1,6} ")


class Counter(Protocol):
    """What `embedding.TokenCounter` offers."""

    def count(self, text: str) -> int: ...

    def count_many(self, texts: Sequence[str]) -> list[int]: ...


class TooCostlyError(Exception):
    """Splitting one page takes more than its size warrants."""


class Remembering:
    """Counts each text of one page once: what fitted is counted again as the passage that it became.

    What is counted measures the work, on any machine alike: beyond a hundred times `n_chars`, the page's own size, it
    raises TooCostlyError. Manuals come to five times, lists sixteen deep to forty.
    """

    def __init__(self, counter: Counter, n_chars: int) -> None:
        self._counter = counter
        self._known: dict[str, int] = {}
        self._left = _MIN_WORK + _MAX_WORK * n_chars

    def count(self, text: str) -> int:
        if text not in self._known:
            self._spend(text)
            self._known[text] = self._counter.count(text)
        return self._known[text]

    def _spend(self, *texts: str) -> None:
        self._left -= sum(_WORK_OF_A_TEXT + len(text) for text in texts)
        if self._left < 0:
            raise TooCostlyError

    def count_many(self, texts: Sequence[str]) -> list[int]:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._spend(*new)
        self._known.update(zip(new, self._counter.count_many(new), strict=True))
        return [self._known[text] for text in texts]


@dataclass(frozen=True)
class Budget:
    """What a text has to fit into: `max_tokens` together with the prefix that is embedded before it."""

    prefix: str
    max_tokens: int
    min_tokens: int
    counter: Counter

    def fits(self, text: str) -> bool:
        return self.counter.count(f"{self.prefix}\n\n{text}" if self.prefix else text) <= self.max_tokens

    def is_small(self, text: str) -> bool:
        return self.counter.count(text) < self.min_tokens

    @property
    def available(self) -> int:
        """Tokens left beside the prefix, about."""
        return max(4, self.max_tokens - self.counter.count(self.prefix))

    @property
    def special_tokens(self) -> int:
        """Tokens that the tokenizer adds to every text."""
        return self.counter.count("")


@dataclass(frozen=True)
class Piece:
    """What packing does not divide: a paragraph, a list item, a table row, a line of code.

    `block` numbers the block it is from, `joint` goes between it and the piece before it from the same block;
    `opening` and `closing` go around pieces of that block. `n_tokens` counts the text alone.
    """

    text: str
    block: int
    joint: str = "\n"
    opening: str = ""
    closing: str = ""
    n_tokens: int = 0

    @property
    def leads_in(self) -> bool:
        """Whether it is a line like "Do this:", which should not be parted from what follows."""
        return not self.opening and self.text.rstrip(" *_").endswith(":")


def pack(blocks: Sequence[Block], budget: Budget) -> list[str]:
    """Texts that hold the blocks in order, each within the budget."""
    whole = [piece for number, block in enumerate(blocks) for piece in _whole(block, number)]
    if budget.fits(rendered(whole)):
        return [rendered(whole)]
    divided = [part for block in blocks for part in _divided(block, budget)]
    pieces = [piece for number, block in enumerate(divided) for piece in _pieces(block, number, budget)]
    groups = _with_even_code(_groups(pieces, budget), budget)
    return [rendered(group) for group in _without_small_tail(groups, budget)]


def rendered(pieces: Sequence[Piece]) -> str:
    """Pieces as Markdown, each run of one block inside its opening and closing."""
    runs: list[list[Piece]] = []
    for piece in pieces:
        if runs and runs[-1][-1].block == piece.block and runs[-1][-1].opening == piece.opening:
            runs[-1].append(piece)
        else:
            runs.append([piece])
    return "\n\n".join(_rendered_run(run) for run in runs)


def _rendered_run(run: Sequence[Piece]) -> str:
    text = run[0].text + "".join(piece.joint + piece.text for piece in run[1:])
    return "\n".join([*filter(None, [run[0].opening]), text, *filter(None, [run[0].closing])])


def _whole(block: Block, number: int) -> Iterator[Piece]:
    for part in block.parts or ("",):
        yield Piece(part, number, opening=block.opening, closing=block.closing)


def _divided(block: Block, budget: Budget) -> Iterator[Block]:
    """The block itself; of a list with items that do not fit, the blocks in these and lists of the others."""
    if block.kind != "list":
        yield block
        return
    together: list[str] = []
    for item, n_tokens in zip(block.parts, budget.counter.count_many(block.parts), strict=True):
        inner = [] if n_tokens + _JOINTS_TOKENS <= budget.available or budget.fits(item) else inner_blocks(item)
        if len(inner) < 2 and not any(part.opening or part.parts[1:] for part in inner):
            together.append(item)
            continue
        if together:
            yield Block("list", tuple(together))
            together = []
        for part in inner:
            yield from _divided(part, budget)
    if together:
        yield Block("list", tuple(together))


def _pieces(block: Block, number: int, budget: Budget) -> Iterator[Piece]:
    """Pieces of a block that each fit by themselves."""
    pieces = _measured(list(_whole(_with_short_frame(block, budget), number)), budget)
    around = budget.counter.count(f"{budget.prefix}\n\n{pieces[0].opening}\n{pieces[0].closing}")
    for piece in pieces:
        if around + piece.n_tokens + _JOINTS_TOKENS <= budget.max_tokens or budget.fits(rendered([piece])):
            yield piece
        elif block.kind == "code" and "\n" in piece.text:
            # A command over many lines that fits nowhere whole.
            lines = _measured([replace(piece, text=line) for line in piece.text.split("\n")], budget)
            yield from (part for line in lines for part in _fitting(line, budget))
        else:
            yield from _measured(_cut(piece, budget), budget)


def _fitting(piece: Piece, budget: Budget) -> list[Piece]:
    return [piece] if budget.fits(rendered([piece])) else _measured(_cut(piece, budget), budget)


def _measured(pieces: Sequence[Piece], budget: Budget) -> list[Piece]:
    counts = budget.counter.count_many([piece.text for piece in pieces])
    return [replace(piece, n_tokens=count) for piece, count in zip(pieces, counts, strict=True)]


def _with_short_frame(block: Block, budget: Budget) -> Block:
    """The block itself, or one with less to repeat where header or fence would take up half of the budget."""
    frame = budget.counter.count(f"{block.opening}\n{block.closing}")
    if not block.opening or frame <= budget.available // 2:
        return block
    if block.kind == "code":
        return Block("code", block.parts, opening="```", closing="```")
    names = cells(block.opening.split("\n")[0])
    return Block("list", tuple(_row_as_item(names, cells(row)) for row in block.parts))


def _row_as_item(names: Sequence[str], values: Sequence[str]) -> str:
    labels = [*names, *[""] * len(values)]
    pairs = zip(labels, values, strict=False)
    return "- " + "; ".join(f"{name}: {value}" if name else value for name, value in pairs if value)


def _cut(piece: Piece, budget: Budget) -> list[Piece]:
    """Parts of a piece that is too long, cut at sentences, else words, and within a word only if it fits nowhere whole.

    Parts of about equal size come first: filling the budget would leave a stump at the end.
    """
    from semchunk.semchunk import chunk

    total, available = budget.counter.count(piece.text), budget.available
    sizes = [min(available, ceil(1.1 * total / ceil(total / available))), available]
    while sizes[-1] > _SMALLEST:
        sizes.append(max(_SMALLEST, int(_SHRINK * sizes[-1])))
    fitting: list[Piece] = []
    for size in sizes:
        parts = chunk(piece.text, size, budget.counter.count, memoize=False)
        cut = [
            replace(piece, text=str(part), joint=piece.joint if index == 0 else " ") for index, part in enumerate(parts)
        ]
        if size > _SMALLEST and not all(budget.fits(rendered([part])) for part in cut):
            continue
        if " ".join(part.text for part in cut).split() == piece.text.split():
            return cut
        fitting = fitting or cut
        if size < available // 2:  # smaller parts keep no word whole that these did not
            break
    return fitting


def _groups(pieces: Sequence[Piece], budget: Budget) -> list[list[Piece]]:
    groups: list[list[Piece]] = []
    start = 0
    while start < len(pieces):
        end = _furthest(pieces, start, budget)
        if end < len(pieces):
            end = _best_break(pieces, start, end)
        groups.append(list(pieces[start:end]))
        start = end
    return groups


def _furthest(pieces: Sequence[Piece], start: int, budget: Budget) -> int:
    """The largest end such that the pieces up to it fit together.

    The pieces' own counts tell where to look first; tokens of a whole are not the sum of its parts', so the end is the
    one that was tried.
    """
    fits, too_far = start + 1, len(pieces) + 1
    probe, step = _estimated_end(pieces, start, budget), 1
    while fits + 1 < too_far:
        probe = min(max(probe, fits + 1), too_far - 1)
        if budget.fits(rendered(pieces[start:probe])):
            fits = probe
            probe += step
        else:
            too_far = probe
            probe -= step
        step = min(2 * step, max(1, (too_far - fits) // 2))
    return fits


def _estimated_end(pieces: Sequence[Piece], start: int, budget: Budget) -> int:
    left = budget.available - budget.counter.count(f"{pieces[start].opening}\n{pieces[start].closing}")
    end = start
    while end < len(pieces) and left >= 0:
        left -= max(1, pieces[end].n_tokens - budget.special_tokens)
        end += 1
    return end - (left < 0)


def _best_break(pieces: Sequence[Piece], start: int, end: int) -> int:
    """The last end of a block that leaves the text full enough, else the end itself; never after a lead-in."""
    full = sum(len(piece.text) for piece in pieces[start:end])
    size = full
    for stop in range(end, start + 1, -1):
        before, after = pieces[stop - 1], pieces[stop]
        if size < _FULL_ENOUGH * full:
            break
        if before.block != after.block and not before.leads_in:
            return stop
        size -= len(before.text)
    before = end
    while before > start and pieces[before - 1].leads_in:
        before -= 1
    # Where everything leads in, nothing does.
    return before if before > start else end


def _with_even_code(groups: list[list[Piece]], budget: Budget) -> list[list[Piece]]:
    """Where code is cut, lines move on to a last part that would only be its closing brackets."""
    evened = groups[:1]
    for group in groups[1:]:
        before = evened[-1]
        number = group[0].block
        while group[0].closing and len(before) > 1 and before[-1].block == number and before[-2].block == number:
            here, there = (sum(len(piece.text) for piece in part if piece.block == number) for part in (before, group))
            moved = [before[-1], *group]
            if there >= _STUMP * (here + there) or not budget.fits(rendered(moved)):
                break
            before, group = before[:-1], moved
        evened[-1] = before
        evened.append(group)
    return evened


def _without_small_tail(groups: list[list[Piece]], budget: Budget) -> list[list[Piece]]:
    """Merge a last text that is too small with the one before it, or even them out where both do not fit in one.

    A line that leads in moves on with what it leads to.
    """
    if len(groups) < 2 or not budget.is_small(rendered(groups[-1])):
        return groups
    *rest, before, tail = groups
    if budget.fits(rendered(before + tail)):
        return [*rest, before + tail]
    while len(before) > 1 and (budget.is_small(rendered(tail)) or before[-1].leads_in):
        moved = [before[-1], *tail]
        if not budget.fits(rendered(moved)):
            break
        before, tail = before[:-1], moved
    return [*rest, before, tail]


@dataclass(frozen=True)
class Draft:
    """`path` are the headings that the text stands under, `prefix` is what is embedded before it."""

    path: tuple[str, ...]
    anchor: str | None
    prefix: str
    text: str

    @property
    def passage(self) -> str:
        return f"{self.prefix}\n\n{self.text}" if self.prefix else self.text


def breadcrumb(title: str, path: Sequence[str], max_tokens: int, counter: Counter) -> str:
    """ "Title > Heading > Sub", a heading that repeats the name above it left out.

    When too long, without its middle, then with its longest name cut.
    """
    names = [name for name in (title, *path) if name]
    names = [name for above, name in pairwise(["", *names]) if name.casefold() != above.casefold()]
    while len(names) > 2 and counter.count(SEPARATOR.join(names)) > max_tokens:
        del names[1]
    while names and counter.count(SEPARATOR.join(names)) > max_tokens:
        longest = max(range(len(names)), key=lambda index: len(names[index]))
        cut = names[longest][: len(names[longest]) * 3 // 4]
        names[longest] = cut.rsplit(" ", 1)[0] if " " in cut else cut
        names = [name for name in names if name.strip()]
    return SEPARATOR.join(names)


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
    lines = markdown.split(text)[0].rstrip().split("\n")
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
