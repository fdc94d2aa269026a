"""Whether a query says by itself what it is about: one that only makes sense beside its passage teaches nothing.

Rules for English; other languages pass. A language model can be asked as well (`pairs.judge`).
"""

import re

from acronis_pipeline.pairs.everyday_words import base_of_gerund, is_verb
from acronis_pipeline.pairs.generator import Candidate, Chunk
from acronis_pipeline.pairs.site_words import SiteWords
from acronis_pipeline.pairs.words import content_words

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
