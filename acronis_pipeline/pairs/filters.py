"""Whether a query is written in the language of its passage.

Short queries defeat language identifiers, so a query is only refused where the evidence is plain: another script, or a
whole sentence that a detector gives to another language.

Which candidates become pairs: every refusal has a reason, and a rejected pair stays in the table with it.
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from acronis_pipeline.pairs.generator import Candidate, Chunk
from acronis_pipeline.pairs.generators.headings import is_generic
from acronis_pipeline.pairs.site_words import SiteWords, is_anchored, leans_on_its_passage, said_elsewhere
from acronis_pipeline.pairs.words import content_words, copy_rate, normalise, same_question_key, words

_SENTENCE_WORDS = 7
_LETTERS = 40
_MARGIN = 10.0
"""Log-probability by which another language must beat the passage's: names of products tip a short query by less."""
_SHARED = 0.5
"""A query that takes this share of its words from the passage is in its language, whatever it looks like."""


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


MIN_WORDS, MAX_WORDS = 2, 40
_FROM_THE_PAGE = frozenset({"structural", "link_texts"})
"""Generators whose queries are made of the site's own words: their language needs no look."""
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


@dataclass(frozen=True)
class Verdict:
    """A candidate with what became of it; `reason` is None for a kept pair."""

    candidate: Candidate
    chunk_ids: tuple[str, ...]
    split: str
    copy_rate: float
    reason: str | None
    scores: Mapping[str, float] = field(default_factory=dict)


def judge(
    candidates: Sequence[Candidate],
    chunks: Mapping[str, Chunk],
    splits: Mapping[str, str],
    benched: frozenset[str],
    max_copy_rate: float,
    gold_questions: frozenset[str] = frozenset(),
    max_answering_clusters: int = 3,
) -> list[Verdict]:
    """A verdict on every candidate, in their order.

    Parameters
    ----------
    candidates
        With distinct `pair_id`, all made from `chunks`.
    splits
        Split of every page.
    benched
        Pages whose pairs are not used (`splits.benched`).
    gold_questions
        Questions by people, normalised (`words.normalise`): they are evaluated on, so no pair may ask the same.
    max_answering_clusters
        A query that more near-duplicate clusters answer is ambiguous.
    """
    clusters: dict[str, list[str]] = defaultdict(list)
    for chunk in chunks.values():
        if chunk.url not in benched:
            clusters[chunk.cluster_id].append(chunk.chunk_id)
    copied = [copy_rate(candidate.query, chunks[candidate.chunk_id].passage) for candidate in candidates]
    reasons: list[str | None] = [
        HELD_OUT
        if chunks[candidate.chunk_id].url in benched
        else ASKED_BY_PEOPLE
        if normalise(candidate.query) in gold_questions
        else _own_fault(candidate, chunks[candidate.chunk_id], rate, max_copy_rate)
        for candidate, rate in zip(candidates, copied, strict=True)
    ]
    own_split = [splits[chunks[candidate.chunk_id].url] for candidate in candidates]
    site = SiteWords(
        (chunk for chunk in chunks.values() if chunk.url not in benched),
        (
            candidate.query
            for candidate, reason in zip(candidates, reasons, strict=True)
            if reason is None and candidate.style in REWORDED
        ),
    )
    _refuse_what_could_mean_many(candidates, chunks, site, own_split, reasons, max_answering_clusters)
    # What came as rejected stays so. Until here it counts among the site's questions, as it did where it was made.
    reasons = [candidate.rejected or reason for candidate, reason in zip(candidates, reasons, strict=True)]
    others = [
        said_elsewhere(candidate, chunks, clusters, site)
        if reason is None and split in _ALLOWED and candidate.generator != "imported"
        else ()
        for candidate, split, reason in zip(candidates, own_split, reasons, strict=True)
    ]
    reasons = [
        AMBIGUOUS if len(more) >= max_answering_clusters else reason
        for more, reason in zip(others, reasons, strict=True)
    ]
    gold: list[tuple[str, ...]] = [
        tuple(dict.fromkeys((*first, *(twin for chunk_id in first for twin in clusters[chunks[chunk_id].cluster_id]))))
        for first in (
            (candidate.chunk_id, *candidate.also, *more) for candidate, more in zip(candidates, others, strict=True)
        )
    ]
    for asked in _same_question(candidates, reasons).values():
        _merge(asked, candidates, chunks, gold, reasons, max_answering_clusters)
    for index, reason in enumerate(reasons):
        if reason is None and len({splits[chunks[chunk_id].url] for chunk_id in gold[index]}) > 1:
            reasons[index] = CROSSES_SPLITS
    _keep_evaluation_honest(candidates, chunks, own_split, reasons)
    return [Verdict(*row) for row in zip(candidates, gold, own_split, copied, reasons, strict=True)]


def _own_fault(candidate: Candidate, chunk: Chunk, rate: float, max_copy_rate: float) -> str | None:
    """What is wrong with a candidate by itself."""
    n_words = len(words(candidate.query))
    if n_words < MIN_WORDS:
        return TOO_SHORT
    if n_words > MAX_WORDS:
        return TOO_LONG
    if is_generic(candidate.query):
        return GENERIC
    if candidate.generator not in _FROM_THE_PAGE and is_foreign(candidate.query, chunk.passage, chunk.language):
        return FOREIGN
    if leans_on_its_passage(candidate, chunk):
        return NOT_STANDALONE
    if n_words >= LONG_QUERY_WORDS and rate > max_copy_rate and not _is_the_authors_own(candidate, chunk):
        return COPIED
    return None


def _refuse_what_could_mean_many(
    candidates: Sequence[Candidate],
    chunks: Mapping[str, Chunk],
    site: SiteWords,
    own_split: Sequence[str],
    reasons: list[str | None],
    max_answering_clusters: int,
) -> None:
    """Refuse questions that many passages could be meant by, and evaluated ones that name nothing in particular.

    People's own questions stand as they were asked; imported ones that a generator made do not.
    """
    standing = [
        index
        for index, candidate in enumerate(candidates)
        if reasons[index] is None and candidate.generator != "imported" and candidate.style in REWORDED
    ]
    for index in standing:
        candidate, chunk = candidates[index], chunks[candidates[index].chunk_id]
        n_told = len(set(content_words(candidate.query)))
        could_mean_many = n_told == 0 or site.answered_by_more_than(max_answering_clusters, candidate.query, chunk)
        if could_mean_many and 0 < n_told <= _SHORT_QUERY_WORDS:
            reasons[index] = AMBIGUOUS
        elif own_split[index] in _ALLOWED and not is_anchored(candidate, chunk, site):
            reasons[index] = NOT_STANDALONE


def _is_the_authors_own(candidate: Candidate, chunk: Chunk) -> bool:
    """A heading or FAQ question stands in its passage because it is its heading; people wrote it to be asked."""
    query = normalise(candidate.query)
    in_headings = any(query in normalise(heading) for heading in (chunk.title, *chunk.heading_path))
    in_text = candidate.query.endswith("?") and candidate.query in chunk.text
    return candidate.style == "title" or in_headings or in_text


def _same_question(candidates: Sequence[Candidate], reasons: Sequence[str | None]) -> dict[str, list[int]]:
    """Indices of the still unrejected candidates that ask the same in other forms or order, best style first."""
    asked: dict[str, list[int]] = defaultdict(list)
    for index, candidate in enumerate(candidates):
        if reasons[index] is None:
            asked[same_question_key(candidate.query)].append(index)
    for indices in asked.values():
        indices.sort(key=lambda i: (_STYLE_RANK.get(candidates[i].style, 99), candidates[i].pair_id))
    return asked


def _merge(
    asked: list[int],
    candidates: Sequence[Candidate],
    chunks: Mapping[str, Chunk],
    gold: list[tuple[str, ...]],
    reasons: list[str | None],
    max_answering_clusters: int,
) -> None:
    """One pair with every passage that answers the question, or none if too many do."""
    in_full = [index for index in asked if candidates[index].style in REWORDED]
    # A page's breadcrumbs may all come to the words of its one question; they do not make it ambiguous.
    for standing in (asked, in_full):
        answering = {chunks[candidates[index].chunk_id].cluster_id for index in standing}
        if 0 < len(answering) <= max_answering_clusters:
            break
    else:
        standing = []
    for index in set(asked) - set(standing):
        reasons[index] = AMBIGUOUS
    if not standing:
        return
    first, *others = standing
    gold[first] = tuple(dict.fromkeys(chunk_id for index in standing for chunk_id in gold[index]))
    for index in others:
        reasons[index] = MERGED


def _keep_evaluation_honest(
    candidates: Sequence[Candidate], chunks: Mapping[str, Chunk], own_split: Sequence[str], reasons: list[str | None]
) -> None:
    """Drop a style that its split does not evaluate on (see `REWORDED`).

    It stays on pages that offer no allowed one because there are no rules for their language, or, in English, as long
    as the split has too few.
    """
    served: set[str] = set()
    n_allowed: Counter[str] = Counter()
    for candidate, split, reason in zip(candidates, own_split, reasons, strict=True):
        if reason is None and candidate.style in _ALLOWED.get(split, frozenset()):
            served.add(chunks[candidate.chunk_id].url)
            n_allowed[split] += 1
    for index, (candidate, split) in enumerate(zip(candidates, own_split, strict=True)):
        if reasons[index] is not None or split not in _ALLOWED or candidate.style in _ALLOWED[split]:
            continue
        chunk = chunks[candidate.chunk_id]
        if chunk.url in served or (chunk.is_english and n_allowed[split] >= _ENOUGH_QUERIES):
            reasons[index] = NOT_TESTED_ON
