"""The validation questions over part of the corpus: cheap enough to look at while passage vectors change."""

import numpy as np

from acronis_pipeline.embedding import Embedder
from acronis_pipeline.finetune.method import Task
from acronis_pipeline.finetune.validation import CHOOSES, measure


class ValidationPool:
    """nDCG@10 of the validation questions over their answers and a random sample of the other passages.

    The sample is random rather than the base's nearest passages: with those the base would face all its own
    mistakes and the tuned model none of its.
    """

    def __init__(self, task: Task, n_passages: int) -> None:
        questions = task.examples.validation
        n_all = len(task.examples.passages)
        answers = sorted({row for question in range(len(questions)) for row in questions.relevant(question)})
        others = np.setdiff1d(np.arange(n_all), answers)
        n_others = min(len(others), max(0, n_passages - len(answers)))
        sample = np.random.default_rng(task.seed).choice(others, n_others, replace=False)
        rows = np.concatenate([np.array(answers, dtype=int), sample])
        self.questions = questions.within(rows)
        self.passages = [task.examples.passages[row] for row in rows]
        base_queries = task.base.encode_queries(questions.queries)
        self.base_value = measure(base_queries, task.passage_vectors[rows], self.questions)[CHOOSES]

    def value_of(self, embedder: Embedder) -> float:
        queries = embedder.encode_queries(self.questions.queries)
        return measure(queries, embedder.encode_passages(self.passages), self.questions)[CHOOSES]
