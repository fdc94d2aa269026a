"""Builders for small corpora, and an encoder of words that needs no model."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from acronis_pipeline.core.hashing import digest
from acronis_pipeline.encoders import Encoder, ModelIdentity, Windows
from acronis_pipeline.store import Store, tables

DIMENSION = 64


class WordEncoder(Encoder):
    """Sums a fixed random vector for every word, so texts that share words are close; counts what it encodes.

    Parameters
    ----------
    synonyms
        Words replaced on the query side only: what a fine-tuned query encoder would have learned.
    """

    def __init__(self, name: str = "words", synonyms: dict[str, str] | None = None) -> None:
        document = digest("word embedder")
        super().__init__(ModelIdentity(name, digest(name), document, DIMENSION, 256))
        self.synonyms = synonyms or {}
        self.n_encoded_passages = 0

    def encode_queries(self, queries: Sequence[str]) -> np.ndarray:
        return self._vectors([" ".join(self.synonyms.get(word, word) for word in words(query)) for query in queries])

    def encode_passages(self, passages: Sequence[str]) -> np.ndarray:
        self.n_encoded_passages += len(passages)
        return self._vectors(passages)

    def _vectors(self, texts: Sequence[str]) -> np.ndarray:
        sums = np.array([sum((_vector(word) for word in words(text)), np.full(DIMENSION, 1e-3)) for text in texts])
        sums = sums.reshape(len(texts), DIMENSION)
        return (sums / np.linalg.norm(sums, axis=1, keepdims=True)).astype(np.float32)


class WindowedWordEncoder(WordEncoder):
    """A `WordEncoder` whose passages have a vector of each six words, three of them shared with the next window."""

    def __init__(self) -> None:
        super().__init__()
        windows = Windows(tokens=6, overlap=3, whole_share=0.5)
        document = digest(self.identity.document_fingerprint, windows.fingerprint)
        self.identity = replace(self.identity, document_fingerprint=document, windows=windows)

    def cut(self, passages: Sequence[str]) -> list[list[str]]:
        return [
            [" ".join(passage.split()[start : start + 6]) for start in range(0, max(1, len(passage.split()) - 3), 3)]
            for passage in passages
        ]


def words(text: str) -> list[str]:
    return "".join(letter if letter.isalnum() else " " for letter in text.lower()).split()


def identity_of_another_model() -> ModelIdentity:
    return replace(WordEncoder().identity, base="another", document_fingerprint=digest("another"))


def chunk(
    chunk_id: str, text: str, *, url: str | None = None, cluster: str | None = None, anchor: str | None = None
) -> dict:
    """A row of the chunks table; alone on its page and in its cluster unless told otherwise."""
    return {
        "chunk_id": chunk_id,
        "url": url or f"https://docs.test/{chunk_id}/",
        "title": f"Title of {chunk_id}",
        "heading_path": ["Heading"],
        "anchor": anchor,
        "ordinal": 0,
        "text": text,
        "passage": text,
        "n_tokens": len(words(text)),
        "cluster_id": cluster or chunk_id,
        "language": "en",
        "page_key": "key",
    }


def write_chunks(store: Store, chunks: Sequence[dict]) -> None:
    """Make the chunks table hold exactly these rows."""
    store.sync(tables.CHUNKS, tables.CHUNKS.rows(list(chunks)))


@cache
def _vector(word: str) -> np.ndarray:
    return np.random.default_rng(int(digest(word)[:8], 16)).normal(size=DIMENSION)
