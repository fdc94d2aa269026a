"""Markdown as sections of blocks: what a splitter may pack together, and what it must keep whole."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from acronis_pipeline.content import Heading
from acronis_pipeline.content.markdown import fence_of, heading_of, lines_with_fences, open_fences, plain_text

_LIST_ITEM = re.compile(r"^(?:[-*+]|\d{1,9}[.)])(?:[ \t]+|$)")
_TABLE_RULE = re.compile(r"^\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?$")
_RULE = re.compile(r"^[ \t]*(?:[-*_][ \t]*){3,}$")

Kind = Literal["paragraph", "list", "table", "code"]


@dataclass(frozen=True)
class Block:
    """A stretch of Markdown. `parts` are what it falls into where it does not fit whole: items, rows or lines.

    `opening` and `closing` are repeated around parts that stand apart from the rest: a table's header, a fence.
    """

    kind: Kind
    parts: tuple[str, ...]
    opening: str = ""
    closing: str = ""

    @property
    def text(self) -> str:
        return "\n".join(part for part in (self.opening, *self.parts, self.closing) if part or self.kind == "code")


@dataclass(frozen=True)
class Section:
    """What stands between a heading and the next one. `path` holds the headings above it, the page title left out."""

    level: int
    path: tuple[str, ...]
    anchor: str | None
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class HeadingLine:
    """A line with a heading: its number, where it begins and ends, and the headings in force from there on."""

    number: int
    start: int
    end: int
    level: int
    path: tuple[str, ...]
    anchor: str | None


def heading_lines(markdown: str, headings: Sequence[Heading], title: str) -> list[HeadingLine]:
    """Every heading of a page in order.

    Parameters
    ----------
    markdown, headings
        As `content.extract` gives them: the n-th heading line is the n-th of `headings`.
    title
        Page title; a heading of level 1 that says the same is not part of any path.
    """
    found: list[HeadingLine] = []
    in_force: list[Heading] = []
    upcoming = iter(headings)
    offset = 0
    for number, (line, in_fence) in enumerate(lines_with_fences(markdown)):
        heading = None if in_fence else heading_of(line)
        if heading is not None:
            level, text = heading
            known = next(upcoming, None)
            in_force = [above for above in in_force if above.level < level]
            in_force.append(Heading(level, text, known.anchor if known else None))
            path = tuple(above.text for above in in_force if above.level > 1 or not same_text(above.text, title))
            anchor = next((above.anchor for above in reversed(in_force) if above.anchor), None)
            found.append(HeadingLine(number, offset, offset + len(line), level, path, anchor))
        offset += len(line) + 1
    return found


def sections(markdown: str, headings: Sequence[Heading], title: str) -> list[Section]:
    """Every section of a page in order, those without text of their own included; takes what `heading_lines` does."""
    lines = list(lines_with_fences(markdown))
    starts = [HeadingLine(-1, 0, 0, 0, (), None), *heading_lines(markdown, headings, title)]
    ends = [*(line.number for line in starts[1:]), len(lines)]
    return [
        Section(line.level, line.path, line.anchor, tuple(blocks(lines[line.number + 1 : end])))
        for line, end in zip(starts, ends, strict=True)
    ]


def blocks(lines: Sequence[tuple[str, bool]]) -> Iterator[Block]:
    """Blocks of the lines of one section; each line comes with whether it is in a code fence."""
    return (block for _, _, block in spans(lines))


def spans(lines: Sequence[tuple[str, bool]]) -> Iterator[tuple[int, int, Block]]:
    """Blocks with the numbers of their first line and of the line after their last."""
    index = 0
    while index < len(lines):
        line, in_fence = lines[index]
        if not line.strip() or (not in_fence and _RULE.match(line)):
            index += 1
            continue
        end = _end_of_block(lines, index)
        yield index, end, _block([text for text, _ in lines[index:end]], in_fence)
        index = end


def _end_of_block(lines: Sequence[tuple[str, bool]], start: int) -> int:
    first, fenced = lines[start]
    if fenced:
        return _end_of_fence(lines, start)
    if _LIST_ITEM.match(first):
        return _end_of_list(lines, start)
    return _while(
        lines, start, lambda line, in_fence: bool(line.strip()) and not in_fence and not _LIST_ITEM.match(line)
    )


def _end_of_fence(lines: Sequence[tuple[str, bool]], start: int) -> int:
    for index, still_open in enumerate(open_fences(line for line, _ in lines[start:]), start=start):
        if not still_open:
            return index + 1
    return len(lines)


def _while(lines: Sequence[tuple[str, bool]], start: int, belongs: Callable[[str, bool], bool]) -> int:
    index = start + 1
    while index < len(lines) and belongs(*lines[index]):
        index += 1
    return index


def _end_of_list(lines: Sequence[tuple[str, bool]], start: int) -> int:
    """A list goes on over blank lines as long as what follows is an item, or indented under one, and over its code."""
    index = end = start + 1
    while index < len(lines):
        line, in_fence = lines[index]
        belongs = line[:1] in {" ", "\t"} or _LIST_ITEM.match(line) or (lines[index - 1][0].strip() and not in_fence)
        if line.strip() and not belongs:
            break
        index = _end_of_fence(lines, index) if in_fence else index + 1
        end = index if line.strip() else end
    return end


def _block(lines: list[str], in_fence: bool) -> Block:
    if in_fence:
        *_, still_open = open_fences(lines)
        if still_open:
            lines = [*lines, fence_of(still_open)]
        return Block("code", tuple(_commands(lines[1:-1])), opening=lines[0], closing=lines[-1])
    if _LIST_ITEM.match(lines[0]):
        return Block("list", tuple(_items(lines)))
    if len(lines) > 2 and "|" in lines[0] and _TABLE_RULE.match(lines[1].strip()):
        return Block("table", tuple(lines[2:]), opening="\n".join(lines[:2]))
    return Block("paragraph", ("\n".join(lines),))


def inner_blocks(item: str) -> list[Block]:
    """The blocks of a list item (paragraphs, code, lists in it), each as indented as it stands in the item.

    One paragraph, or nothing, where there is nothing to divide.
    """
    marker = item[: len(item) - len(item.lstrip())]
    found = _LIST_ITEM.match(item[len(marker) :])
    marker += found[0] if found else ""
    indent = " " * len(marker)
    first, *others = item.split("\n")
    own = [first[len(marker) :], *(line.removeprefix(indent) for line in others)]
    inner = [
        Block(block.kind, tuple(_indented(part, indent) for part in block.parts),
              _indented(block.opening, indent), _indented(block.closing, indent))
        for block in blocks(list(lines_with_fences("\n".join(own))))
    ]  # fmt: skip
    return [_with_marker(inner[0], marker), *inner[1:]] if inner else []


def _with_marker(block: Block, marker: str) -> Block:
    """A block that begins with the marker of the item that it stands in."""
    if block.opening:
        return replace(block, opening=marker + block.opening[len(marker) :])
    first, *others = block.parts
    return replace(block, parts=(marker + first[len(marker) :], *others))


def _indented(text: str, indent: str) -> str:
    return "\n".join(indent + line if line else line for line in text.split("\n"))


def _commands(lines: list[str]) -> Iterator[str]:
    """Lines of code; what a backslash continues stays with what continues it, and a comment with what it is about."""
    command: list[str] = []
    for line in lines:
        command.append(line)
        if not line.rstrip().endswith("\\") and not line.lstrip().startswith(("# ", "// ")):
            yield "\n".join(command)
            command = []
    if command:
        yield "\n".join(command)


def _items(lines: list[str]) -> Iterator[str]:
    item: list[str] = []
    in_fence = ""
    for line, still_open in zip(lines, open_fences(lines), strict=True):
        if item and not in_fence and _LIST_ITEM.match(line):
            yield "\n".join(item).rstrip()
            item = []
        item.append(line)
        in_fence = still_open
    yield "\n".join(item).rstrip()


def cells(row: str) -> list[str]:
    """The cells of a table row."""
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", row.strip().strip("|"))]


def same_text(left: str, right: str) -> bool:
    """Whether two headings say the same, whatever their markup and case."""
    return plain_text(left).casefold() == plain_text(right).casefold()
