"""What a question would look like to BM25 if a customer had asked it: some of the passage's words replaced by others.

Questions made from a passage without a language model use the passage's words: 98 % of their content words stand in it
(sample site). Of people's questions it is 60 % (means over 236 questions on four corpora and 100 on a product's
documentation). Fusion weights and systems chosen on such questions would lean on words that customers do not use, so on
validation BM25 sees each structural question without a fixed 40 % of its content words. The encoder, which also knows
synonyms, sees it whole.
"""

import math

from acronis_pipeline.fingerprint import digest
from acronis_pipeline.pairs.words import content_words

REPLACED_SHARE = 0.4


def as_customers_would(query: str, share: float = REPLACED_SHARE) -> str:
    """The query without `share` of its content words, the same ones every time; a single one is kept."""
    words = query.split()
    content = [index for index, word in enumerate(words) if content_words(word)]
    if len(content) < 2:
        return query
    dropped = sorted(content, key=lambda index: digest(query, words[index]))[: math.floor(len(content) * share + 0.5)]
    return " ".join(word for index, word in enumerate(words) if index not in dropped)
