"""Queries without a language model: from what a page offers itself.

Titles and headings, questions that the page asks, instructions, definitions, table rows, error messages, statements
turned into questions, sentences without some of their words, and distinctive words. Deterministic. The rules that need
grammar only fire on English; titles, tables, claims, clozes and keywords work in any language that puts spaces between
its words.
"""

import logging
import re
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from acronis_pipeline.core.hashing import digest
from acronis_pipeline.pairs.english import as_typed, is_balanced, names_in, pick
from acronis_pipeline.pairs.generator import Candidate, Chunk, Generation, Generator
from acronis_pipeline.pairs.generators import headings, rewriting, salience, tables
from acronis_pipeline.pairs.generators.headings import in_context, is_topic
from acronis_pipeline.pairs.sentences import (
    Parts,
    TextBlock,
    is_left_to_others,
    is_whole,
    parse,
    reads_like_prose,
    says_no_to,
    sentences,
    stands_alone,
)
from acronis_pipeline.pairs.site_words import is_name_of_something
from acronis_pipeline.pairs.words import condensed, content_words, is_spaceless, overlap, words

VERSION = "4"
"""Raise it when the rules change: every chunk is then asked again."""

_log = logging.getLogger(__name__)
_SECTION_CHUNKS = 3
"""Chunks of one section that its heading points to; more would make the heading ambiguous."""
_TEMPLATE_PAGES = 2
"""A heading that stands on more pages ("User interface" of every destination) does not tell which one is meant."""
_CLOZES = 4
"""Sentences of a chunk that are offered as cloze queries."""
_CLOZE_WORDS = 3
"""Fewer content words are the rest of a sentence that said little."""
_ALIKE = 0.75
"""Queries of one chunk whose content words overlap this much (Jaccard) say the same."""


_TO_THE_READER = re.compile(
    r"(?:did|do|have|are|were|would|will|can|could|should|is|does|need|want|looking|ready|why not) (?:you|your)\b"
    r"|(?:looking|need|want|ready|got|why not)\b",
    re.IGNORECASE,
)


class Offer(NamedTuple):
    """A query that a chunk could be asked; `removed` is as in `Candidate`."""

    query: str
    style: str
    removed: str = ""


class StructuralGenerator(Generator):
    """The embedded generator.

    Parameters
    ----------
    corpus
        Every chunk, new or not: keywords are weighed against all of them.
    max_per_chunk
        Most queries made from one chunk, spread over the styles.
    styles
        Weight of every style that is made.
    """

    name = "structural"

    def __init__(self, corpus: Sequence[Chunk], max_per_chunk: int, styles: Mapping[str, float]) -> None:
        self._max_per_chunk = max_per_chunk
        self._styles = {style: float(weight) for style, weight in styles.items() if weight > 0}
        self.prompt_hash = digest(self.name, VERSION, str(max_per_chunk), repr(sorted(self._styles.items())))[:16]
        texts: dict[str, list[str]] = defaultdict(list)
        sections: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
        for chunk in corpus:
            texts[chunk.url].append(chunk.passage)
            sections[chunk.url, chunk.heading_path].append(chunk.chunk_id)
        self._weights = salience.TermWeights(" ".join(parts) for parts in texts.values())
        self._part_of_section = {
            chunk_id: part for members in sections.values() for part, chunk_id in enumerate(members)
        }
        self._site = headings.site_names({chunk.url: chunk.title for chunk in corpus}.values())
        on_pages = Counter(heading for _, heading in {(c.url, heading) for c in corpus for heading in c.heading_path})
        self._template = frozenset(heading for heading, n_pages in on_pages.items() if n_pages > _TEMPLATE_PAGES)

    def generate(self, chunks: Sequence[Chunk]) -> Generation:
        """Candidates of `chunks`; a chunk that offers nothing is counted as `nothing to ask`."""
        started = time.monotonic()
        candidates: list[Candidate] = []
        silent = 0
        for done, chunk in enumerate(chunks, 1):
            queries = self.queries(chunk)
            silent += not queries
            candidates += [
                Candidate(query, chunk.chunk_id, style, self.name, self.prompt_hash, removed=removed)
                for query, style, removed in queries
            ]
            if done % 2_000 == 0:
                rate = done / (time.monotonic() - started)
                _log.info("questions for %d of %d chunks, %.0f/s", done, len(chunks), rate)
        return Generation(tuple(candidates), {"nothing to ask": silent} if silent else {})

    def queries(self, chunk: Chunk) -> list[Offer]:
        """At most `max_per_chunk` queries of one chunk, as different from each other as it allows."""
        if is_spaceless(chunk.text):
            found = list(self._from_headings(chunk))
            return choose([Offer(query, style) for query, style in found], self._max_per_chunk, self._styles)
        parts = parse(chunk.text)
        found = [
            *self._from_headings(chunk),
            *self._from_questions(chunk, parts),
            *self._from_sentences(chunk, parts),
            *self._from_tables(chunk, parts),
            *self._from_words(chunk, parts),
        ]
        offers = [Offer(query.strip(), style) for query, style in found] + self._clozes(chunk, parts)
        return choose(offers, self._max_per_chunk, self._styles)

    def _topic(self, nearest_first: Sequence[str]) -> str:
        """The nearest heading that names what a question is about: "Selecting machines" of any kind does not."""
        return self._first_telling([h for h in nearest_first if self._names_a_topic(h)] or nearest_first)

    def _names_a_topic(self, heading: str) -> bool:
        named = {word.lower() for word in words(heading) if is_name_of_something(word)}
        return is_topic(heading) and (len(named) >= 2 or any(self._weights.is_rare(word) for word in named))

    def _first_telling(self, nearest_first: Sequence[str]) -> str:
        for heading in nearest_first:
            cleaned = headings.clean(heading, self._site)
            if not headings.is_generic(cleaned) and heading not in self._template:
                return cleaned
        return ""

    def _from_headings(self, chunk: Chunk) -> Iterator[tuple[str, str]]:
        if self._part_of_section.get(chunk.chunk_id, 0) >= _SECTION_CHUNKS:
            return
        own = headings.clean(chunk.heading_path[-1] if chunk.heading_path else chunk.title, self._site)
        if chunk.is_english and headings.is_question(own):
            if asked := in_context(own, self._first_telling(_headings_above(chunk)), self._is_particular, few=1):
                yield asked, headings.question_style(own)
            return
        if own.endswith("?") and len(words(own)) >= 2:
            yield own, "question"
            return
        if chunk.is_english and (question := self._instruction(own, chunk)):
            yield as_typed(question), "how-to"
        for query in headings.title_queries(chunk.title, chunk.heading_path, self._site):
            yield query, "title"
        if trail := headings.breadcrumb_query(chunk.title, chunk.heading_path, self._site):
            yield trail, "breadcrumb"

    def _instruction(self, heading: str, chunk: Chunk) -> str | None:
        """How to do what a heading names, unless its passage says that it cannot be done, or sends elsewhere."""
        question = headings.how_to_question(heading, self._first_telling(_headings_above(chunk)))
        if not question or says_no_to(heading, chunk.text) or is_left_to_others(chunk.text):
            return None
        topic = self._topic(_headings_above(chunk))
        return in_context(question, topic, self._is_particular, few=2) if topic else question

    def _from_questions(self, chunk: Chunk, parts: Parts) -> Iterator[tuple[str, str]]:
        """Questions in the text: FAQ entries that are no headings, headings inside the chunk, bold lines."""
        for block in parts.blocks:
            text = headings.clean(block.text)
            is_own = block.kind in {"heading", "term"} or block.all_bold or block.text.endswith("?")
            if not is_own or not 3 <= len(words(text)) <= 25 or not reads_like_prose(text):
                continue
            if text.endswith("?") and text.count(". ") == 0 and "?" not in text[:-1]:
                if chunk.is_english and not _is_asked_by_visitors(text, block):
                    continue
                yield text, headings.question_style(text) if chunk.is_english else "question"
            elif chunk.is_english and block.kind == "heading" and (question := headings.how_to_question(text)):
                yield as_typed(question), "how-to"

    def _from_sentences(self, chunk: Chunk, parts: Parts) -> Iterator[tuple[str, str]]:
        if not chunk.is_english:
            return
        names, topic = names_in(chunk.passage), self._topic(_headings(chunk))
        for sentence in self._whole_sentences(parts.blocks):
            for question in rewriting.questions(sentence, names):
                if asked := in_context(question.query, topic, self._is_particular):
                    yield as_typed(asked), question.style

    def _is_particular(self, word: str) -> bool:
        return self._weights.is_rare(word) and is_name_of_something(word)

    def _from_tables(self, chunk: Chunk, parts: Parts) -> Iterator[tuple[str, str]]:
        context = self._first_telling(_headings(chunk))
        yield from sorted(tables.table_queries(parts.rows, context), key=lambda found: digest(found[0]))
        yield from tables.term_queries(parts.blocks, context)
        if chunk.is_english:
            for message in tables.error_queries(parts.blocks):
                yield message, "error"

    def _from_words(self, chunk: Chunk, parts: Parts) -> Iterator[tuple[str, str]]:
        whole = self._whole_sentences(parts.blocks) if chunk.is_english else self._any_sentences(parts)
        ranked = sorted(whole, key=lambda sentence: -salience.distinctiveness(sentence, self._weights))
        for sentence in ranked[:3]:
            if condensed := salience.claim(sentence, self._weights):
                yield condensed, "claim"
        text = " ".join(block.text for block in parts.blocks) or chunk.text
        n_words = int(pick(chunk.chunk_id, "3", "4", "5"))
        if len(content_words(text)) >= 12:
            context = self._first_telling(_headings(chunk))
            if query := salience.keyword_query(context, text, self._weights, n_words):
                yield query, "keyword"
            if query := salience.phrase_query(text, self._weights):
                yield query, "keyword"

    def _clozes(self, chunk: Chunk, parts: Parts) -> list[Offer]:
        """Sentences without a part of their words, as customers would have them, whatever the language.

        The choice is by hash: those that say most would all be of one kind.
        """
        whole = sorted(dict.fromkeys(self._any_sentences(parts)), key=lambda sentence: digest(chunk.chunk_id, sentence))
        offers = [
            Offer(condensed(sentence).lower(), "cloze", sentence if sentence in chunk.passage else "")
            for sentence in whole[:_CLOZES]
        ]
        return [offer for offer in offers if len(content_words(offer.query)) >= _CLOZE_WORDS]

    def _whole_sentences(self, blocks: tuple[TextBlock, ...]) -> list[str]:
        """Sentences that stand alone, most distinctive first."""
        found = [sentence for sentence in _sentences(blocks) if stands_alone(sentence)]
        return sorted(found, key=lambda sentence: -salience.distinctiveness(sentence, self._weights))

    def _any_sentences(self, parts: Parts) -> list[str]:
        found = _sentences(parts.blocks)
        return [s for s in found if 6 <= len(words(s)) <= 40 and is_whole(s) and reads_like_prose(s)]


def _headings(chunk: Chunk) -> tuple[str, ...]:
    """Headings and title, the nearest first."""
    return (*reversed(chunk.heading_path), chunk.title)


def _headings_above(chunk: Chunk) -> tuple[str, ...]:
    """Those above the chunk's own."""
    return _headings(chunk)[1:] if chunk.heading_path else ()


def _sentences(blocks: Sequence[TextBlock]) -> Iterator[str]:
    return (sentence for block in blocks if block.kind != "heading" for sentence in sentences(block))


def _is_asked_by_visitors(question: str, block: TextBlock) -> bool:
    """Whether a question in a text is one of its readers rather than one to them, or an example's."""
    if block.kind in {"heading", "term"} or block.all_bold:
        return is_balanced(question)
    return not _TO_THE_READER.match(question) and not re.search(r"[\"“”]", question)


def choose(offers: Sequence[Offer], limit: int, weights: Mapping[str, float]) -> list[Offer]:
    """At most `limit` of a chunk's offers: the styles take turns by weight, and no two say the same.

    A style's turn comes when it has had least for its weight, so weights are shares where every style has enough to
    offer. Among equals and within a style the order of `weights` and `offers` counts: the same offers always give the
    same choice.
    """
    waiting: dict[str, deque[Offer]] = {style: deque() for style in weights}
    for offer in offers:
        if offer.style in waiting and len(words(offer.query)) >= 2:
            waiting[offer.style].append(offer)
    chosen: list[Offer] = []
    taken = dict.fromkeys(weights, 0)
    while len(chosen) < limit and any(waiting.values()):
        style = min((s for s in weights if waiting[s]), key=lambda s: (taken[s] + 1) / weights[s])
        offer = waiting[style].popleft()
        if not any(overlap(offer.query, other.query) >= _ALIKE for other in chosen):
            chosen.append(offer)
            taken[style] += 1
    return chosen
