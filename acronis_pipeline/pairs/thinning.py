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
    content = [index for index, word in enumerate(words) if content_words(word)]
    if len(content) < 2:
        return query
    dropped = sorted(content, key=lambda index: digest(query, words[index]))[: math.floor(len(content) * share + 0.5)]
    return " ".join(word for index, word in enumerate(words) if index not in dropped)
