"""Training steps in which passages meet others like them: what is hard to tell apart is what there is to learn."""

from collections.abc import Iterator, Sequence

import numpy as np

_NEAREST = 15
"""Neighbours among which those of a batch are drawn, so that a passage does not always meet the same ones."""


class NeighbourBatches:
    """Batches of question indices: passages drawn by their number of questions, each with some of its nearest.

    Each passage of a batch is asked one question at random. Where neighbourhoods overlap, some stand there twice.

    Parameters
    ----------
    origins
        Per question, the row of the passage it was made from; only these passages are drawn.
    passage_vectors
        Shape (n_passages, dimension), L2-normalised.
    """

    def __init__(
        self, origins: Sequence[int], passage_vectors: np.ndarray, *, size: int, neighbours: int, seed: int
    ) -> None:
        self._origins = tuple(origins)
        self._questions_of: dict[int, list[int]] = {}
        for question, row in enumerate(origins):
            self._questions_of.setdefault(row, []).append(question)
        rows = np.array(sorted(self._questions_of))
        self._place = {int(row): place for place, row in enumerate(rows)}
        vectors = passage_vectors[rows]
        similar = vectors @ vectors.T
        np.fill_diagonal(similar, -np.inf)
        self._nearest = rows[np.argsort(-similar, axis=1)[:, : min(_NEAREST, len(rows) - 1)]]
        self._size, self._neighbours, self._seed = size, neighbours, seed

    def __len__(self) -> int:
        """Batches until as many questions were asked as there are."""
        return max(1, len(self._origins) // self._size)

    def endless(self) -> Iterator[list[int]]:
        """The same batches in the same order every time."""
        rng = np.random.default_rng(self._seed)
        n_drawn = min(max(1, self._size // self._neighbours), len(self._origins))
        while True:
            rows: list[int] = []
            for question in rng.choice(len(self._origins), n_drawn, replace=False):
                row = self._origins[question]
                near = rng.permutation(self._nearest[self._place[row]])[: self._neighbours - 1]
                rows += [row, *near.tolist()]
            yield [int(rng.choice(self._questions_of[row])) for row in rows]
