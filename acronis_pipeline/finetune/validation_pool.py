"""The validation questions over part of the corpus: cheap enough to look at while passage vectors change."""

from collections.abc import Sequence

import numpy as np

from acronis_pipeline.embedding import Embedder, PassageVectors
from acronis_pipeline.finetune.examples import Questions
from acronis_pipeline.finetune.method import Task
from acronis_pipeline.finetune.validation import CHOOSES, measure


class ValidationPool:
    """Metrics of the validation questions over their answers and a random sample of the other passages.

    The sample is random rather than the base's nearest passages: with those the base would face all its own
    mistakes and the tuned model none of its.

    Parameters
    ----------
    dimensions
        Length that vectors are cut to, where the published model's will be; all of it by default.
    matryoshka
        Lengths of which the smallest is measured as well.
    """

    def __init__(
        self, task: Task, n_passages: int, *, dimensions: int | None = None, matryoshka: Sequence[int] = ()
    ) -> None:
        from acronis_pipeline.finetune import devices

        questions = task.examples.validation
        rows = answers_and_others(questions, len(task.examples.passages), n_passages, task.seed)
        self.questions = questions.within(rows)
        self.passages = [task.examples.passages[row] for row in rows]
        self._dimensions, self._smallest = dimensions, min(matryoshka, default=None)
        self.base_look = devices.of_main(
            lambda: self.measure(task.base.encode_queries(questions.queries), task.passage_vectors.take(rows))
        )

    def look(self, embedder: Embedder) -> dict[str, float]:
        """hit_rate_at_5, mrr_at_10 and ndcg_at_10 of a model as it is now; `base_look` is the untouched base's.

        With Matryoshka dimensions also ndcg_at_10 at the smallest, as `ndcg_at_10_of_<dimension>`.
        """
        queries = embedder.encode_queries(self.questions.queries)
        return self.measure(queries, embedder.encode_windows(self.passages))

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
