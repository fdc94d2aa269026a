"""Addresses still to be asked for, each once, nearest to the start first."""

from collections import deque
from dataclasses import dataclass
from typing import Literal

Source = Literal["seed", "sitemap", "link", "recheck"]


@dataclass(frozen=True, slots=True)
class Target:
    """`depth` counts links from the start page or the sitemap; `recheck` is a known page that nothing led to."""

    url: str
    depth: int
    source: Source


class Frontier:
    """A queue that remembers everything ever put into it.

    First in, first out is breadth first, because a page's links are added after the page was taken.
    """

    def __init__(self) -> None:
        self._queue: deque[Target] = deque()
        self._seen: set[str] = set()

    def claim(self, url: str) -> bool:
        """Mark an address as dealt with; False if it already was."""
        if url in self._seen:
            return False
        self._seen.add(url)
        return True

    def push(self, target: Target) -> None:
        """Queue a target whose address was claimed."""
        self._queue.append(target)

    def pop(self) -> Target | None:
        return self._queue.popleft() if self._queue else None

    def __contains__(self, url: str) -> bool:
        return url in self._seen

    def __len__(self) -> int:
        return len(self._queue)
