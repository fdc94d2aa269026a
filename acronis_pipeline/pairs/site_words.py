"""Where a site's words stand: what is rare enough to name something, and how many passages a short query could mean."""

import re
from collections import defaultdict
from collections.abc import Iterable

from acronis_pipeline.pairs.everyday_words import base_of_gerund, is_also_a_noun, is_verb
from acronis_pipeline.pairs.generator import Chunk
from acronis_pipeline.pairs.words import content_words, stem, words

_RARE = 0.05
"""A word in at most this share of the pages, or on two, says by itself which part of the site is meant."""
_COMMON = 0.12
"""A word in more than this share of the pages is said all over the site."""
_NAME = re.compile(r"[a-z][A-Z]|[A-Z]{2}|\d|_|--|\w\.\w")
"""How names of things look that somebody made up: inner capitals, digits, underscores."""


class SiteWords:
    """An inverted index over the words of `queries`; any other word counts as standing nowhere."""

    def __init__(self, chunks: Iterable[Chunk], queries: Iterable[str]) -> None:
        asked = {stem(word) for query in queries for word in content_words(query)}
        stems: dict[str, str] = {}
        self._pages: dict[str, set[str]] = defaultdict(set)
        self._said_in: dict[str, set[str]] = defaultdict(set)
        self._named_on: dict[frozenset[str], set[str]] = defaultdict(set)
        urls = set()
        for chunk in chunks:
            urls.add(chunk.url)
            for word in set(words(chunk.passage.lower())):
                if word not in stems:
                    stems[word] = stem(word)
                if (said := stems[word]) in asked:
                    self._pages[said].add(chunk.url)
                    self._said_in[said].add(chunk.cluster_id)
            for heading in (chunk.title, *chunk.heading_path):
                for named in _names(heading):
                    self._named_on[named].add(chunk.url)
        self._n_pages = len(urls)

    def is_rare(self, word: str) -> bool:
        return len(self._pages[stem(word.lower())]) <= max(2, _RARE * self._n_pages)

    def is_common(self, word: str) -> bool:
        return len(self._pages[stem(word.lower())]) > max(2, _COMMON * self._n_pages)

    def names_something(self, query: str) -> bool:
        """Whether the query holds a made-up name, or a word that few pages have."""
        return any(
            self.is_rare(word) or (_NAME.search(word) and not self.is_common(word))
            for word in words(query)
            if content_words(word)
        )

    def answered_by_more_than(self, most: int, query: str, chunk: Chunk) -> bool:
        """Whether more than `most` clusters have all content words of the query.

        Where the query asks for just what one of the passage's headings names, pages with such a heading are counted
        instead: many passages mention the thing, but few are about it.
        """
        if shared := _names_of_headings(chunk) & _names(query):
            return min(len(self._named_on[named]) for named in shared) > most
        first, *others = sorted((self._said_in[stem(word)] for word in set(content_words(query))), key=len)
        found = 0
        for place in first:
            found += all(place in other for other in others)
            if found > most:
                return True
        return False


def is_heading_of(chunk: Chunk, query: str) -> bool:
    """Whether the query asks for what title or heading name: "how do I make a bucket" for "Creating a bucket"."""
    return bool(_names_of_headings(chunk) & _names(query))


def _names_of_headings(chunk: Chunk) -> set[frozenset[str]]:
    return {named for heading in (chunk.title, *chunk.heading_path) for named in _names(heading)}


def _names(text: str) -> set[frozenset[str]]:
    """Stems of what a heading or question is about: without words that are always verbs, and without any verb.

    "Restore files and folders" is asked for as "get back files and folders", but two words at least must be left.
    """
    told = [word for word in content_words(text) if not base_of_gerund(word)]
    nouns = frozenset(stem(word) for word in told if not is_verb(word) or is_also_a_noun(word))
    no_verbs = frozenset(stem(word) for word in told if not is_verb(word))
    return {named for named in (nouns, no_verbs) if len(named) >= (1 if named == nouns else 2)}


def heading_stems(chunk: Chunk) -> set[str]:
    """Stems of the content words of a chunk's title and headings."""
    return {stem(word) for heading in (chunk.title, *chunk.heading_path) for word in content_words(heading)}
