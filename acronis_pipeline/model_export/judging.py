"""An exported model beside its original, on the same questions over the same passages."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from acronis_pipeline.dataset import Question, RetrievalDataset, gold_clusters
from acronis_pipeline.embedding import Embedder
from acronis_pipeline.encoders.probe import Comparison, compare
from acronis_pipeline.evaluate.metrics import ndcg_at
from acronis_pipeline.evaluate.significance import Difference, paired_difference

_K = 10
_CONSIDERED = 50
"""Passages ranked for ten distinct ones: near-duplicates count once."""


@dataclass(frozen=True)
class Judgement:
    """nDCG@10 of both on `difference.n` questions, exported minus original with its interval, and their speeds."""

    original: float
    exported: float
    difference: Difference
    speed: Comparison

    @property
    def largest_loss(self) -> float:
        """The worst that the 95 % interval leaves possible."""
        return max(0.0, -self.difference.low)


def judge(original: Embedder, exported: Embedder, dataset: RetrievalDataset) -> Judgement:
    """Ask both the test questions, of which there is one at least, by exact cosine over all passages."""
    passages = [passage.text for passage in dataset.passages]
    before, after = (ndcg_by_question(embedder, dataset, passages) for embedder in (original, exported))
    groups = [question.group for question in dataset.test]
    return Judgement(
        original=float(np.mean(before)),
        exported=float(np.mean(after)),
        difference=paired_difference(after, before, groups),
        speed=compare(original, exported, passages),
    )


def ndcg_by_question(embedder: Embedder, dataset: RetrievalDataset, passages: Sequence[str]) -> list[float]:
    """nDCG@10 of every test question."""
    vectors = embedder.encode_windows(passages)
    queries = embedder.encode_queries([question.query for question in dataset.test])
    by_id = dataset.by_id
    cluster_of = [passage.cluster_id for passage in dataset.passages]

    def value(question: Question, query: np.ndarray) -> float:
        # Five decimals, ties by position: as the retrievers rank.
        similarity = np.round(vectors.similarities(query), 5)
        best = np.argsort(-similarity, kind="stable")[:_CONSIDERED]
        ranked = list(dict.fromkeys(cluster_of[row] for row in best.tolist()))
        return ndcg_at(ranked, gold_clusters(question, by_id), _K)

    return [value(question, query) for question, query in zip(dataset.test, queries, strict=True)]
