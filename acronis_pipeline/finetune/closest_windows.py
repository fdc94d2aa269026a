"""Which window of a passage a training question is about: what it is contrasted with, instead of the whole passage.

The base's closest window is taken at its word. Training sees texts as the index will, and a window of 64 tokens costs
an eighth of a passage of 512.
"""

from collections.abc import Callable

from acronis_pipeline.finetune.method import Task

Shown = Callable[[int, int], str]
"""Of a training question and the row of a passage: the text by which that passage stands before that question."""


def shown_of(task: Task) -> Shown | None:
    """The closest window of each passage to each training question; None where the base has no windows."""
    if task.base.identity.windows is None:
        return None
    windows, query_vectors = task.base.cut(task.examples.passages), task.query_vectors

    def shown(question: int, row: int) -> str:
        return windows[row][task.passage_vectors.closest(row, query_vectors[question])]

    return shown
