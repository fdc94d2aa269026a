"""Questions and the passages that answer them, as plain values: what training and evaluation take in.

Comes from the pipeline's own tables, or from a file in a format that other tools write.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Passage:
    """One passage of the corpus under search.

    `text` is what is embedded and searched; near-duplicates share `cluster_id`; a page (`url`) holds several passages.
    """

    chunk_id: str
    text: str
    cluster_id: str
    url: str


@dataclass(frozen=True)
class Question:
    """A query with its gold passages (at least one; near-duplicates included).

    `group` names what questions share that makes them dependent, normally the page: bootstraps resample groups.
    `negatives` are texts, not of the corpus, that look like an answer and are none: training contrasts with them.
    `removed` is the sentence that the query was made from: training takes it out of the passage.
    """

    question_id: str
    query: str
    chunk_ids: tuple[str, ...]
    group: str
    style: str = "question"
    negatives: tuple[str, ...] = ()
    removed: str = ""


@dataclass(frozen=True)
class RetrievalDataset:
    """A corpus with questions in up to three splits; no page and no cluster stands in two of them."""

    passages: tuple[Passage, ...]
    train: tuple[Question, ...] = ()
    validation: tuple[Question, ...] = ()
    test: tuple[Question, ...] = ()

    @property
    def by_id(self) -> dict[str, Passage]:
        return {passage.chunk_id: passage for passage in self.passages}


def gold_clusters(question: Question, passages: dict[str, Passage]) -> frozenset[str]:
    """Clusters of a question's gold passages: retrieving any near-duplicate of a gold passage is right."""
    return frozenset(passages[chunk_id].cluster_id for chunk_id in question.chunk_ids if chunk_id in passages)


def singletons(texts: Sequence[tuple[str, str]]) -> tuple[Passage, ...]:
    """Passages from (id, text) pairs of a corpus that knows neither pages nor near-duplicates.

    Identical texts share a cluster, so that a second copy of a gold passage is no miss.
    """
    first_with: dict[str, str] = {}
    return tuple(Passage(chunk_id, text, first_with.setdefault(text, chunk_id), chunk_id) for chunk_id, text in texts)
