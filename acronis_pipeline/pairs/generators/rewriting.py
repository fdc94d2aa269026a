"""Questions from statements, by rules that only fire where the outcome is safe to read (English).

"The minimum interval is 15 minutes." answers "what is the minimum interval", "You can restore files by …" answers
"how do I restore files". No parser: a rule matches a whole sentence whose subject is a plain noun phrase, and anything
doubtful gives no question.
"""

import re

from acronis_pipeline.pairs.everyday_words import as_asker
from acronis_pipeline.pairs.generators import question_rules as rules
from acronis_pipeline.pairs.generators.phrases import is_balanced, lower_start
from acronis_pipeline.pairs.generators.question_rules import Rewrite, Rule
from acronis_pipeline.pairs.words import words

_MAX_WORDS = 16
_CONTEXT = re.compile(
    r"^(?P<context>(?:For|In|On|With|During|Without|When using|Within|By default)\b(?! (?:some|most|many|any|all|other|"
    r"both|case|general|addition|short|fact|particular|practice|order|contrast)\b)[^,.]{0,50}), (?P<rest>.+)$"
)
_POINTER = re.compile(
    r"\b(?:following|above|below|this|these|those|here|it|they|them|such|example|e\.g|i\.e|various|otherwise"
    r"|instead|then|therefore|(?:too|again|as well|first)\W*$|if possible"
    r"|(?:be|are|is) (?:described|explained|covered|discussed|listed|outlined|shown in))\b",
    re.IGNORECASE,
)
"""A question with one of these leans on what stood around the sentence, or is about the documentation itself."""

_SUBJECT = r"(?P<subject>[A-Z\d][^,;:]*?)"
_BE = r"(?P<be>is|are)"
_ADVERB = r"(?:(?:also|always|now|still|only|automatically|currently|even|typically|usually|normally) )?"
_NUMBER = (
    r"(?:about |around |approximately |up to |at least |a minimum of |at most |only |between )?"
    r"(?:\d[\d.,]*|one|two|three|several|a few)"
)
_STATE = (
    r"(?:\w+(?:ed|able|ible)|free|kept|sent|built|run|written|shown|hidden|made|taken|lost|optional|mandatory|necessary"
    r"|compatible|part of|limited to)"
)
_OFTEN = (
    r"(?:daily|weekly|hourly|(?:once|twice)(?=,|\W*$)|(?:once |twice )?(?:an?|every) "
    rf"(?:{_NUMBER} |few |other )?(?:second|minute|hour|day|night|week|month|year)s?)\b"
)
_POOR_CLASS = (
    r"(?!result|case|same|reason|only|first|last|good|bad|lot|few|valid|common|most|least|best|worst|main|usual|normal"
    r"|right|wrong)"
)


def questions(sentence: str, names: frozenset[str] = frozenset()) -> list[Rewrite]:
    """Questions that the sentence answers, best first; usually none or one.

    `names` are words that the passage capitalises inside sentences (`phrases.names_in`).
    """
    sentence = re.sub(r"\s*\([^)]*\)", "", sentence).strip()
    suffix = ""
    if context := _CONTEXT.match(sentence):
        suffix = " " + as_asker(lower_start(context["context"], names))
        sentence = context["rest"][:1].upper() + context["rest"][1:]
    for pattern, rule in _RULES:
        if match := pattern.match(sentence):
            found = [Rewrite(rewrite.query + suffix, rewrite.style) for rewrite in rule(match, names)]
            found = [rewrite for rewrite in found if _is_sound(rewrite.query)]
            if found:
                return found
    return []


def _is_sound(query: str) -> bool:
    return 3 <= len(words(query)) <= _MAX_WORDS and not _POINTER.search(query) and is_balanced(query)


def _on(rule: Rule, *pattern: str) -> tuple[re.Pattern[str], Rule]:
    return re.compile("^" + "".join(pattern)), rule


_RULES = (
    _on(rules.purpose, r"(?:In order to|To) (?P<phrase>[a-z][^,:]*)[,:]\s*(?P<means>.*)$"),
    _on(rules.wish, r"(?:If|When) you (?:want|need|wish|would like|prefer|have|are trying) to (?P<phrase>[^,]*),"),
    _on(rules.use, r"(?:Use|Run|Call|Set|Apply) [^,;:]{2,60}? (?:in order )?to (?P<phrase>[a-z][^,;:]*)"),
    _on(rules.ability, r"You can (?:also |now |always |optionally |then |only )?(?P<phrase>[a-z].*)$"),
    _on(rules.duty, r"You (?:must|need to|have to|should) (?:also |always |first )?(?P<phrase>[a-z].*)$"),
    _on(
        rules.enabler,
        rf"{_SUBJECT} (?:lets|allows|enables|helps) (?:you|users|customers|administrators)(?: to)? (?P<phrase>.*)$",
    ),
    _on(rules.used_for, rf"{_SUBJECT} {_BE} (?:used|designed|intended|meant|responsible|useful) (?:to|for) "),
    _on(
        rules.quantity,
        rf"{_SUBJECT} (?P<verb>requires?|needs?) {_NUMBER} ?",
        r"(?:[KMGT]i?B|bytes|gigabytes|megabytes) (?:of )?(?P<what>.*)$",
    ),
    _on(
        rules.duration,
        rf"{_SUBJECT} (?P<verb>takes?|lasts?) {_NUMBER} (?:seconds?|minutes?|hours?|days?|weeks?|months?)\b",
    ),
    _on(
        rules.frequency,
        rf"{_SUBJECT} (?:{_BE} )?(?P<verb>[a-z]+) {_OFTEN}",
    ),
    _on(
        rules.attribute,
        rf"(?P<subject>(?:The|Each|Your) [^,;:]*?) {_BE} (?!not\b|\w+ed\b|run\b|set\b)\S",
    ),
    _on(
        rules.definition,
        rf"{_SUBJECT} {_BE} {_ADVERB}(?:an?|the|one of(?: the)?) {_POOR_CLASS}[a-z]",
    ),
    _on(rules.meaning, rf"{_SUBJECT} (?P<verb>means|refers to|stands for)\b"),
    _on(
        rules.support,
        rf"{_SUBJECT} (?:currently |also |now |only )?",
        r"(?P<verb>supports?|does not support|do not support|doesn't support) (?P<what>.*)$",
    ),
    _on(rules.contents, rf"{_SUBJECT} (?P<verb>requires?|includes?|contains?|consists? of|depends? on)\s"),
    _on(rules.condition, r"(?P<if>If|When) (?P<case>[^,]*), (?:then )?(?P<rest>.*)$"),
    _on(
        rules.place,
        rf"{_SUBJECT} {_BE} {_ADVERB}",
        r"(?P<verb>stored|saved|located|kept|found|written|uploaded|installed|displayed|shown)",
        r" (?:in|on|at|under|inside|to) ",
    ),
    _on(
        rules.moment,
        rf"{_SUBJECT} {_BE} {_ADVERB}(?P<verb>\w+ed|sent|run) (?:after|when|once|until|as soon as|before) ",
    ),
    _on(
        rules.modal,
        rf"{_SUBJECT} (?P<modal>can|cannot|can't|must|should|may|will|needs to|need to) (?:not )?",
        rf"{_ADVERB}(?P<what>[a-z].*)$",
    ),
    _on(rules.state, rf"{_SUBJECT} {_BE} (?:not )?{_ADVERB}(?P<what>{_STATE}\b.*)$"),
    _on(
        rules.action,
        rf"{_SUBJECT} {_ADVERB}(?P<verb>[a-z]+s) ",
        r"(?P<what>(?:an?|the|your|all|any|each|every|only|both|its|new|multiple) .*)$",
    ),
)
"""Tried in this order; the first rule that yields wins, so the most telling questions come first."""
