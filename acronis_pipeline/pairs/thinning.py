"""Questions with some of their content words left out: what a query shares with its passage when a customer asks.

Queries made from a passage use its words, 98 % of them on the sample site; people's questions share about 60 %.
"""

import math

from acronis_pipeline.fingerprint import digest
from acronis_pipeline.pairs.words import content_words

CUSTOMERS_LACK = 0.4
"""Share of the content words of people's questions that do not stand in the passage: means over 236 questions on four
corpora and 100 on a product's documentation."""


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
