"""Which questions meet in a training step of a whole-encoder method."""

import itertools
from collections.abc import Iterator

import numpy as np

from acronis_pipeline.finetune.examples import Questions


def with_same_answers(questions: Questions) -> list[list[int]]:
    """Question indices, those with the same answers together."""
    groups: dict[tuple[tuple[int, ...], ...], list[int]] = {}
    for question, answers in enumerate(questions.answers):
        groups.setdefault(answers, []).append(question)
    return list(groups.values())


class PassageBatches:
    """Batches of question indices, fresh in every epoch: so many passages, with up to `questions_each` of each.

    Questions about one passage stand together, so that the passage, which costs ten times a question, is encoded once
    for all of them. Near-duplicate passages count as one. A passage with more questions gives others in the next epoch,
    so a cap on the steps costs every passage some questions rather than some passages all of them.
    """

    def __init__(self, questions: Questions, *, passages: int, questions_each: int, seed: int) -> None:
        self._groups = with_same_answers(questions)
        self._passages = passages
        self._questions_each = questions_each
        self._seed = seed

    def __len__(self) -> int:
        """Batches in an epoch."""
        # A last batch of a single passage would have nothing to tell it from: it joins the one before.
        return max(1, (len(self._groups) + self._passages - 2) // self._passages)

    def epoch(self, number: int) -> Iterator[list[int]]:
        """The batches of one epoch; the same number gives the same batches."""
        rng = np.random.default_rng((self._seed, number))
        order = rng.permutation(len(self._groups))
        for index in range(len(self)):
            start = index * self._passages
            stop = None if index == len(self) - 1 else start + self._passages
            yield [question for group in order[start:stop] for question in self._some_of(self._groups[group], rng)]

    def take(self, n_batches: int) -> Iterator[list[int]]:
        """So many batches, over as many epochs as that takes."""
        endless = itertools.chain.from_iterable(self.epoch(number) for number in itertools.count())
        return itertools.islice(endless, n_batches)

    def _some_of(self, group: list[int], rng: np.random.Generator) -> list[int]:
        if len(group) <= self._questions_each:
            return group
        return rng.choice(group, self._questions_each, replace=False).tolist()
