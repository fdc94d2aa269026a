"""Small operations on English phrases that the rewriting rules share: clipping, casing, and everyday openings."""

import re

from acronis_pipeline.core.hashing import digest
from acronis_pipeline.pairs.everyday_words import as_asker, base_of_gerund, everyday, is_also_a_noun, is_verb
from acronis_pipeline.pairs.words import word_set, words

_CLAUSE = re.compile(
    r"\s*(?:[,;:(–—]|\s-\s|\s(?:which|because|so that|so|since|whereas|while|although|unless|but|as well as|such as|"
    r"including|even if|even though|provided that|rather than|instead of|depending on|you|"
    r"and (?:then|you|it|they|can|will|must|should|is|are|has|have|does|not))\b).*$",
    re.IGNORECASE | re.DOTALL,
)
_BREAKS = re.compile(
    r"\b(?:if|when|whenever|that|which|who|whose|where|because|while|but|or|is|are|was|were|has|have|can|will|must|"
    r"should|may|might|could|would|do|does|did|don't|doesn't|isn't|aren't|can't|won't|cannot|please|then|there|this|these|it|"
    r"they|not|you|we|i|wants?|wanted|lets?)\b",
    re.IGNORECASE,
)
_PREPOSITIONS = word_set(
    """in on for with after before when during from by as at to under without once while unless because since depending
    using if whether until per via although though given like unlike besides within upon despite where how what why
    inside outside behind between among beyond above below around over next either neither only just even not no
    some many most several these those otherwise both various"""
)
_DETERMINERS = word_set("the a an your all each every some many most several any both our two three four five")
_OPEN_ENDS = word_set(
    "a an the and or of to for with by from in on at as before after when if that than into your its is are be not "
    "following e.g i.e only also both either neither"
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
_ADVERBS = word_set("also always already even now often only still then therefore")
_ARTICLES = word_set("a an the your all each any")
_QUOTES = (('"', '"'), ("“", "”"), ("(", ")"), ("[", "]"), ("{", "}"))


def clip(phrase: str, max_words: int) -> str | None:
    """The phrase up to its first clause boundary; None where that is still longer than `max_words`."""
    short = _CLAUSE.sub("", phrase).strip(" .!?")
    found = words(short)
    if not found or len(found) > max_words or found[-1].lower() in _OPEN_ENDS or not is_balanced(short):
        return None
    # "… to determine", where what is determined was in the clause that fell away.
    if short != phrase.strip(" .!?") and found[-2:-1] == ["to"]:
        return None
    return short


def is_balanced(text: str) -> bool:
    """Whether every quotation mark and bracket that opens is closed."""
    for opening, closing in _QUOTES:
        if (opening == closing and text.count(opening) % 2) or text.count(opening) != text.count(closing):
            return False
    # An apostrophe closes nothing: only more openings than ends of words are too many.
    return len(re.findall(r"(?<!\w)'(?=\S)", text)) <= len(re.findall(r"(?<=\S)'(?!\w)", text))


def is_noun_phrase(text: str) -> bool:
    """Whether a heading names a thing, so that a question can end in it: no instruction, question or sentence."""
    found = [word.lower() for word in words(text)]
    if not found or found[0] in _PREPOSITIONS or _BREAKS.search(text) or re.search(r"[?!:;]|\sin\s", text):
        return False
    if base_of_gerund(found[0]) or not is_balanced(text):
        return False
    return not is_verb(found[0]) or (is_also_a_noun(found[0]) and len(found) in {2, 3} and found[1] not in _ARTICLES)


def is_plural(phrase: str) -> bool | None:
    """Whether verbs after a noun phrase are in the plural; None where its head is a name or an odd word."""
    if re.search(r"\w and \w", phrase):
        return True
    core = re.split(r"\s(?:of|for|in|on|with|from|to|by|at|\w+ed|within|using)\s", phrase)[0].split(" ")
    head = core[-1].strip("\"'”’")
    if re.search(r"\W|\d|[A-Z]", head) or head in {"data", "media", "series", "criteria", "people", "metadata"}:
        return None
    return head.endswith("s") and not head.endswith(("ss", "us", "is"))


def subject(phrase: str, names: frozenset[str]) -> str | None:
    """The phrase as the subject of a question, or None where it is no plain noun phrase.

    `names` are words that the passage capitalises inside sentences; any other capital is only a sentence's beginning.
    """
    found = words(phrase)
    first = found[0].lower() if found else ""
    if not found or len(found) > 7 or first in _PREPOSITIONS or _BREAKS.search(phrase) or re.search(r"[,;:()]", phrase):
        return None
    if (
        first.endswith("ly")
        or (first.endswith("ing") and len(found) == 1)
        or re.match(r"the (?:more|less)\b", phrase, re.I)
    ):
        return None
    if is_verb(first) and not is_also_a_noun(first):
        return None
    last = found[-1].lower()
    if last in _OPEN_ENDS or last in _ADVERBS or last.endswith("lly") or re.search(r"[.!?]\s|by default$", phrase):
        return None
    core = [word.lower() for word in found if word.lower() not in _DETERMINERS]
    if not core or (len(core) == 1 and core[0] in _VAGUE) or re.search(r"\b(?:themselves|itself)\b", phrase):
        return None
    return as_asker(lower_start(phrase.strip(), names))


def lower_start(phrase: str, names: frozenset[str]) -> str:
    """The phrase with its first letter in lower case, unless its first word is a name, or one of a longer name."""
    head, _, rest = phrase.partition(" ")
    if head in names or head[1:] != head[1:].lower() or any(character.isdigit() for character in head):
        return phrase
    if rest[:1].isupper() and head.lower() not in _DETERMINERS | _PREPOSITIONS:
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
