"""Stretches of a page's Markdown in which every code fence is whole, wherever they were cut."""

from bisect import bisect_right
from itertools import accumulate

from acronis_pipeline.content.markdown import fence_of, open_fences


class Fenced:
    """Stretches of one page: code that is cut has its fence, language and all, in each part.

    Parameters
    ----------
    max_opening_chars
        A longer line that opens a fence is repeated as the fence alone.
    """

    def __init__(self, markdown: str, max_opening_chars: int) -> None:
        self._markdown, self._max_opening_chars = markdown, max_opening_chars
        lines = markdown.split("\n")
        self._opened_before = ["", *open_fences(lines)]
        self._starts = list(accumulate((len(line) + 1 for line in lines), initial=0))

    def text(self, start: int, end: int) -> str:
        """The characters from `start` to `end`; a fence with nothing in it is left out."""
        text = self._markdown[start:end].lstrip("\n")
        opened = self._opened_before[bisect_right(self._starts, end - len(text)) - 1]
        lines = text.rstrip("\n").split("\n")
        before = [opened, *open_fences(lines, opened)]
        if opened and not before[1]:  # its first line closes the fence
            opened, lines, before = "", lines[1:], before[1:]
        if lines and before[-1] and not before[-2]:  # its last line opens one
            lines, before = lines[:-1], before[:-1]
        if not any(line.strip() for line in lines):
            return ""
        opening = [self._opening(opened)] if opened else []
        closing = [fence_of(before[-1])] if before[-1] else []
        return "\n".join([*opening, *lines, *closing])

    def _opening(self, line: str) -> str:
        """The line that opens a fence, without a list's marker or indent before it."""
        fence = fence_of(line)
        opening = line[line.index(fence) :]
        return opening if len(opening) <= self._max_opening_chars else fence
