"""What a training step tells apart: questions, and passages or those of their windows that the questions are about.

Where the base has windows, a question is contrasted with the closest window of a passage instead of the whole, and the
base is taken at its word which one that is. Training sees texts as the index will, and a window of 64 tokens costs an
eighth of a passage of 512.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from acronis_pipeline.finetune.examples import Questions
from acronis_pipeline.finetune.method import Task

OUTSIDE = -1
"""Stands for the row of a text that is no passage of the corpus."""

Shown = Callable[[int, int], str]
"""Of a training question and the row of a passage: the text by which that passage stands before that question."""


@dataclass(frozen=True)
class Contrast:
    """The questions and passages of a step, each passage once however many questions are about it.

    With windows it is each window once, and all windows of an answer are answers.

    `rows[j]` is the corpus row of the j-th passage, or OUTSIDE, and `shown[j]` the text by which it stands, of which
    `passages[j]` is what is left where a sentence was taken out. `positive` and `contrasted` are boolean, of shape
    (n_questions, n_passages): which passages answer a question, and which it is told apart from or finds at all.
    """

    questions: list[int]
    queries: list[str]
    rows: list[int]
    shown: list[str]
    passages: list[str]
    positive: np.ndarray
    contrasted: np.ndarray


def lay_out(
    questions: Questions,
    passages: Sequence[str],
    batch: Sequence[int],
    negatives: Sequence[Sequence[int]] = (),
    shown: Shown | None = None,
) -> Contrast:
    """The questions of a batch with the passages that they were made from and their own hard negatives.

    All are contrasted with all the passages that questions were made from. A hard negative counts against its own
    question only: what does not answer one question about a passage may well answer the next. A sentence that a
    question was made from is taken out of its passage, so that the passage is found by what else it says.

    Parameters
    ----------
    negatives
        Rows of each question's hard negatives in the corpus, by question; those that came with the questions as texts
        (`Questions.negatives`) are added.
    shown
        The text by which a passage stands before a question, of question and row; the whole passage by default.
    """
    shown = shown or (lambda _, row: passages[row])
    shared = sorted({(questions.origins[question], shown(question, questions.origins[question])) for question in batch})
    rows = [row for row, _ in shared]
    texts = [_without(text, questions.removed_from(row, batch)) for row, text in shared]
    own: dict[tuple[int, str], set[int]] = {}
    for index, question in enumerate(batch):
        for row in negatives[question] if negatives else ():
            if row not in rows:
                own.setdefault((row, shown(question, row)), set()).add(index)
        for text in questions.negatives_of(question):
            own.setdefault((OUTSIDE, text), set()).add(index)
    n_shared = len(rows)
    rows, texts = rows + [row for row, _ in own], texts + [text for _, text in own]
    before = [text for _, text in (*shared, *own)]
    answers = [set(questions.relevant(question)) for question in batch]
    positive = np.array([[row in rows_of_one for row in rows] for rows_of_one in answers], dtype=bool)
    contrasted = positive.copy()
    contrasted[:, :n_shared] = True
    for column, owners in enumerate(own.values(), start=n_shared):
        contrasted[sorted(owners), column] = True
    queries = [questions.queries[question] for question in batch]
    return Contrast(list(batch), queries, rows, before, texts, positive, contrasted)


def _without(passage: str, sentences: Iterable[str]) -> str:
    """The passage without these sentences; the whole passage where nothing would be left of it."""
    rest = passage
    for sentence in sentences:
        rest = rest.replace(sentence, " ")
    return rest if rest.strip() else passage


def shown_of(task: Task) -> Shown | None:
    """The closest window of each passage to each training question; None where the base has no windows."""
    if task.base.identity.windows is None:
        return None
    windows, query_vectors = task.base.cut(task.examples.passages), task.query_vectors

    def shown(question: int, row: int) -> str:
        return windows[row][task.passage_vectors.closest(row, query_vectors[question])]

    return shown
