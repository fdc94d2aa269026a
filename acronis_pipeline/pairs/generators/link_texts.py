"""Queries from the texts of a site's own links: how its authors call a page when they write about something else."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from acronis_pipeline.core.hashing import digest
from acronis_pipeline.pairs.generator import Candidate, Chunk, Generation, Generator
from acronis_pipeline.pairs.generators.headings import is_generic
from acronis_pipeline.pairs.words import normalise, words
from acronis_pipeline.store import Store, tables

VERSION = "1"
_MAX_WORDS = 14
_PER_CHUNK = 3
"""Texts of one target that are used, those on most pages first."""
_NAVIGATION = 0.2
"""A link on more than this share of the pages is a menu's, not a writer's; on three pages it may be either."""


class LinkTextGenerator(Generator):
    """Link texts and titles, each with the section that the link leads to, or with the page's first chunk.

    A generator of its own: a new link changes what is asked about its target, not what the target's text offers.
    """

    name = "link_texts"

    def __init__(self, links: Mapping[str, Sequence[str]]) -> None:
        self._links = links
        self.prompt_hash = digest(self.name, VERSION, *(digest(key, *links[key]) for key in sorted(links)))[:16]

    def generate(self, chunks: Sequence[Chunk]) -> Generation:
        """One candidate per text; most chunks are not linked to, which is no failure."""
        return Generation(
            tuple(
                Candidate(text, chunk.chunk_id, "link", self.name, self.prompt_hash)
                for chunk in chunks
                for text in self._links.get(chunk.chunk_id, ())
            )
        )


def read(store: Store, chunks: Sequence[Chunk]) -> dict[str, tuple[str, ...]]:
    """Texts of the links to every chunk that has some, from the table `anchor_texts`."""
    rows = store.read(tables.ANCHOR_TEXTS).to_pylist()
    target_of = _targets(chunks)
    headings = {chunk.chunk_id: {normalise(h) for h in (chunk.title, *chunk.heading_path)} for chunk in chunks}
    sources: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in rows:
        url, fragment = row["target_url"], row["target_fragment"]
        target = target_of.get((url, fragment)) or target_of.get((url, None))
        if target is None or row["source_url"] == url:
            continue
        for text in filter(None, (row["text"], row["title"])):
            if 2 <= len(words(text)) <= _MAX_WORDS and not is_generic(text):
                sources[target, " ".join(text.split())].add(row["source_url"])
    most = max(3, _NAVIGATION * len({chunk.url for chunk in chunks}))
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for (target, text), pages in sources.items():
        if len(pages) <= most and normalise(text) not in headings[target]:
            found[target][text] = len(pages)
    return {target: _most_used(texts) for target, texts in found.items()}


def _targets(chunks: Sequence[Chunk]) -> dict[tuple[str, str | None], str]:
    """The first chunk of every page, under None, and of every section, under its anchor."""
    found: dict[tuple[str, str | None], str] = {}
    for chunk in sorted(chunks, key=lambda chunk: (chunk.url, chunk.ordinal, chunk.chunk_id)):
        found.setdefault((chunk.url, None), chunk.chunk_id)
        if chunk.anchor:
            found.setdefault((chunk.url, chunk.anchor), chunk.chunk_id)
    return found


def _most_used(texts: Counter[str]) -> tuple[str, ...]:
    distinct: dict[str, str] = {}
    for text in sorted(texts, key=lambda text: (-texts[text], text)):
        distinct.setdefault(normalise(text), text)
    return tuple(distinct.values())[:_PER_CHUNK]
