"""Questions from statements, by rules that only fire where the outcome is safe to read (English).

"The minimum interval is 15 minutes." answers "what is the minimum interval", "You can restore files by …" answers
"how do I restore files". No parser: a rule matches a whole sentence whose subject is a plain noun phrase, and anything
doubtful gives no question. Each rule is a function named after what is asked for; it takes the match of its pattern
(`_RULES`) with the sentence's subject, or with the names that the passage capitalises, and yields nothing where the
outcome would not read well.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from acronis_pipeline.pairs.english import (
    as_asker,
    base_of_gerund,
    clip,
    how_to,
    is_also_a_noun,
    is_balanced,
    is_plural,
    is_verb,
    lower_start,
    pick,
    subject,
    verb_phrase,
)
from acronis_pipeline.pairs.words import content_words, word_set, words

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
_MEANS = re.compile(r"(\s(?:by|using|via|through|from the|in the|with the|on the)\s|$)")
_MEASURES = word_set(
    """default minimum maximum min max limit size number length duration interval timeout price cost port location path
    format type period frequency amount rate version purpose goal difference syntax status name value schedule
    threshold count capacity"""
)
_PROBLEM = re.compile(
    r"\b(?:fail(?:s|ed|ing|ures?)?|errors?|problems?|issues?|cannot|can't|could not|couldn't|unable|not|no|never"
    r"|doesn't|don't|isn't|aren't|won't|wasn't|missing|lost|lose|stuck|hangs?|slow|slowly|crash(?:es|ed)?|corrupt(?:ed)?"
    r"|invalid|wrong|incorrect|denied|refused|rejected|expired?|locked|forgot(?:ten)?|broken|conflicts?|mismatch"
    r"|times? out|timed out|too|unexpected(?:ly)?|interrupted|damaged|deleted|different)\b",
    re.IGNORECASE,
)
_TO_THE_READER = re.compile(
    r"(?:please\b|you (?:must|should|can|will|need|have to|may|might|could)\b|(?:try|make sure|ensure|check)\b"
    r"|(?P<verb>[a-z]+) (?P<object>(?:the|an?|your|all|any|it|them|that|this|one|whether|if|to|up)\b|[`\"])?)",
)
_BEFALLS_THE_READER = word_set("get receive see find know expect")
_STATES = word_set(
    """deprecated required optional mandatory necessary supported unsupported encrypted compressed deduplicated free
    enabled disabled compatible editable immutable limited case-sensitive"""
)
"""States that are worth asking for without anything that follows."""
_CAN_BE_DONE = re.compile(r"\b(?:(?:can|must|should|has to|have to|needs? to) be)\b")
_YOU_DO = re.compile(r"\byou (?:must|should|can|will|need|have to)\b")
_EMPHASIS = re.compile(r"\s(?:always|necessarily)\b")
_SETTING = re.compile(r"(?:you are \w+ing|there (?:is|are))\b", re.IGNORECASE)
"""A situation rather than an event: nothing happens because of it."""
_ADVISES = re.compile(
    r"^you\b|\b(?:there (?:is|are)|recommended|should|must|refer to|see|have to|need to)\b", re.IGNORECASE
)


class Rewrite(NamedTuple):
    """A question that a sentence answers."""

    query: str
    style: str = "question"


Rule = Callable[[re.Match[str], frozenset[str]], Iterator[Rewrite]]
AboutThing = Callable[[re.Match[str], str], Iterator[Rewrite]]
"""A rule for sentences with a subject, which it gets as the subject of a question."""


def purpose(match: re.Match[str], names: frozenset[str]) -> Iterator[Rewrite]:
    """To configure X, open …: how. "To ensure X, the server checks …" is none of the reader's doing."""
    if _is_advice(match["means"]) or _CAN_BE_DONE.search(match["means"]) or _YOU_DO.search(match["phrase"]):
        yield from use(match, names)


def use(match: re.Match[str], names: frozenset[str]) -> Iterator[Rewrite]:
    """Use X to configure Y, or if you want to configure Y: how."""
    if phrase := verb_phrase(match["phrase"]):
        yield Rewrite(how_to(phrase), "how-to")


def ability(match: re.Match[str], names: frozenset[str]) -> Iterator[Rewrite]:
    """You can restore files by …: how; You can restore files: whether."""
    head, means, _ = _MEANS.split(match["phrase"], maxsplit=1)
    phrase = verb_phrase(head)
    if phrase and means.strip():
        yield Rewrite(how_to(phrase), "how-to")
    elif phrase:
        yield Rewrite(f"{pick(phrase, 'can I', 'can I', 'is it possible to')} {phrase}")


def duty(match: re.Match[str], names: frozenset[str]) -> Iterator[Rewrite]:
    """You must install X: do I have to."""
    phrase = verb_phrase(match["phrase"])
    if phrase and phrase.split(" ", 1)[0] not in _BEFALLS_THE_READER:
        yield Rewrite(f"{pick(phrase, 'do I have to', 'do I need to')} {phrase}")


def enabler(match: re.Match[str], thing: str) -> Iterator[Rewrite]:
    """X lets you move data: can I, with X."""
    if phrase := verb_phrase(match["phrase"]):
        if len(content_words(thing)) >= 2:
            yield Rewrite(f"what {_do_for(thing)} {thing} do", "definition")
        yield Rewrite(f"can I {phrase}")


def used_for(match: re.Match[str], thing: str) -> Iterator[Rewrite]:
    if not base_of_gerund(words(thing)[0]):
        yield Rewrite(f"what {match['be']} {thing} {pick(thing, 'used for', 'for')}", "definition")


def quantity(match: re.Match[str], thing: str) -> Iterator[Rewrite]:
    """X requires at least 2 GB of memory: how much memory."""
    if what := clip(match["what"], 3):
        yield Rewrite(f"how much {what} {_do(match['verb'])} {thing} need")


def duration(match: re.Match[str], thing: str) -> Iterator[Rewrite]:
    yield Rewrite(f"how long {_do(match['verb'])} {thing} {_base(match['verb'])}")


def frequency(match: re.Match[str], thing: str) -> Iterator[Rewrite]:
    if match["be"]:
        yield Rewrite(f"how often {match['be']} {thing} {match['verb']}")
    elif is_verb(_base(match["verb"])):
        yield Rewrite(f"how often {_do(match['verb'])} {thing} {_base(match['verb'])}")


def attribute(match: re.Match[str], thing: str) -> Iterator[Rewrite]:
    """The default port is 8085."""
    if _head(thing).rstrip("s") in _MEASURES:
        yield Rewrite(f"what {match['be']} {thing}")


def definition(match: re.Match[str], thing: str) -> Iterator[Rewrite]:
    if (
        len(words(thing)) <= 5
        and not (thing.startswith("the ") and len(content_words(thing)) < 2)
        and not base_of_gerund(words(thing)[0])
        and not thing.startswith(("my ", "all ", "each ", "every ", "the best "))
    ):
        yield Rewrite(f"what {match['be']} {thing}", "definition")


def meaning(match: re.Match[str], thing: str) -> Iterator[Rewrite]:
    verb, _, particle = match["verb"].partition(" ")
    yield Rewrite(f"what does {thing} {_base(verb)} {particle}".strip(), "definition")


def support(match: re.Match[str], thing: str) -> Iterator[Rewrite]:
    """X supports Y, X does not support Y: does X support Y."""
    if what := clip(match["what"], 6):
        yield Rewrite(f"{_do(match['verb'])} {thing} support {as_asker(what)}")


def contents(match: re.Match[str], thing: str) -> Iterator[Rewrite]:
    """X requires …, X includes …: what does X require."""
    verb, _, particle = match["verb"].partition(" ")
    yield Rewrite(f"what {_do(verb)} {thing} {_base(verb)} {particle}".strip())


def condition(match: re.Match[str], names: frozenset[str]) -> Iterator[Rewrite]:
    """If the backup fails, check …: what should I do. If a file is locked, X skips it: what happens.

    Advice that follows no trouble ("If you use the app, open …") answers neither question.
    """
    case, rest = match["case"].strip(), match["rest"]
    found = words(case)
    if not 3 <= len(found) <= 11 or not re.match(r"(?:you|the|an?|your|there|all|any|[A-Z])", case):
        return
    if re.search(r"[;:()]|\bthat\b|^you (?:want|need|wish|would like|prefer|have to)\b", case, re.IGNORECASE):
        return
    if clip(case, 12) != case:
        return
    case = as_asker(lower_start(case, names))
    if _is_advice(rest):
        if _PROBLEM.search(case):
            yield Rewrite(f"{pick(case, 'what should I do if', 'what to do if', 'what can I do if')} {case}")
    elif not _SETTING.match(match["case"]) and not _ADVISES.search(rest) and not is_verb(rest.split(" ", 1)[0]):
        yield Rewrite(f"what happens {match['if'].lower()} {case}")


def _is_advice(clause: str) -> bool:
    """Whether a main clause tells the reader what to do."""
    advice = _TO_THE_READER.match(clause)
    verb = advice["verb"] if advice else None
    return advice is not None and (not verb or (is_verb(verb) and bool(advice["object"] or not is_also_a_noun(verb))))


def place(match: re.Match[str], thing: str) -> Iterator[Rewrite]:
    yield Rewrite(f"where {match['be']} {thing} {match['verb']}")


def moment(match: re.Match[str], thing: str) -> Iterator[Rewrite]:
    yield Rewrite(f"when {match['be']} {thing} {match['verb']}")


def state(match: re.Match[str], thing: str) -> Iterator[Rewrite]:
    """Backups are encrypted before upload: are backups encrypted …"""
    what = clip(_EMPHASIS.sub("", match["what"]), 7)
    if what and not re.search(r"\b(?:only|not)\b", what) and (len(words(what)) >= 2 or what.lower() in _STATES):
        yield Rewrite(f"{match['be']} {thing} {as_asker(what)}")


def modal(match: re.Match[str], thing: str) -> Iterator[Rewrite]:
    """Deleted files can be restored …: can deleted files be restored."""
    what, verb = clip(match["what"], 8), match["modal"].lower()
    if not what or len(words(what)) < 2 or what.split(" ", 1)[0] in {"either", "neither", "both"}:
        return
    if verb == "should" and not what.startswith("be "):
        return
    if verb == "must":
        yield Rewrite(f"{_do_for(thing)} {thing} have to {as_asker(what)}")
    elif verb in {"needs to", "need to"}:
        yield Rewrite(f"{_do(verb)} {thing} need to {as_asker(what)}")
    else:
        asked = "can" if verb in {"cannot", "can't", "may"} else verb
        yield Rewrite(f"{asked} {thing} {as_asker(what)}")


def action(match: re.Match[str], thing: str) -> Iterator[Rewrite]:
    """Velero creates a snapshot …: does Velero create a snapshot."""
    what = clip(match["what"], 8)
    if what and is_verb(_base(match["verb"])):
        yield Rewrite(f"does {thing} {_base(match['verb'])} {as_asker(what)}")


def _do(verb: str) -> str:
    """ "does" for a third-person form ("requires", "does not"), else "do"."""
    return "does" if verb.split(" ")[0].endswith("s") else "do"


def _do_for(thing: str) -> str:
    return "do" if is_plural(thing) else "does"


def _agrees(verb: str, thing: str) -> bool:
    """Whether verb and subject are both singular or both plural: where they are not, the subject was cut wrongly."""
    plural = is_plural(thing)
    first = verb.split(" ")[0]
    return plural is None or plural == (first in {"are", "do", "don't"} or not first.endswith(("s", "n't")))


def _head(thing: str) -> str:
    """The noun that a phrase is about: "limit" of "the minimum limit for uploads"."""
    return re.split(r"\s(?:of|for|in|on|with|from|to|at|per|between)\s", thing)[0].split(" ")[-1].lower()


def _base(verb: str) -> str:
    """ "copies" → "copy", "matches" → "match", "creates" → "create"."""
    if verb.endswith("ies"):
        return verb[:-3] + "y"
    if verb.endswith(("ches", "shes", "sses", "xes", "zzes")):
        return verb[:-2]
    return verb[:-1] if verb.endswith("s") and not verb.endswith("ss") else verb


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
            asked = (Rewrite(rewrite.query + suffix, rewrite.style) for rewrite in rule(match, names))
            if found := [rewrite for rewrite in asked if _is_sound(rewrite.query)]:
                return found
    return []


def _is_sound(query: str) -> bool:
    return 3 <= len(words(query)) <= _MAX_WORDS and not _POINTER.search(query) and is_balanced(query)


def _on(rule: Rule, pattern: str) -> tuple[re.Pattern[str], Rule]:
    return re.compile("^" + pattern), rule


def _about(rule: AboutThing, pattern: str) -> tuple[re.Pattern[str], Rule]:
    """A rule of a pattern's subject; it yields nothing where that is none, or does not agree with its verb."""

    def with_subject(match: re.Match[str], names: frozenset[str]) -> Iterator[Rewrite]:
        thing, found = subject(match["subject"], names), match.groupdict()
        verb = found.get("be") or found.get("verb")
        if thing and (verb is None or _agrees(verb, thing)):
            yield from rule(match, thing)

    return _on(with_subject, pattern)


_RULES = (
    _on(purpose, r"(?:In order to|To) (?P<phrase>[a-z][^,:]*)[,:]\s*(?P<means>.*)$"),
    _on(use, r"(?:If|When) you (?:want|need|wish|would like|prefer|have|are trying) to (?P<phrase>[^,]*),"),
    _on(use, r"(?:Use|Run|Call|Set|Apply) [^,;:]{2,60}? (?:in order )?to (?P<phrase>[a-z][^,;:]*)"),
    _on(ability, r"You can (?:also |now |always |optionally |then |only )?(?P<phrase>[a-z].*)$"),
    _on(duty, r"You (?:must|need to|have to|should) (?:also |always |first )?(?P<phrase>[a-z].*)$"),
    _about(
        enabler,
        rf"{_SUBJECT} (?:lets|allows|enables|helps) (?:you|users|customers|administrators)(?: to)? "
        r"(?P<phrase>.*)$",
    ),
    _about(used_for, rf"{_SUBJECT} {_BE} (?:used|designed|intended|meant|responsible|useful) (?:to|for) "),
    _about(
        quantity,
        rf"{_SUBJECT} (?P<verb>requires?|needs?) {_NUMBER} ?"
        r"(?:[KMGT]i?B|bytes|gigabytes|megabytes) (?:of )?(?P<what>.*)$",
    ),
    _about(
        duration, rf"{_SUBJECT} (?P<verb>takes?|lasts?) {_NUMBER} (?:seconds?|minutes?|hours?|days?|weeks?|months?)\b"
    ),
    _about(frequency, rf"{_SUBJECT} (?:{_BE} )?(?P<verb>[a-z]+) {_OFTEN}"),
    _about(attribute, rf"(?P<subject>(?:The|Each|Your) [^,;:]*?) {_BE} (?!not\b|\w+ed\b|run\b|set\b)\S"),
    _about(definition, rf"{_SUBJECT} {_BE} {_ADVERB}(?:an?|the|one of(?: the)?) {_POOR_CLASS}[a-z]"),
    _about(meaning, rf"{_SUBJECT} (?P<verb>means|refers to|stands for)\b"),
    _about(
        support,
        rf"{_SUBJECT} (?:currently |also |now |only )?"
        r"(?P<verb>supports?|does not support|do not support|doesn't support) (?P<what>.*)$",
    ),
    _about(contents, rf"{_SUBJECT} (?P<verb>requires?|includes?|contains?|consists? of|depends? on)\s"),
    _on(condition, r"(?P<if>If|When) (?P<case>[^,]*), (?:then )?(?P<rest>.*)$"),
    _about(
        place,
        rf"{_SUBJECT} {_BE} {_ADVERB}"
        r"(?P<verb>stored|saved|located|kept|found|written|uploaded|installed|displayed|shown)"
        r" (?:in|on|at|under|inside|to) ",
    ),
    _about(moment, rf"{_SUBJECT} {_BE} {_ADVERB}(?P<verb>\w+ed|sent|run) (?:after|when|once|until|as soon as|before) "),
    _about(
        modal,
        rf"{_SUBJECT} (?P<modal>can|cannot|can't|must|should|may|will|needs to|need to) (?:not )?"
        rf"{_ADVERB}(?P<what>[a-z].*)$",
    ),
    _about(state, rf"{_SUBJECT} {_BE} (?:not )?{_ADVERB}(?P<what>{_STATE}\b.*)$"),
    _about(
        action,
        rf"{_SUBJECT} {_ADVERB}(?P<verb>[a-z]+s) "
        r"(?P<what>(?:an?|the|your|all|any|each|every|only|both|its|new|multiple) .*)$",
    ),
)
"""Tried in this order; the first rule that yields wins, so the most telling questions come first."""
