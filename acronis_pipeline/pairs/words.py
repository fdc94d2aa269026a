"""Words of queries and passages: tokens, stop words, normal form, how much is copied, and question thinning.

Queries made from a passage use its words, 98 % of them on the sample site; people's questions share about 60 %. A
thinned question lacks some of its content words, as a customer's would.
"""

import math
import re
import unicodedata

from acronis_pipeline.core.hashing import digest
from acronis_pipeline.core.text import normal_form

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
# A CJK character counts as a word: these scripts put no spaces between words.
_WORD = re.compile(rf"[{_CJK}]|(?:(?![{_CJK}])[^\W_])+(?:['’\-./_+:@]?(?:(?![{_CJK}])[^\W_])+)*", re.UNICODE)
_COPY_RUN = 3
"""Words in a row that count as copied; two in a row ("retention policy") are just the name of a thing."""
CUSTOMERS_LACK = 0.4
"""Share of the content words of people's questions that do not stand in the passage: means over 236 questions on four
corpora and 100 on a product's documentation."""


def word_set(text: str) -> frozenset[str]:
    """Words written one after the other, as a set."""
    return frozenset(text.split())


def phrase_set(text: str) -> frozenset[str]:
    """Phrases separated by `|`, as a set; line breaks count as spaces."""
    return frozenset(" ".join(phrase.split()) for phrase in text.split("|"))


STOP_WORDS = word_set(
    """a about above across after again all also although always am an and any anything are as at back be because been
    before being below between both but by can cannot could did do does doing done down during each either else etc
    even ever every following for from further get gets give given go goes had has have having he her here hers him his
    how however i if in instead into is it its itself just let lets like made make makes many may me might more most
    much must my near need needs neither never no nor not now of off often on once one only onto or other others our
    ours out over own per please rather same see shall she should since so some such than that the their theirs them
    then there therefore these they this those though through thus to together too under unless until up upon us use
    used uses using via very want was way we well were what when where whether which while who whom whose why will with
    within without would yes yet you your yours beside
    besides everything expect nothing something usually whatever"""
)


def words(text: str) -> list[str]:
    """Words in order, as written."""
    return _WORD.findall(text)


def normalise(text: str) -> str:
    """The form in which two queries are the same question: NFKC, lower case, words only."""
    return " ".join(words(unicodedata.normalize("NFKC", normal_form(text)).lower()))


def content_words(text: str) -> list[str]:
    """Lower-case words that carry meaning, in order."""
    return [word for word in words(text.lower()) if word not in STOP_WORDS]


def copy_rate(query: str, passage: str) -> float:
    """Share of the query's words that stand in the passage in runs of three or more, in order (0 to 1).

    Queries of one or two words count as copied when the whole query stands in the passage.
    """
    asked, said = normalise(query).split(), normalise(passage).split()
    if not asked:
        return 0.0
    run = min(_COPY_RUN, len(asked))
    runs = {tuple(said[i : i + run]) for i in range(len(said) - run + 1)}
    copied = [False] * len(asked)
    for start in range(len(asked) - run + 1):
        if tuple(asked[start : start + run]) in runs:
            copied[start : start + run] = [True] * run
    return sum(copied) / len(asked)


def overlap(left: str, right: str) -> float:
    """Jaccard similarity of the content words of two queries (all words where one has no content word)."""
    a, b = set(content_words(left)), set(content_words(right))
    if not a or not b:
        a, b = set(normalise(left).split()), set(normalise(right).split())
    return len(a & b) / len(a | b) if a | b else 1.0


def same_question_key(query: str) -> str:
    """Equal for queries that differ in order, stop words and forms only ("Restoring a file", "restore files").

    Queries with fewer than three content words are only equal word by word: so little would merge what differs.
    """
    stems = {stem(word) for word in content_words(unicodedata.normalize("NFKC", normal_form(query)))}
    return " ".join(sorted(stems)) if len(stems) >= 3 else normalise(query)


def stem(word: str) -> str:
    """A lower-case word without its English ending: "restoring", "restored", "restores" → "restor"."""
    for ending in ("ies", "ing", "ied", "ed", "es", "s", "y", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 4 and not word.endswith("ss"):
            return word[: -len(ending)]
    return word


def is_spaceless(text: str) -> bool:
    """Whether the text is mostly in a script without spaces between words, where words cannot be told apart."""
    found = words(text)
    return bool(found) and sum(bool(re.match(f"[{_CJK}]", word)) for word in found) > len(found) / 2


def thinned(query: str, share: float = CUSTOMERS_LACK) -> str:
    """The query without `share` of its content words, the same ones every time; a single one is kept."""
    words = query.split()
    return " ".join(words[index] for index in _kept(query, words, share))


def condensed(sentence: str, share: float = CUSTOMERS_LACK) -> str:
    """The thinned sentence without what led to the words that are gone: "in the" of "in the [namespace]"."""
    words = sentence.split()
    kept = set(_kept(sentence, words, share))
    for index in range(len(words) - 1, -1, -1):
        if index + 1 < len(words) and index + 1 not in kept and not content_words(words[index]):
            kept.discard(index)
    return " ".join(words[index] for index in sorted(kept))


def _kept(query: str, words: list[str], share: float) -> list[int]:
    """Indices of the words that stay."""
    content = [index for index, word in enumerate(words) if content_words(word)]
    if len(content) < 2:
        return list(range(len(words)))
    dropped = sorted(content, key=lambda index: digest(query, words[index]))[: math.floor(len(content) * share + 0.5)]
    return [index for index in range(len(words)) if index not in dropped]
