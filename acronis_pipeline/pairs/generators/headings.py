"""Queries from titles and headings, and the heading that a short question needs to be understood from outside.

They are what the authors themselves call a section, and questions that they put as headings.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from acronis_pipeline.pairs.english import (
    as_asker,
    base_of_gerund,
    how_to,
    is_also_a_noun,
    is_balanced,
    is_noun_phrase,
    is_plural,
    is_verb,
    pick,
)
from acronis_pipeline.pairs.words import STOP_WORDS, content_words, normalise, phrase_set, stem, word_set, words

_TOPIC_WORDS = 4
"""A longer heading tells a story of its own."""
_TELLS_OR_ASKS = re.compile(
    r"[?!:;]|^(?:to|how|what|when|why|where|which|if|and|or|with|without|for|in|on|after|before|cannot|can)\b"
    r"|\b(?:it|them|this|that|these|those|your|is|are|was|were|do|does|must|should|will|not)\b",
    re.IGNORECASE,
)
_NUMBERING = re.compile(
    r"^\s*(?:(?:step|chapter|section|part|appendix|q|question|faq)\s*\d*\s*[.:)]\s*|\d+(?:\.\d+)*[.)]?\s+|[#*•]+\s*)",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(r"\s+[|–—:»·-]\s+")
_ASKING = re.compile(
    r"^(?:(?:can|could|does|do|did|is|are|should|will|would|may|must) (?:i|you|we|the|an?|my|your|it|there|\w+s)\b"
    r"|(?:what|how|why|when|where|which \w+|who) (?:can|could|does|do|did|is|are|should|will|would|must|happens)\b"
    r"|how (?:to|long|often|much|many|fast)\b(?! (?:it|they|this)\b)|what (?:to do|if)\b)",
    re.IGNORECASE,
)
"""Without a question mark only the word order tells "What happens when …" from "What you get" and "Is" from a title."""

GENERIC = phrase_set(
    """about|additional information|additional notes|additional resources|advanced|advanced options|advanced settings|
    also see|api|arguments|basic|background|before you begin|before you start|caution|caveats|changelog|clean up|
    cleanup|command|commands|common issues|compatibility|conclusion|configuration|considerations|contents|context|
    custom|default|defaults|definition|description|details|documentation|example|examples|faq|faqs|features|feedback|
    flags|frequently asked questions|further reading|general|general information|get started|getting help|
    getting started|glossary|goals|help|home|how it works|how this works|how to|important|information|input|
    install|installation|introduction|issues|known issues|known limitations|learn more|limitations|links|main|
    miscellaneous|misc|more|more information|motivation|next|next steps|note|notes|notice|options|other|output|
    overview|parameters|preface|preparation|preparing|prerequisite|prerequisites|prior to starting|procedure|
    properties|purpose|questions|quick start|quickstart|reference|references|related|related articles|
    related links|related pages|related topics|remarks|requirements|resources|result|results|sample|samples|scope|
    security|see also|settings|setup|solution|steps|summary|support|supported|syntax|table of contents|terminology|
    terms|tips|to do|tip|troubleshooting|usage|use|use cases|user interface|values|verify|version|warning|
    warnings|welcome|
    what is next|what's new|what's next|whats next|where to go next|why|workaround|working|contact|
    contents of this page|on this page|symptom|symptoms|cause|resolution|answer|answers|question"""
)
"""Headings that say nothing without what stands above them."""

_EMPTY = phrase_set(
    """note|notes|overview|introduction|summary|details|more|more information|see also|next steps|what's next|
    whats next|related|related topics|related articles|related links|related pages|references|description|contents|
    table of contents|feedback|conclusion|general|other|misc|miscellaneous|background|about|home|welcome|main|
    documentation|notice|important|tip|tips|warning|information|context|learn more|links|resources|on this page|
    preface|purpose|scope|result|results|answer|answers|question|questions|faq|faqs|frequently asked questions|
    how it works|how this works"""
)
"""Generic headings that add nothing to what stands above them either."""


_TRANSITIVE = word_set(
    """specify set select choose configure create add define enable disable use delete remove erase exclude include send
    change edit modify protect encrypt assign"""
)
_PREPOSITIONS = word_set("after at before by during for from in on to via when while with without")
_SMALL_WORDS = word_set("a an the and or of to in on at by for from with as into up per your my")
_PARTICLES = frozenset({"", "up", "out", "back", "off", "on", "down"})
"""What a verb may have with it and still lack its object."""
_BREADCRUMB_WORDS = 12
_FEW_WORDS = 2
"""A heading of more content words says enough by itself."""


def in_context(question: str, context: str, is_particular: Callable[[str], bool], few: int = 3) -> str | None:
    """A short question with what it is about: "Google Keep: where are attachments stored".

    A sentence may leave its topic to the heading; a visitor who asks from outside names it. It goes before the
    question, which stays a sentence whatever form the heading has. Short is a question of up to `few` content words
    that does not name the topic. None where the context is no topic and none of the question's words `is_particular`
    either: nobody could tell what is asked for.
    """
    asked = content_words(question)
    if len(set(asked)) > few or _is_told(question, context, is_particular):
        return question
    if is_topic(context):
        return f"{context}: {question[:1].lower()}{question[1:]}"
    return question if any(is_particular(word) for word in asked) else None


def is_topic(heading: str) -> bool:
    """Whether a heading can stand before a question as what it is about: no question, instruction or sentence."""
    head = heading.split(" ", 1)[0]
    is_instruction = is_verb(head) and not is_also_a_noun(head)
    is_short = 0 < len(content_words(heading)) <= _TOPIC_WORDS
    return is_short and not is_instruction and not _TELLS_OR_ASKS.search(heading) and is_balanced(heading)


def _is_told(question: str, context: str, is_particular: Callable[[str], bool]) -> bool:
    """Whether the question names its context: by a word that few pages have, by several, or by its only one.

    "BackupLocation" names "Backup location" as well.
    """
    asked, topic = ({stem(word): word for word in content_words(text)} for text in (question, context))
    shared = asked.keys() & topic.keys()
    run_together = re.sub(r"\W", "", context).lower()
    return (
        len(shared) >= min(2, len(topic) or 1)
        or any(is_particular(asked[word]) for word in shared)
        or (run_together != "" and run_together in question.lower())
    )


def site_names(titles: Iterable[str]) -> frozenset[str]:
    """Title segments that so many pages share that they name the site ("Retention – Acme Docs")."""
    titles = list(titles)
    segments = Counter(segment for title in set(titles) for segment in set(_SEPARATOR.split(title)[1:]))
    return frozenset(segment for segment, n in segments.items() if n >= max(3, 0.3 * len(set(titles))))


def clean(heading: str, site: frozenset[str] = frozenset()) -> str:
    """A heading without numbering, anchor signs, markup and the site's name."""
    parts = [part for part in _SEPARATOR.split(heading) if part not in site]
    text = heading if len(parts) == len(_SEPARATOR.split(heading)) else " ".join(parts)
    text = re.sub(r"[`*¶]|\s#+$|\[(?:edit|link)\]", "", text)
    return re.sub(r"\s+", " ", _NUMBERING.sub("", text)).strip(" .:-–—\u200b")


def is_generic(heading: str) -> bool:
    """Whether a heading means nothing by itself."""
    text = normalise(heading)
    empty = GENERIC | STOP_WORDS
    return text in GENERIC or text.replace(" ", "").isdigit() or all(word in empty for word in text.split())


def is_question(heading: str) -> bool:
    """Whether a heading is a question as it stands, with or without its mark."""
    return len(words(heading)) >= 3 and (heading.endswith("?") or bool(_ASKING.match(heading)))


def question_style(question: str) -> str:
    """The style of a question that a page asks itself."""
    text = normalise(question)
    if re.match(r"(?:how (?:to|do|can|should) |(?:where|how) do i )", text):
        return "how-to"
    if re.match(r"what (?:is|are|s|does) (?:\w+ ){1,4}(?:mean)?$", text + " "):
        return "definition"
    return "question"


def how_to_question(heading: str, context: str = "") -> str | None:
    """ "Configuring retention rules" or "Configure …" as a how-to question; None if the heading is no instruction.

    `context` completes a heading whose object is missing or too general ("Installing" → "… Acme Agent").
    """
    head, _, rest = heading.partition(" ")
    if head.lower() in {"how", "to"} and rest.lower().startswith("to "):
        head, _, rest = rest[3:].partition(" ")
    elif head.lower() == "to":
        head, _, rest = rest.partition(" ")
    base = base_of_gerund(head) or (head.lower() if is_verb(head) and rest else None)
    # "Test results", "Release notes", "Backup storage": noun compounds that begin like instructions.
    if not base or (head.lower() == base and not _is_object(rest, plural_will_do=not is_also_a_noun(head))):
        return None
    is_pronoun = rest.lower() in {"it", "them", "this"}
    if is_pronoun and is_plural(context) not in {None, rest.lower() == "them"}:
        return None
    if context and is_pronoun:
        rest = ""
    if rest.split(" ", 1)[0].lower() in {"it", "them", "this", "that", "these"}:
        return None
    if base == "back" and not rest.lower().startswith("up"):
        return None
    if base in _TRANSITIVE and rest.split(" ", 1)[0].lower() in _PREPOSITIONS:
        return None
    phrase = as_asker(f"{base} {_in_base_forms(rest)}".strip())
    if not content_words(rest):
        said = {stem(word) for word in content_words(context)}
        is_object = rest.lower() in _PARTICLES and is_noun_phrase(context) and is_topic(context)
        if not is_object or said & {stem(base), stem(f"{base}{rest}".lower())}:
            return None
        phrase = f"{phrase} {context}"
    return how_to(phrase) if 2 <= len(words(phrase)) <= 14 and is_balanced(phrase) else None


def _in_base_forms(rest: str) -> str:
    """What follows the verb of a heading, as it goes on in a question.

    Gerunds joined by "and" become what the first one became, and small words of a heading in title case small.
    """
    words_of_rest = rest.split(" ")
    for index, word in enumerate(words_of_rest):
        is_joined = words_of_rest[index - 1].lower() in {"and", "or"} if index else False
        if is_joined and (base := base_of_gerund(word)):
            words_of_rest[index] = base
        elif word.lower() in _SMALL_WORDS:
            words_of_rest[index] = word.lower()
    return " ".join(words_of_rest)


def _is_object(rest: str, *, plural_will_do: bool) -> bool:
    """Whether what follows a verb's base form reads as its object rather than the rest of a compound noun."""
    first, _, others = rest.lower().partition(" ")
    if first in {"a", "an", "the", "your", "up", "all", "multiple", "new", "to", "from", "with"}:
        return True
    return plural_will_do and (bool(others) or (first.endswith("s") and not first.endswith("ss")))


def title_queries(title: str, heading_path: Sequence[str], site: frozenset[str] = frozenset()) -> list[str]:
    """What a visitor types to get to this section: its heading, completed by the one above where it must be."""
    headings = [cleaned for heading in heading_path if (cleaned := clean(heading, site))]
    page = clean(title, site)
    trail = [page, *(heading for heading in headings if normalise(heading) != normalise(page))]
    while trail and normalise(trail[-1]) in _EMPTY:
        trail.pop()
    if not trail or not trail[-1]:
        return []
    own, above = trail[-1], [heading for heading in trail[:-1] if not is_generic(heading)]
    if is_generic(own) and not above:
        return []
    queries = []
    if not is_generic(own) and len(content_words(own)) >= 2:
        queries.append(own)
    if above and (is_generic(own) or len(content_words(own)) <= _FEW_WORDS):
        queries.append(_joined(own, above[-1]))
    return [query.lower() if pick(query, "lower", "as is") == "lower" else query for query in queries]


def breadcrumb_query(title: str, heading_path: Sequence[str], site: frozenset[str] = frozenset()) -> str | None:
    """The way to a section from the page's title down, every word once; None where there is no way to tell."""
    trail = [cleaned for heading in (title, *heading_path) if (cleaned := clean(heading, site))]
    told = [heading for heading in trail if normalise(heading) not in _EMPTY]
    if len(told) < 2:
        return None
    kept = dict.fromkeys(word.lower() for heading in told for word in words(heading) if word.lower() not in STOP_WORDS)
    return " ".join(kept) if 3 <= len(kept) <= _BREADCRUMB_WORDS else None


def _joined(own: str, above: str) -> str:
    """Heading and context in one query, no word twice: "CSI support", "limitations" → "CSI support limitations"."""
    known = set(content_words(above))
    kept = " ".join(word for word in words(own) if word.lower() not in known)
    if not kept:
        return own
    return pick(own + above, f"{above} {kept}", f"{kept} {above}")
