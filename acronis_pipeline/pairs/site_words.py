"""Whether a query says by itself what it is about, seen against the words of its site.

What is rare enough on the site to name something, how many passages a short query could mean, and which others answer
it: a query that only makes sense beside its passage teaches nothing, and where a passage that answers is not gold,
whoever finds it is marked down. Rules for English; other languages pass. A language model can be asked as well
(`pairs.judge`).
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from acronis_pipeline.pairs.english import base_of_gerund, is_also_a_noun, is_form_of_verb, is_verb
from acronis_pipeline.pairs.generator import Candidate, Chunk
from acronis_pipeline.pairs.sentences import pieces
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

_POINTING = re.compile(
    r"\b(?:(?:the|this|that|these|those|given|provided|above) "
    r"(?:passage|text|document|excerpt|context|paragraph|snippet|author|page|section|article|table|example|image|"
    r"screenshot|figure|list|steps?|case)"
    r"|(?:mentioned|described|listed|shown|discussed|stated|given) (?:here|above|below|earlier|in this)"
    r"|which (?:one|ones|of (?:these|those|them|the following))|the (?:above|below|following|former|latter))\b",
    re.IGNORECASE,
)
_THIS = re.compile(r"\b(?:this|these|those)\b", re.IGNORECASE)
_UNSAID = re.compile(
    r"\b(?:first|second|third|last|former|next|previous|other|another|new|same|right|correct|only) ones?\b"
    r"|\bthe (?:displayed|resulting|corresponding|respective|specified|mentioned|aforementioned|latter|former)\b"
    r"|\b(?:additional|remaining|further|other|same) (?:elements?|items?|ones?|things?|values?|results?|options?)\b"
    r"|\bthere (?:is|are) (?:an?|no|any|some)(?: \w+)?\W*$"
    r"|\b(?:either|both|neither|otherwise)\W*$",
    re.IGNORECASE,
)
"""Ordinals, comparisons and leftovers whose counterpart stood in the passage."""
_PRONOUN = re.compile(r"\b(?:it|they|them|he|she|its|their)\b", re.IGNORECASE)
_EXPLETIVE = re.compile(
    r"\b(?:(?:is|was|will|would) it (?:be )?(?:\w+ly )?(?:possible|safe|necessary|worth|ok|okay|better|required|needed|"
    r"mandatory|legal|common|normal|true|likely|enough|important|recommended)"
    r"|does it (?:take|cost|matter|mean)|(?:it|they) (?:is|are) (?:possible|necessary))\b",
    re.IGNORECASE,
)
_ASKED_IN_FULL = frozenset({"question", "how-to", "definition", "comparison"})
_ENOUGH_WORDS = 3
"""Fewer content words meet in a sentence without its answering anything."""


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
        return len(self.clusters_with_all(query)) > most


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


def leans_on_its_passage(candidate: Candidate, chunk: Chunk) -> bool:
    """Whether somebody who has not seen the passage would have to ask back: "Which one fits?", "what does it do"."""
    if not chunk.is_english or candidate.style not in _ASKED_IN_FULL:
        return False
    query = candidate.query
    if _POINTING.search(query) or _THIS.search(query) or _UNSAID.search(query):
        return True
    told = content_words(query)
    if len(told) >= 2:
        named_before = re.split(_PRONOUN, query, maxsplit=1)[0]
        return bool(_PRONOUN.search(query)) and not _EXPLETIVE.search(query) and not content_words(named_before)
    # "How do I restore?": what is done is said, to what is not.
    return not told or is_verb(told[0]) or base_of_gerund(told[0]) is not None


def is_anchored(candidate: Candidate, chunk: Chunk, site: SiteWords) -> bool:
    """Whether a question names which part of the site it is about.

    "What is the timeout" or "what should I do if the restore fails" fits anywhere, and so does "how do I work with the
    results", be it the heading of its passage.
    """
    is_judged = chunk.is_english and candidate.style in _ASKED_IN_FULL
    return not is_judged or site.tells_what_is_meant(candidate.query, chunk)


def said_elsewhere(
    candidate: Candidate, chunks: Mapping[str, Chunk], clusters: Mapping[str, Sequence[str]], site: SiteWords
) -> tuple[str, ...]:
    """Chunks of other near-duplicate clusters with one sentence that has all content words of the question.

    The product's name, which stands everywhere, may be in another sentence of the passage.
    Such a sentence states what a statement that became a question stated. What a heading or definition is about is
    mentioned in many sentences that explain nothing, so those have no other answers. `clusters` are the chunks of every
    near-duplicate cluster, of which one is looked at.
    """
    asked = {name for word in content_words(candidate.query) if not site.is_everywhere(name := stem(word))}
    if candidate.style != "question" or len(asked) < _ENOUGH_WORDS:
        return ()
    if asks_for_a_heading(candidate.query, chunks[candidate.chunk_id]):
        return ()
    own = chunks[candidate.chunk_id].cluster_id
    return tuple(
        clusters[cluster][0]
        for cluster in sorted(site.clusters_with_all(candidate.query) - {own})
        if any(asked <= _stems(sentence) for sentence in pieces(chunks[clusters[cluster][0]].text))
    )


def _stems(sentence: str) -> set[str]:
    return {stem(word) for word in words(sentence.lower())}
