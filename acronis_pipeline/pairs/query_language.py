"""Whether a query is written in the language of its passage.

Short queries defeat language identifiers, so a query is only refused where the evidence is plain: another script, or a
whole sentence that a detector gives to another language.
"""

import unicodedata
from collections import Counter

from acronis_pipeline.pairs.words import normalise, words

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
