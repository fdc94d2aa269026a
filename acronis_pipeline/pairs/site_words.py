"""Where a site's words stand: what is rare enough to name something, and how many passages a short query could mean."""

import math
import re
from collections import defaultdict
from collections.abc import Iterable

from acronis_pipeline.pairs.everyday_words import base_of_gerund, is_also_a_noun, is_form_of_verb, is_verb
from acronis_pipeline.pairs.generator import Chunk
from acronis_pipeline.pairs.words import content_words, stem, word_set, words

_TELLING = 3.2
"""Sum of the logarithms of pages by pages with the word from which the words of a question say what is meant.

One word on 1 page of 25 will do, or two on 1 of 5. By reading 170 questions of two sites in this order.
"""
_TELLING_IN_A_HEADING = 2.0
"""The same for a question that asks for just what a heading of the passage names: nobody else is about it."""
_FEW_PAGES = 2
"""What stands on so few pages names something on a site of any size."""
_OF_A_HEADING = 1.5
"""What a word counts more that stands in a heading of the passage: the section is about it."""
_EVERYWHERE = 0.75
"""A word on more than this share of the pages names the product, or what all of the site is about."""
_COMMON = 0.12
"""A made-up name in more than this share of the pages is said all over the site."""
_NAME = re.compile(r"[a-z][A-Z]|[A-Z]{2}|\d|_|--|\w\.\w")
"""How names of things look that somebody made up: inner capitals, digits, underscores."""
_QUALIFIERS = word_set(
    """additional another any current custom different entire existing few first following general larger last main many
    multiple new next old particular previous second several similar single small specific two three four five various
    way time times day days minute minutes hour hours everything whether neither either"""
)
"""Words that tell which or how many rather than what."""
_TO_DO = re.compile(r"\bhow (?:to|(?:do|can|should) (?:i|you|we)) \w+(?: rid of)?\b", re.IGNORECASE)
"""What a how-to asks to do rather than with what: its verb may look like a noun."""


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

    def tells_what_is_meant(self, query: str, chunk: Chunk) -> bool:
        """Whether a question about a passage names its part of the site.

        By a made-up name, by two things that title and headings name too, or by words that few pages have.
        """
        above = heading_stems(chunk)
        named = {stem(word.lower()): word for word in words(_TO_DO.sub("", query)) if is_name_of_something(word)}
        if any(_NAME.search(word) and not self._is_common(name) for name, word in named.items()):
            return True
        in_headings = [name for name in named if name in above and not self.is_everywhere(name)]
        weight = sum(self._weight(name) * (_OF_A_HEADING if name in above else 1) for name in named)
        enough = _TELLING_IN_A_HEADING if asks_for_a_heading(query, chunk) else _TELLING
        return len(in_headings) >= 2 or weight >= enough

    def is_everywhere(self, name: str) -> bool:
        """Whether most pages have a word of this stem."""
        return self._share(name) > _EVERYWHERE

    def _weight(self, name: str) -> float:
        return _TELLING if len(self._pages[name]) <= _FEW_PAGES else -math.log(self._share(name))

    def _share(self, name: str) -> float:
        """Share of the pages that have a word of this stem, one at least."""
        return max(1, len(self._pages[name])) / max(1, self._n_pages)

    def _is_common(self, name: str) -> bool:
        return len(self._pages[name]) > max(_FEW_PAGES, _COMMON * self._n_pages)

    def clusters_with_all(self, query: str) -> set[str]:
        """Near-duplicate clusters that have all content words of the query."""
        first, *others = sorted((self._said_in[stem(word)] for word in set(content_words(query))), key=len)
        return first.intersection(*others)

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


def is_name_of_something(word: str) -> bool:
    """Whether a word can say what is meant, rather than what happens to it or how: "unnoticed", "directly" cannot."""
    word = word.lower()
    is_other = is_form_of_verb(word) or word in _QUALIFIERS or word.isdigit()
    return bool(content_words(word)) and not is_other and not word.endswith(("ly", "ed"))


def asks_for_a_heading(query: str, chunk: Chunk) -> bool:
    """Whether the query asks for what title or heading name: "how do I make a bucket" for "Creating a bucket"."""
    return bool(_names_of_headings(chunk) & _names(query))


def _names_of_headings(chunk: Chunk) -> set[frozenset[str]]:
    return {named for heading in (chunk.title, *chunk.heading_path) for named in _names(heading)}


def _names(text: str) -> set[frozenset[str]]:
    """Stems of what a heading or question is about: without words that are always verbs, and without any verb.

    "Restore files and folders" is asked for as "get back files and folders", but two words at least must be left.
    """
    found = set()
    for part in {text, text.rpartition(": ")[2]}:
        told = [word for word in content_words(_TO_DO.sub("", part)) if not base_of_gerund(word)]
        nouns = frozenset(stem(word) for word in told if not is_verb(word) or is_also_a_noun(word))
        no_verbs = frozenset(stem(word) for word in told if not is_verb(word))
        found |= {named for named in (nouns, no_verbs) if len(named) >= (1 if named == nouns else 2)}
    return found


def heading_stems(chunk: Chunk) -> set[str]:
    """Stems of the content words of a chunk's title and headings."""
    return {stem(word) for heading in (chunk.title, *chunk.heading_path) for word in content_words(heading)}
