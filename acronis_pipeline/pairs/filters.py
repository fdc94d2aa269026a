"""Which candidates become pairs: a list of steps over one case object, each with a reason to reject it or none.

Every refusal has a reason, and a rejected pair stays in the table with it.
"""

import logging
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from acronis_pipeline.core.settings import PairSettings
from acronis_pipeline.pairs.generator import Candidate, Chunk
from acronis_pipeline.pairs.generators.headings import is_generic
from acronis_pipeline.pairs.site_words import SiteWords, is_anchored, leans_on_its_passage, said_elsewhere
from acronis_pipeline.pairs.words import content_words, copy_rate, normalise, same_question_key, words

_log = logging.getLogger(__name__)
MIN_WORDS, MAX_WORDS = 2, 40
_FROM_THE_PAGE = frozenset({"structural", "link_texts"})
"""Generators whose queries are made of the page's words: their language needs no look."""
_SHORT_QUERY_WORDS = 3
"""Content words up to which a query is looked for in all passages: more of them rarely meet by chance."""
LONG_QUERY_WORDS = 8
"""Shorter queries are names of things, which a passage about the thing cannot but contain."""

REWORDED = frozenset({"question", "how-to", "definition", "comparison", "error"})
"""Styles worth testing on.

A title, a table's row name, a condensed sentence or keywords are the passage's own words: they teach a model (measured:
queries from headings and sentences raised MRR@10 from .817 to .857 on a product guide), but as test questions they make
word matching unbeatable and tell nothing of how people ask. So the pages of the test split keep only questions, unless
a page offers none (in a language without rewriting rules), where the other styles are better than no test at all.
Validation chooses checkpoints for the same customers and is held to the same rule, but keeps the styles that people
really type: titles, table rows and keywords.
"""
_TYPED = REWORDED | {"title", "breadcrumb", "link", "table", "keyword"}
_ALLOWED = {"test": REWORDED, "validation": _TYPED}
_ENOUGH_QUERIES = 30
"""With so many a split tells models apart, and does without pages that nothing is asked about."""

TOO_SHORT = "too short"
TOO_LONG = "too long"
GENERIC = "generic"
FOREIGN = "not in the language of its passage"
NOT_STANDALONE = "not clear without its passage"
COPIED = "copied from the passage"
AMBIGUOUS = "ambiguous: too many passages answer it"
MERGED = "same question as another pair"
CROSSES_SPLITS = "stands in two splits"
ASKED_BY_PEOPLE = "a gold question, kept for evaluation"
HELD_OUT = "page is a near-duplicate of a page in another split"
NOT_TESTED_ON = "passage's own words, not evaluated on"

_STYLE_RANK = {style: rank for rank, style in enumerate(
    ("question", "how-to", "definition", "error", "comparison", "link", "table", "title", "breadcrumb", "keyword",
     "claim", "paraphrase", "cloze"))}  # fmt: skip

_SENTENCE_WORDS = 7
_LETTERS = 40
_MARGIN = 10.0
"""Log-probability by which another language must beat the passage's: names of products tip a short query by less."""
_SHARED = 0.5
"""A query that takes this share of its words from the passage is in its language, whatever it looks like."""


@dataclass(frozen=True)
class Site:
    """What the cases of a corpus are judged by together.

    Pages that are `held_out` neither ask nor answer (`splits.held_out`). What people ask, `gold_questions`, is
    evaluated on, so no pair may ask the same; it is normalised (`words.normalise`). `queries` are those of all
    candidates.
    """

    chunks: Mapping[str, Chunk]
    splits: Mapping[str, str]
    options: PairSettings
    held_out: frozenset[str] = frozenset()
    gold_questions: frozenset[str] = frozenset()
    queries: tuple[str, ...] = ()

    @cached_property
    def clusters(self) -> dict[str, list[str]]:
        """The chunks of every near-duplicate cluster."""
        found: dict[str, list[str]] = defaultdict(list)
        for chunk in self._answering():
            found[chunk.cluster_id].append(chunk.chunk_id)
        return dict(found)

    @cached_property
    def words(self) -> SiteWords:
        return SiteWords(self._answering(), self.queries)

    def with_twins(self, chunk_ids: Iterable[str]) -> tuple[str, ...]:
        """The chunks and their near-duplicates."""
        first = tuple(chunk_ids)
        twins = (twin for chunk_id in first for twin in self.clusters.get(self.chunks[chunk_id].cluster_id, ()))
        return tuple(dict.fromkeys((*first, *twins)))

    def _answering(self) -> Iterable[Chunk]:
        return (chunk for chunk in self.chunks.values() if chunk.url not in self.held_out)


@dataclass(eq=False)
class Case:
    """A candidate on its way through the steps: kept as long as there is no `reason`.

    `chunk_ids` are its gold passages; `scores` is what steps measured on it.
    """

    candidate: Candidate
    site: Site
    chunk: Chunk = field(init=False)
    split: str = field(init=False)
    copy_rate: float = field(init=False)
    chunk_ids: tuple[str, ...] = field(init=False)
    reason: str | None = None
    scores: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.chunk = self.site.chunks[self.candidate.chunk_id]
        self.split = self.site.splits[self.chunk.url]
        self.copy_rate = copy_rate(self.candidate.query, self.chunk.passage)
        self.chunk_ids = self.site.with_twins((self.candidate.chunk_id, *self.candidate.also))

    @property
    def is_asked_in_full(self) -> bool:
        """Whether it is a generator's question as people ask it; what people themselves asked stands as it is."""
        return self.candidate.generator != "imported" and self.candidate.style in REWORDED


Refusals = Iterable[tuple[Case, str]]


class Step(NamedTuple):
    """`refusals` takes the cases that still stand, and gives those to reject with the reason."""

    name: str
    refusals: Callable[[Sequence[Case]], Refusals]


def judged(candidates: Sequence[Candidate], site: Site, steps: Sequence[Step] | None = None) -> list[Case]:
    """A case for every candidate, in their order, with a reason if one of the steps (by default all) rejects it.

    `candidates` have distinct `pair_id` and are made from the site's chunks. What came as rejected counts among the
    site's questions, as it did where it was made, and keeps the reason that it came with.
    """
    cases = [Case(candidate, site) for candidate in candidates]
    for step in STEPS if steps is None else steps:
        if not (standing := [case for case in cases if case.reason is None]):
            break
        refused = list(step.refusals(standing))
        for case, reason in refused:
            case.reason = case.candidate.rejected or reason
        _log.debug("%s: %d of %d rejected", step.name, len(refused), len(standing))
    return cases


def _each(name: str, reason: Callable[[Case], str | None]) -> Step:
    """A step that looks at every case by itself."""
    return Step(name, lambda cases: ((case, found) for case in cases if (found := reason(case))))


def _has_no_sensible_length(case: Case) -> str | None:
    n_words = len(words(case.candidate.query))
    if MIN_WORDS <= n_words <= MAX_WORDS:
        return None
    return TOO_SHORT if n_words < MIN_WORDS else TOO_LONG


def _is_in_another_language(case: Case) -> str | None:
    if case.candidate.generator in _FROM_THE_PAGE:
        return None
    return FOREIGN if is_foreign(case.candidate.query, case.chunk.passage, case.chunk.language) else None


def _is_copied(case: Case) -> str | None:
    is_long = len(words(case.candidate.query)) >= LONG_QUERY_WORDS
    if not is_long or case.copy_rate <= case.site.options.max_copy_rate or _is_the_authors_own(case):
        return None
    return COPIED


def _is_the_authors_own(case: Case) -> bool:
    """A heading or FAQ question stands in its passage because it is its heading; people wrote it to be asked."""
    query, chunk = normalise(case.candidate.query), case.chunk
    in_headings = any(query in normalise(heading) for heading in (chunk.title, *chunk.heading_path))
    in_text = case.candidate.query.endswith("?") and case.candidate.query in chunk.text
    return case.candidate.style == "title" or in_headings or in_text


def _could_mean_many(case: Case) -> str | None:
    """A short question that many passages could be meant by."""
    query, most = case.candidate.query, case.site.options.max_answering_clusters
    if not case.is_asked_in_full or not 0 < len(set(content_words(query))) <= _SHORT_QUERY_WORDS:
        return None
    return AMBIGUOUS if case.site.words.answered_by_more_than(most, query, case.chunk) else None


def _names_nothing_in_particular(case: Case) -> str | None:
    """An evaluated question that fits anywhere on the site."""
    if not case.is_asked_in_full or case.split not in _ALLOWED:
        return None
    return None if is_anchored(case.candidate, case.chunk, case.site.words) else NOT_STANDALONE


def _is_answered_elsewhere(case: Case) -> str | None:
    """Makes passages that say the same as its own gold too; none if they are too many."""
    if case.split not in _ALLOWED or case.candidate.generator == "imported":
        return None
    site, candidate = case.site, case.candidate
    more = said_elsewhere(candidate, site.chunks, site.clusters, site.words)
    case.chunk_ids = site.with_twins((candidate.chunk_id, *candidate.also, *more))
    return AMBIGUOUS if len(more) >= site.options.max_answering_clusters else None


def _same_questions(cases: Sequence[Case]) -> Refusals:
    """One pair with every passage that answers a question, or none if too many do."""
    asked: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        asked[same_question_key(case.candidate.query)].append(case)
    for alike in asked.values():
        alike.sort(key=lambda case: (_STYLE_RANK.get(case.candidate.style, 99), case.candidate.pair_id))
        standing = _answered_by_few(alike)
        yield from ((case, AMBIGUOUS) for case in alike if case not in standing)
        if standing:
            standing[0].chunk_ids = tuple(dict.fromkeys(chunk_id for case in standing for chunk_id in case.chunk_ids))
            yield from ((case, MERGED) for case in standing[1:])


def _answered_by_few(alike: list[Case]) -> list[Case]:
    in_full = [case for case in alike if case.candidate.style in REWORDED]
    # A page's breadcrumbs may all come to the words of its one question; they do not make it ambiguous.
    for standing in (alike, in_full):
        answering = {case.chunk.cluster_id for case in standing}
        if 0 < len(answering) <= alike[0].site.options.max_answering_clusters:
            return standing
    return []


def _crosses_splits(case: Case) -> str | None:
    site = case.site
    standing = {site.splits[site.chunks[chunk_id].url] for chunk_id in case.chunk_ids}
    return CROSSES_SPLITS if len(standing) > 1 else None


def _words_of_the_passage(cases: Sequence[Case]) -> Refusals:
    """Cases of a style that their split does not evaluate on (see `REWORDED`).

    It stays on pages that offer no allowed one because there are no rules for their language, or, in English, as long
    as the split has too few.
    """
    allowed = [case for case in cases if case.candidate.style in _ALLOWED.get(case.split, frozenset())]
    served, n_allowed = {case.chunk.url for case in allowed}, Counter(case.split for case in allowed)
    for case in cases:
        if case.split not in _ALLOWED or case.candidate.style in _ALLOWED[case.split]:
            continue
        if case.chunk.url in served or (case.chunk.is_english and n_allowed[case.split] >= _ENOUGH_QUERIES):
            yield case, NOT_TESTED_ON


STEPS = (
    _each("page held out", lambda case: HELD_OUT if case.chunk.url in case.site.held_out else None),
    _each(
        "gold question",
        lambda case: ASKED_BY_PEOPLE if normalise(case.candidate.query) in case.site.gold_questions else None,
    ),
    _each("length", _has_no_sensible_length),
    _each("generic", lambda case: GENERIC if is_generic(case.candidate.query) else None),
    _each("language", _is_in_another_language),
    _each("standalone", lambda case: NOT_STANDALONE if leans_on_its_passage(case.candidate, case.chunk) else None),
    _each("copied", _is_copied),
    _each("ambiguous", _could_mean_many),
    _each("anchored", _names_nothing_in_particular),
    _each("imported as rejected", lambda case: case.candidate.rejected),
    _each("answered elsewhere", _is_answered_elsewhere),
    Step("same question", _same_questions),
    _each("crosses splits", _crosses_splits),
    Step("words of the passage", _words_of_the_passage),
)
"""In this order: a case has the first reason that applies, and what is said of several only counts those that stand."""


def is_foreign(query: str, passage: str, language: str) -> bool:
    """Whether `query` is in another language than its passage, whose language is `language` (`en`, `pt-BR` …)."""
    asked = normalise(query).split()
    said = set(normalise(passage).split())
    if not asked or sum(word in said for word in asked) >= _SHARED * len(asked):
        return False
    if _script(query) != _script(passage):
        return True
    if len(words(query)) < _SENTENCE_WORDS or sum(letter.isalpha() for letter in query) < _LETTERS:
        return False
    import py3langid

    scores = {name: float(score) for name, score in py3langid.rank(query)}
    own = {language.lower().split("-")[0], py3langid.classify(passage[:2_000])[0]} & scores.keys()
    return max(scores.values()) - max((scores[name] for name in own), default=float("-inf")) > _MARGIN


def _script(text: str) -> str:
    """Script of most letters: the first word of their Unicode names, kana and Han counted as one."""
    scripts = Counter(unicodedata.name(letter, "").split(" ", 1)[0] for letter in text[:2_000] if letter.isalpha())
    script = scripts.most_common(1)[0][0] if scripts else ""
    return "CJK" if script in {"HIRAGANA", "KATAKANA"} else script
