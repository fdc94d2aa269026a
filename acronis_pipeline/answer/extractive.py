"""Answers without an LLM: the retrieved sentences closest to the question, quoted and cited."""

import re
from collections.abc import Callable, Sequence

import numpy as np

from acronis_pipeline.answer.sentences import sentences
from acronis_pipeline.embedding import Embedder
from acronis_pipeline.retrieve import Hit

_MAX_SENTENCES = 3
# A sentence of the best passage wins over an equally similar one further down; .05 a rank, chosen by eye on the sample site.
_RANK_COST = 0.05
_STOP_WORDS = frozenset(
    "a an and any are as at be by can do does for from has have how i if in is it its keep many me my of on or our that the "
    "there this to us was we what when where which who why will with you your".split()
)


def quote(question: str, hits: Sequence[Hit], embedder: Embedder | None) -> list[tuple[str, Hit]]:
    """The sentences of `hits` that best answer the question, in reading order, each with the passage it stands in.

    Similarity is the encoder's cosine, or shared words where the champion has no encoder (BM25).
    """
    candidates = [(sentence, hit) for hit in hits for sentence in sentences(hit.text)]
    if not candidates:
        return []
    texts = [f"{hit.title}: {sentence}" for sentence, hit in candidates]
    similarity = _cosine(embedder)(question, texts) if embedder else _shared_words(question, texts)
    scores = similarity - _RANK_COST * np.array([hit.rank - 1 for _, hit in candidates])
    best = sorted(np.argsort(-scores, kind="stable")[:_MAX_SENTENCES])
    return list(dict.fromkeys(candidates[index] for index in best))


def _cosine(embedder: Embedder) -> Callable[[str, Sequence[str]], np.ndarray]:
    def similarity(question: str, texts: Sequence[str]) -> np.ndarray:
        return (embedder.encode_passages(texts) @ embedder.encode_queries([question]).T)[:, 0]

    return similarity


def _shared_words(question: str, texts: Sequence[str]) -> np.ndarray:
    wanted = _content_words(question)
    return np.array([len(wanted & _content_words(text)) / max(1, len(wanted)) for text in texts])


def _content_words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower())) - _STOP_WORDS
