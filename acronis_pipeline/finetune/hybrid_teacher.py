"""A teacher that needs no labels: the base encoder and BM25 together, which find more than either.

BM25 sees each query without some of its content words (`pairs.thinning`), since queries made from a passage use its
words far more than people do.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from acronis_pipeline.embedding import PassageVectors
from acronis_pipeline.pairs.thinning import thinned
from acronis_pipeline.pairs.words import content_words

_K1, _B = 1.5, 0.75

_STEM_CHARACTERS = 6
"""Words are compared by their beginning, a stemmer for any language that writes its endings last."""


class HybridTeacher:
    """Half the sum of the standard scores of cosine and BM25, each over the whole corpus.

    Parameters
    ----------
    query_vectors, passage_vectors
        Of the base; those of queries L2-normalised, of shape (n_queries, dimension).
    queries, passages
        Their texts.
    """

    def __init__(
        self,
        query_vectors: np.ndarray,
        passage_vectors: PassageVectors,
        queries: Sequence[str],
        passages: Sequence[str],
    ) -> None:
        self._query_vectors, self._passage_vectors = query_vectors, passage_vectors
        self._stems = [_stems(thinned(query)) for query in queries]
        self._terms = _bm25([_stems(passage) for passage in passages])

    def scores(self, queries: Sequence[int]) -> np.ndarray:
        """Shape (len(queries), n_passages) float32."""
        lexical = np.stack([self._lexical(self._stems[query]) for query in queries])
        dense = self._passage_vectors.similarities(self._query_vectors[list(queries)])
        return (0.5 * _standardised(dense) + 0.5 * _standardised(lexical)).astype(np.float32)

    def _lexical(self, stems: Sequence[str]) -> np.ndarray:
        found = np.zeros(len(self._passage_vectors))
        for stem in stems:
            if stem in self._terms:
                rows, weights = self._terms[stem]
                found[rows] += weights
        return found


def _stems(text: str) -> list[str]:
    return [word[:_STEM_CHARACTERS] for word in content_words(text)]


def _bm25(passages: Sequence[Sequence[str]]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """By stem: the passages that have it, and what it adds to the score of each."""
    lengths = np.array([max(1, len(stems)) for stems in passages])
    relative = _K1 * (1 - _B + _B * lengths / lengths.mean())
    postings: dict[str, list[tuple[int, int]]] = {}
    for row, stems in enumerate(passages):
        for stem, count in Counter(stems).items():
            postings.setdefault(stem, []).append((row, count))
    terms = {}
    for stem, found in postings.items():
        rows, counts = np.array(found).T
        idf = np.log1p((len(passages) - len(rows) + 0.5) / (len(rows) + 0.5))
        terms[stem] = rows, idf * counts * (_K1 + 1) / (counts + relative[rows])
    return terms


def _standardised(scores: np.ndarray) -> np.ndarray:
    spread = scores.std(axis=1, keepdims=True)
    return (scores - scores.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0)
