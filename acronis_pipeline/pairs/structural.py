"""Queries without a language model: from what a page offers itself.

Titles and headings, questions that the page asks, instructions, definitions, table rows, error messages, statements
turned into questions, sentences without some of their words, and distinctive words. Deterministic. The rules that need
grammar only fire on English; titles, tables, claims, clozes and keywords work in any language that puts spaces between
its words.
"""

import logging
import time
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from acronis_pipeline.fingerprint import digest
from acronis_pipeline.pairs import headings, rewriting, salience, tables
from acronis_pipeline.pairs.blocks import Block, Parts, parse
from acronis_pipeline.pairs.everyday_words import is_verb
from acronis_pipeline.pairs.generator import Candidate, Chunk, Generation
from acronis_pipeline.pairs.phrases import as_typed, lower_start, names_in, pick
from acronis_pipeline.pairs.sentences import reads_like_prose, sentences, stands_alone
from acronis_pipeline.pairs.thinning import thinned
from acronis_pipeline.pairs.words import content_words, is_spaceless, overlap, words

VERSION = "2"
"""Raise it when the rules change: every chunk is then asked again."""

_log = logging.getLogger(__name__)
_SECTION_CHUNKS = 3
"""Chunks of one section that its heading points to; more would make the heading ambiguous."""
_CLOZES = 4
"""Sentences of a chunk that are offered as cloze queries."""
_ALIKE = 0.75
"""Queries of one chunk whose content words overlap this much (Jaccard) say the same."""


class Offer(NamedTuple):
    """A query that a chunk could be asked; `removed` is as in `Candidate`."""

    query: str
    style: str
    removed: str = ""


class StructuralGenerator:
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

    def _context(self, chunk: Chunk) -> str:
        """The nearest heading that means something by itself."""
        for heading in (*reversed(chunk.heading_path), chunk.title):
            cleaned = headings.clean(heading, self._site)
            if not headings.is_generic(cleaned):
                return cleaned
        return ""

    def _above(self, chunk: Chunk) -> str:
        """The nearest heading above the chunk's own that means something by itself."""
        for heading in (*reversed(chunk.heading_path[:-1]), chunk.title) if chunk.heading_path else ():
            cleaned = headings.clean(heading, self._site)
            if not headings.is_generic(cleaned):
                return cleaned
        return ""

    def _from_headings(self, chunk: Chunk) -> Iterator[tuple[str, str]]:
        if self._part_of_section.get(chunk.chunk_id, 0) >= _SECTION_CHUNKS:
            return
        own = headings.clean(chunk.heading_path[-1] if chunk.heading_path else chunk.title, self._site)
        if chunk.is_english and headings.is_question(own):
            yield in_context(own, self._above(chunk), few=1), headings.question_style(own)
            return
        if own.endswith("?") and len(words(own)) >= 2:
            yield own, "question"
            return
        if chunk.is_english and (question := headings.how_to_question(own, self._above(chunk))):
            yield as_typed(question), "how-to"
        for query in headings.title_queries(chunk.title, chunk.heading_path, self._site):
            yield query, "title"
        if trail := headings.breadcrumb_query(chunk.title, chunk.heading_path, self._site):
            yield trail, "breadcrumb"

    def _from_questions(self, chunk: Chunk, parts: Parts) -> Iterator[tuple[str, str]]:
        """Questions in the text: FAQ entries that are no headings, headings inside the chunk, bold lines."""
        for block in parts.blocks:
            text = headings.clean(block.text)
            is_own = block.kind in {"heading", "term"} or block.all_bold or block.text.endswith("?")
            if not is_own or not 3 <= len(words(text)) <= 25 or not reads_like_prose(text):
                continue
            if text.endswith("?") and text.count(". ") == 0 and "?" not in text[:-1]:
                yield text, headings.question_style(text) if chunk.is_english else "question"
            elif chunk.is_english and block.kind == "heading" and (question := headings.how_to_question(text)):
                yield as_typed(question), "how-to"

    def _from_sentences(self, chunk: Chunk, parts: Parts) -> Iterator[tuple[str, str]]:
        if not chunk.is_english:
            return
        names, context = names_in(chunk.passage), self._context(chunk)
        for sentence in self._whole_sentences(parts.blocks):
            for question in rewriting.questions(sentence, names):
                yield as_typed(in_context(question.query, context)), question.style

    def _from_tables(self, chunk: Chunk, parts: Parts) -> Iterator[tuple[str, str]]:
        context = self._context(chunk)
        rows = sorted(tables.table_queries(parts.rows, context), key=lambda found: digest(found[0]))
        yield from rows
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
            if query := salience.keyword_query(self._context(chunk), text, self._weights, n_words):
                yield query, "keyword"
            if query := salience.phrase_query(text, self._weights):
                yield query, "keyword"

    def _clozes(self, chunk: Chunk, parts: Parts) -> list[Offer]:
        """Sentences without a part of their words, as customers would have them, whatever the language.

        The choice is by hash: those that say most would all be of one kind.
        """
        whole = sorted(dict.fromkeys(self._any_sentences(parts)), key=lambda sentence: digest(chunk.chunk_id, sentence))
        return [
            Offer(thinned(sentence).lower(), "cloze", sentence if sentence in chunk.passage else "")
            for sentence in whole[:_CLOZES]
        ]

    def _whole_sentences(self, blocks: tuple[Block, ...]) -> list[str]:
        """Sentences that stand alone, most distinctive first."""
        found = [
            sentence
            for block in blocks
            if block.kind != "heading"
            for sentence in sentences(block)
            if stands_alone(sentence)
        ]
        return sorted(found, key=lambda sentence: -salience.distinctiveness(sentence, self._weights))

    def _any_sentences(self, parts: Parts) -> list[str]:
        found = [sentence for block in parts.blocks if block.kind != "heading" for sentence in sentences(block)]
        return [s for s in found if 6 <= len(words(s)) <= 40 and reads_like_prose(s)]


def in_context(question: str, context: str, few: int = 3) -> str:
    """A short question with what it is about: "where are attachments stored" on a page about Google Keep.

    A sentence may leave its topic to the heading; a visitor who asks from outside names it. Short is a question of up
    to `few` content words that shares none with the context.
    """
    asked, topic = set(content_words(question)), content_words(context)
    if len(asked) > few or not topic or len(topic) > 4 or asked & set(topic):
        return question
    first = context.split(" ", 1)[0]
    if first.lower().endswith("ing") or is_verb(first) or headings.is_question(context):
        return question
    mark = "?" if question.endswith("?") else ""
    return f"{question.removesuffix('?')} in {lower_start(context, frozenset())}{mark}"


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
