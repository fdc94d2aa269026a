"""What checkpoints are chosen by: retrieval metrics of the validation questions.

Relevance is binary and by near-duplicate cluster: a gold cluster counts once, at the rank of its best passage. While
passage vectors change, only part of the corpus is looked at, which is cheap enough to do often.
"""

from collections.abc import Sequence

import numpy as np

from acronis_pipeline.encoders import Encoder, PassageVectors
from acronis_pipeline.finetune.examples import Questions
from acronis_pipeline.finetune.method import Task
from acronis_pipeline.finetune.parameters import ContrastiveParameters, EncoderParameters

CHOOSES = "ndcg_at_10"
"""The metric that decides between checkpoints."""

_K = 10
_NDCG_OF_ONE = (0.0, *(1.0 / np.log2(1.0 + np.arange(1, _K + 1))).tolist(), 0.0)
"""nDCG@10 of a question with one gold cluster, by its rank; 0 beyond the tenth."""
_AT_ONCE = 256
"""Questions whose scores are compared at once."""


def measure(query_vectors: np.ndarray, passage_vectors: PassageVectors, questions: Questions) -> dict[str, float]:
    """Mean hit rate@5, MRR@10 and nDCG@10 of an exact search.

    Parameters
    ----------
    query_vectors
        Shape (n_questions, dimension), L2-normalised.
    passage_vectors
        Of the passages that `questions` point at.
    """
    return summarise(gold_ranks(passage_vectors.similarities(query_vectors), questions))


def gold_ranks(scores: np.ndarray, questions: Questions) -> list[np.ndarray]:
    """1-based rank of each gold cluster's best passage, per question; a tie counts against it.

    A cluster's other passages do not count against it.

    Parameters
    ----------
    scores
        Shape (n_questions, n_passages).
    """
    ranks: list[np.ndarray] = []
    for start in range(0, len(scores), _AT_ONCE):
        ranks += _gold_ranks(scores[start : start + _AT_ONCE], questions.answers[start : start + _AT_ONCE])
    return ranks


def _gold_ranks(scores: np.ndarray, answers: Sequence[tuple[tuple[int, ...], ...]]) -> list[np.ndarray]:
    clusters = [(question, list(rows)) for question, of_one in enumerate(answers) for rows in of_one]
    own = [scores[question, rows] for question, rows in clusters]
    best = np.array([found.max() for found in own], dtype=scores.dtype)
    at_least = (scores[[question for question, _ in clusters]] >= best[:, None]).sum(axis=1)
    of_itself = np.array([np.count_nonzero(found >= found.max()) if len(found) > 1 else 1 for found in own])
    ends = np.cumsum([len(of_one) for of_one in answers])
    return np.split(at_least - of_itself + 1, ends[:-1])


def summarise(ranks: Sequence[np.ndarray]) -> dict[str, float]:
    """Metrics from the gold ranks of every question; 0 of none."""
    if not ranks:
        return dict.fromkeys(("hit_rate_at_5", "mrr_at_10", "ndcg_at_10"), 0.0)
    first = np.array([rank.min() for rank in ranks])
    return {
        "hit_rate_at_5": float(np.mean(first <= 5)),
        "mrr_at_10": float(np.mean(np.where(first <= _K, 1.0 / first, 0.0))),
        "ndcg_at_10": float(np.mean([_ndcg(rank) for rank in ranks])),
    }


def _ndcg(ranks: np.ndarray) -> float:
    if len(ranks) == 1:
        return _NDCG_OF_ONE[min(ranks[0], _K + 1)]
    gains = np.sum(1.0 / np.log2(1.0 + ranks[ranks <= _K]))
    ideal = np.sum(1.0 / np.log2(1.0 + np.arange(1, min(len(ranks), _K) + 1)))
    return float(gains / ideal)


class ValidationPool:
    """Metrics of the validation questions over their answers and a random sample of the other passages.

    The sample is random rather than the base's nearest passages: with those the base would face all its own
    mistakes and the tuned model none of its. Vectors are cut where the published model's will be.
    """

    def __init__(self, task: Task, parameters: ContrastiveParameters) -> None:
        from acronis_pipeline.finetune import devices

        questions, n_passages = task.examples.validation, len(task.examples.passages)
        rows = answers_and_others(questions, n_passages, parameters.validation_passages, task.seed)
        self.questions = questions.within(rows)
        self.passages = [task.examples.passages[row] for row in rows]
        self._dimensions = parameters.dimensions if isinstance(parameters, EncoderParameters) else None
        self._smallest = min(parameters.matryoshka_dimensions, default=None)
        self.base_look = devices.of_main(
            lambda: self.measure(task.base.encode_queries(questions.queries), task.passage_vectors.take(rows))
        )

    def look(self, encoder: Encoder) -> dict[str, float]:
        """hit_rate_at_5, mrr_at_10 and ndcg_at_10 of a model as it is now; `base_look` is the untouched base's.

        With Matryoshka dimensions also ndcg_at_10 at the smallest, as `ndcg_at_10_of_<dimension>`.
        """
        queries = encoder.encode_queries(self.questions.queries)
        return self.measure(queries, encoder.encode_windows(self.passages))

    def measure(self, queries: np.ndarray, passages: PassageVectors) -> dict[str, float]:
        """As `look`, from vectors of `questions`, (n_questions, dimension), and of `passages`."""
        found = self._measure(queries, passages, self._dimensions)
        if self._smallest:
            small = self._measure(queries, passages, self._smallest)
            found[f"{CHOOSES}_of_{self._smallest}"] = small[CHOOSES]
        return found

    def _measure(self, queries: np.ndarray, passages: PassageVectors, dimension: int | None) -> dict[str, float]:
        cut = passages.with_matrix(_cut(passages.matrix, dimension))
        return measure(_cut(queries, dimension), cut, self.questions)


def _cut(vectors: np.ndarray, dimension: int | None) -> np.ndarray:
    if dimension is None:
        return vectors
    cut = vectors[:, :dimension]
    return cut / np.linalg.norm(cut, axis=1, keepdims=True)


def answers_and_others(questions: Questions, n_all: int, n_passages: int, seed: int) -> np.ndarray:
    """Rows of every answer and of a random sample of the other passages, `n_passages` together if answers are fewer."""
    answers = np.unique([row for question in range(len(questions)) for row in questions.relevant(question)])
    others = np.setdiff1d(np.arange(n_all), answers)
    n_others = min(len(others), max(0, n_passages - len(answers)))
    return np.concatenate([answers, np.random.default_rng(seed).choice(others, n_others, replace=False)])
