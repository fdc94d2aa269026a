"""A teacher that needs no labels: the base encoder and BM25 together, which find more than either.

BM25 sees each query without some of its content words (`pairs.thinning`), since queries made from a passage use its
words far more than people do.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from acronis_pipeline.pairs.thinning import thinned
from acronis_pipeline.pairs.words import content_words

_K1, _B = 1.5, 0.75

_STEM_CHARACTERS = 6
"""Words are compared by their beginning, a stemmer for any language that writes its endings last."""


class HybridTeacher:
    """Half the sum of the standard scores of cosine and BM25, each over all texts of the corpus.

    Parameters
    ----------
    query_vectors, text_vectors
        Of the base, L2-normalised, of shape (n_queries, dimension) and (n_texts, dimension).
    queries, texts
        What they are the vectors of; texts are passages, or the windows of all of them.
    """

    def __init__(
        self, query_vectors: np.ndarray, text_vectors: np.ndarray, queries: Sequence[str], texts: Sequence[str]
    ) -> None:
        self._query_vectors, self._text_vectors = query_vectors, text_vectors
        self._stems = [_stems(thinned(query)) for query in queries]
        self._terms = _bm25([_stems(text) for text in texts])

    def scores(self, queries: Sequence[int]) -> np.ndarray:
        """Shape (len(queries), n_texts) float32."""
        lexical = np.stack([self._lexical(self._stems[query]) for query in queries])
        dense = self._query_vectors[list(queries)] @ self._text_vectors.T
        return (0.5 * _standardised(dense) + 0.5 * _standardised(lexical)).astype(np.float32)

    def _lexical(self, stems: Sequence[str]) -> np.ndarray:
        found = np.zeros(len(self._text_vectors))
        for stem in stems:
            if stem in self._terms:
                rows, weights = self._terms[stem]
                found[rows] += weights
        return found


def _stems(text: str) -> list[str]:
    return [word[:_STEM_CHARACTERS] for word in content_words(text)]


def _bm25(texts: Sequence[Sequence[str]]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """By stem: the texts that have it, and what it adds to the score of each."""
    lengths = np.array([max(1, len(stems)) for stems in texts])
    relative = _K1 * (1 - _B + _B * lengths / lengths.mean())
    postings: dict[str, list[tuple[int, int]]] = {}
    for row, stems in enumerate(texts):
        for stem, count in Counter(stems).items():
            postings.setdefault(stem, []).append((row, count))
    terms = {}
    for stem, found in postings.items():
        rows, counts = np.array(found).T
        idf = np.log1p((len(texts) - len(rows) + 0.5) / (len(rows) + 0.5))
        terms[stem] = rows, idf * counts * (_K1 + 1) / (counts + relative[rows])
    return terms


def _standardised(scores: np.ndarray) -> np.ndarray:
    spread = scores.std(axis=1, keepdims=True)
    return (scores - scores.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0)
