"""Paragraphs that stand on most pages of a site (cookie notices, newsletter forms, warnings): kept on one page only.

Which ones they are depends on the live pages alone, not on how the corpus came to be. A paragraph is kept on the page
with the shortest address, usually the front page, so that a fact told everywhere (a trial period, a phone number) can
still be found. What each page's paragraphs are is remembered in a table, so a refresh reads changed pages only.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from acronis_pipeline.chunk.blocks import Block, spans
from acronis_pipeline.content import Content
from acronis_pipeline.content.markdown import heading_of, lines_with_fences, normalised
from acronis_pipeline.core.hashing import digest

VERSION = "1"
"""Raise it when the keys of paragraphs change."""
_MIN_PAGES = 8
"""On fewer pages a paragraph may well be what a small site says on purpose."""
_MIN_WORDS = 4
"""Shorter ones ("Yes.", "See below.") mean something only under their heading."""

PageText = tuple[str, Collection[str]]
"""Language of a page, and the keys of its paragraphs."""


@dataclass(frozen=True)
class Repeated:
    """A paragraph on too many pages of a language: its key, on how many it stands, and the page that keeps it."""

    language: str
    key: str
    n_pages: int
    kept_on: str


def keys(content: Content) -> tuple[str, ...]:
    """Keys of the paragraphs and lists of a page, each once. Of a paged document none: no site frames its pages."""
    if content.page_starts:
        return ()
    bodies = _bodies(list(lines_with_fences(content.markdown)))
    return tuple(dict.fromkeys(key for _, body in bodies for _, _, block in body if (key := _key(block))))


def find(pages: Mapping[str, PageText], share: float) -> list[Repeated]:
    """Paragraphs on more than `share` of the pages of their language, most frequent first."""
    n_pages: dict[str, int] = defaultdict(int)
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for url, (language, on_page) in pages.items():
        n_pages[language] += 1
        for key in on_page:
            found[language, key].append(url)
    too_many = [
        Repeated(language, key, len(urls), min(urls, key=lambda url: (len(url), url)))
        for (language, key), urls in found.items()
        if len(urls) >= _MIN_PAGES and len(urls) > share * n_pages[language]
    ]
    return sorted(too_many, key=lambda one: (-one.n_pages, one.key, one.kept_on))


def to_remove(pages: Mapping[str, PageText], repeated: Iterable[Repeated]) -> dict[str, frozenset[str]]:
    """Keys to take out of each page, pages without any left out."""
    keepers = {(one.language, one.key): one.kept_on for one in repeated}
    doomed = {
        url: frozenset(key for key in on_page if keepers.get((language, key), url) != url)
        for url, (language, on_page) in pages.items()
    }
    return {url: found for url, found in doomed.items() if found}


def without(content: Content, doomed: Collection[str]) -> Content:
    """The page without those paragraphs, and without headings that have nothing else below them."""
    lines = list(lines_with_fences(content.markdown))
    bodies = list(_bodies(lines))
    levels = [(heading_of(lines[number][0]) or (0, ""))[0] if number >= 0 else 0 for number, _ in bodies]
    gone: set[int] = set()
    gone_headings: set[int] = set()
    for index, (heading, body) in enumerate(bodies):
        removed = [(first, last) for first, last, block in body if _key(block) in doomed]
        gone.update(number for first, last in removed for number in range(first, last))
        leaf = index + 1 == len(bodies) or levels[index + 1] <= levels[index]
        if removed and len(removed) == len(body) and leaf and levels[index] > 1:
            gone.add(heading)
            gone_headings.add(index - 1)
    kept = [line for number, (line, _) in enumerate(lines) if number not in gone]
    headings = tuple(heading for number, heading in enumerate(content.headings) if number not in gone_headings)
    return replace(content, markdown=normalised("\n".join(kept)), headings=headings)


def texts(content: Content, wanted: Collection[str]) -> dict[str, str]:
    """What the paragraphs of a page with these keys say."""
    bodies = _bodies(list(lines_with_fences(content.markdown)))
    return {key: block.text for _, body in bodies for _, _, block in body if (key := _key(block)) and key in wanted}


def _bodies(lines: Sequence[tuple[str, bool]]) -> Iterator[tuple[int, list[tuple[int, int, Block]]]]:
    """Each section's heading line (-1 for what stands above the first), and its blocks with first and end line."""
    starts = [number for number, (line, in_fence) in enumerate(lines) if not in_fence and heading_of(line)]
    for start, end in zip([-1, *starts], [*starts, len(lines)], strict=True):
        yield start, [(start + 1 + a, start + 1 + b, block) for a, b, block in spans(lines[start + 1 : end])]


def _key(block: Block) -> str | None:
    if block.kind not in {"paragraph", "list"}:
        return None
    words = re.findall(r"\w+", block.text.casefold())
    return digest(" ".join(words))[:16] if len(words) >= _MIN_WORDS or len("".join(words)) >= 4 * _MIN_WORDS else None
