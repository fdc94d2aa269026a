"""Small operations on English phrases that the rewriting rules share: clipping, casing, and everyday openings."""

import re

from acronis_pipeline.fingerprint import digest
from acronis_pipeline.pairs.everyday_words import as_asker, everyday, is_verb
from acronis_pipeline.pairs.words import word_set, words

_CLAUSE = re.compile(
    r"\s*(?:[,;:(–—]|\s-\s|\s(?:which|because|so that|so|since|whereas|while|although|unless|but|as well as|such as|"
    r"including|even if|even though|provided that|rather than|instead of|depending on|you|"
    r"and (?:then|you|it|they|can|will|must|should|is|are|has|have|does|not))\b).*$",
    re.IGNORECASE | re.DOTALL,
)
_BREAKS = re.compile(
    r"\b(?:if|when|whenever|that|which|who|whose|where|because|while|but|or|is|are|was|were|has|have|can|will|must|"
    r"should|may|could|would|do|does|did|don't|doesn't|isn't|aren't|can't|won't|cannot|please|then|there|this|these|it|they|not|you|we|i)\b",
    re.IGNORECASE,
)
_PREPOSITIONS = word_set(
    """in on for with after before when during from by as at to under without once while unless because since depending
    using if whether until per via although though given like unlike besides within upon despite where how what why
    inside outside behind between among beyond above below around over next either neither only just even not no
    some many most several these those"""
)
_DETERMINERS = word_set("the a an your all each every some many most several any both our")
_OPEN_ENDS = word_set(
    "a an the and or of to for with by from in on at as before after when if that than into your its is are be not "
    "following e.g i.e"
)
_VAGUE = word_set(
    """action answer application article backend button case change command configuration content data default details
    dialog documentation example fact feature features field file files flag following form function goal idea
    information instructions interface item list menu method mode name note number object operation option options
    output page parameter problem procedure process product program property reason result results screen script
    section service setting settings setup software solution step steps string system table tab task text thing
    things time tool tools topic type use user users value values variable version way ways window work"""
)
"""Heads that name nothing in particular: "the tool", "this option"."""


def clip(phrase: str, max_words: int) -> str | None:
    """The phrase up to its first clause boundary; None where that is still longer than `max_words`."""
    short = _CLAUSE.sub("", phrase).strip(" .!?\"'")
    found = words(short)
    if not found or len(found) > max_words or found[-1].lower() in _OPEN_ENDS:
        return None
    return short


def subject(phrase: str, names: frozenset[str]) -> str | None:
    """The phrase as the subject of a question, or None where it is no plain noun phrase.

    `names` are words that the passage capitalises inside sentences; any other capital is only a sentence's beginning.
    """
    found = words(phrase)
    first = found[0].lower() if found else ""
    if not found or len(found) > 7 or first in _PREPOSITIONS or _BREAKS.search(phrase) or re.search(r"[,;:()]", phrase):
        return None
    if first.endswith("ly") or (first.endswith("ing") and len(found) == 1):
        return None
    if found[-1].lower() in _OPEN_ENDS:
        return None
    core = [word.lower() for word in found if word.lower() not in _DETERMINERS]
    if not core or (len(core) == 1 and core[0] in _VAGUE):
        return None
    return as_asker(lower_start(phrase.strip(), names))


def lower_start(phrase: str, names: frozenset[str]) -> str:
    """The phrase with its first letter in lower case, unless its first word is a name."""
    head, _, rest = phrase.partition(" ")
    if head in names or head[1:] != head[1:].lower() or any(character.isdigit() for character in head):
        return phrase
    return f"{head.lower()} {rest}".strip()


def verb_phrase(phrase: str, max_words: int = 9) -> str | None:
    """A clipped phrase that begins with a known verb, in the asker's words; None if it does not."""
    short = clip(phrase, max_words)
    if not short or len(words(short)) < 2:
        return None
    head, _, rest = short.partition(" ")
    if head.lower() in {"easily", "quickly", "manually", "automatically", "also", "only", "optionally", "safely"}:
        head, _, rest = rest.partition(" ")
    if not is_verb(head) or rest.lower() in {"it", "this", "them", "that", "one", "the following"}:
        return None
    if re.match(r"(?:it|this|them|these|that|those|one|out)\b", rest, re.IGNORECASE):
        return None
    return as_asker(f"{head.lower()} {rest}")


def how_to(phrase: str) -> str:
    """A verb phrase as a how-to question, in everyday words; the opening varies from phrase to phrase."""
    return f"{pick(phrase, 'how do I', 'how to', 'how can I', 'how do I')} {everyday(phrase)}"


def pick(text: str, *choices: str) -> str:
    """One of the choices, always the same for the same text."""
    return choices[int(digest("phrase", text)[:8], 16) % len(choices)]


def as_typed(question: str) -> str:
    """A question as people type it: half of them with a capital and a question mark, half without."""
    if pick(question, "bare", "marked") == "bare":
        return question
    return question[:1].upper() + question[1:] + "?"


def names_in(text: str) -> frozenset[str]:
    """Words that are capitalised in the middle of a sentence."""
    return frozenset(re.findall(r"(?<=[a-z,] )([A-Z][\w-]+)", text))
