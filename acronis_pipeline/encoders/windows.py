"""Several vectors a passage: one of each window of its text, so that no sentence drowns in a long passage.

A vector is the mean of a text's tokens, and one sentence out of thirty hardly moves it. So the text is cut into
overlapping windows, and a passage is as similar to a question as its most similar window (MaxP of Dai and Callan,
Deeper text understanding for IR, SIGIR 2019, with vectors). A window alone forgets what the passage is about; so each
window's vector is mixed with that of the whole passage. What that gains is in docs/benchmarks.md.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from acronis_pipeline.core.hashing import digest


@dataclass(frozen=True)
class Windows:
    """How passages are cut: windows of `tokens`, each sharing `overlap` with the next.

    Each vector is `whole_share` of the whole passage's and the rest of the window's own, L2-normalised again. A passage
    of one window has the whole's vector alone.
    """

    tokens: int
    overlap: int
    whole_share: float

    def __str__(self) -> str:
        return f"windows of {self.tokens} tokens, {self.overlap} shared, {self.whole_share:.0%} the whole passage"

    @property
    def fingerprint(self) -> str:
        return digest("windows", str(self.tokens), str(self.overlap), str(self.whole_share))


class WindowCutter:
    """Cuts texts into windows of a model's own tokens.

    Parameters
    ----------
    tokenizer
        A `tokenizers.Tokenizer`; it is copied.
    """

    def __init__(self, tokenizer: Any, windows: Windows) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_str(tokenizer.to_str())
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._windows = windows

    def cut(self, texts: Sequence[str]) -> list[list[str]]:
        """The windows of each text, whole words of it as they stand there; the text itself where it is one window.

        Words are what stands between spaces; one that is longer than a quarter of a window may be broken, as may a text
        of a language that puts no spaces.
        """
        encodings = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [self._cut(text, encoding.offsets) for text, encoding in zip(texts, encodings, strict=True)]

    def _cut(self, text: str, offsets: Sequence[tuple[int, int]]) -> list[str]:
        if len(offsets) <= self._windows.tokens:
            return [text]
        spans = _spans(_cuts(text, offsets, self._windows.tokens // 4), self._windows)
        return [text[offsets[start][0] : offsets[end - 1][1]] for start, end in spans]


def _cuts(text: str, offsets: Sequence[tuple[int, int]], longest: int) -> list[int]:
    """Tokens before which a text may be cut, ascending, its beginning and end among them."""
    words = [n for n, (start, _) in enumerate(offsets) if n == 0 or _is_space(text, offsets[n - 1][1], start)]
    cuts: list[int] = []
    for start, end in zip(words, [*words[1:], len(offsets)], strict=True):
        cuts += [start] if end - start <= longest else range(start, end)
    return [*cuts, len(offsets)]


def _is_space(text: str, end: int, start: int) -> bool:
    """Whether there is space before a token; some tokenizers make it part of the token."""
    return start > end or text[start : start + 1].isspace()


def _spans(cuts: Sequence[int], windows: Windows) -> list[tuple[int, int]]:
    """First token of each window, and the one after its last."""
    n_tokens, start, spans = cuts[-1], 0, []
    while n_tokens - start > windows.tokens:
        spans.append((start, cuts[bisect_right(cuts, start + windows.tokens) - 1]))
        following = cuts[bisect_right(cuts, start + windows.tokens - windows.overlap) - 1]
        start = following if following > start else cuts[bisect_right(cuts, start)]
    # The last window is moved back to be a full one: a tail of three words is no text.
    return [*spans, (cuts[bisect_left(cuts, n_tokens - windows.tokens)], n_tokens)]


@dataclass(frozen=True)
class PassageVectors:
    """The vectors of passages, one or several each.

    `matrix` has shape (n_vectors, dimension) float32, L2-normalised; those of passage i are its rows from `starts[i]`
    to `starts[i + 1]`, at least one. `starts` has n_passages + 1 entries.
    """

    matrix: np.ndarray
    starts: np.ndarray

    @classmethod
    def single(cls, matrix: np.ndarray) -> "PassageVectors":
        """One vector a passage."""
        return cls(matrix, np.arange(len(matrix) + 1))

    @classmethod
    def joined(cls, blocks: Sequence[np.ndarray], dimension: int) -> "PassageVectors":
        """Of a block of vectors a passage, each of shape (n, dimension)."""
        starts = np.concatenate([[0], np.cumsum([len(block) for block in blocks], dtype=np.int64)])
        return cls(np.concatenate(blocks) if blocks else np.zeros((0, dimension), np.float32), starts.astype(np.int64))

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def dimension(self) -> int:
        return self.matrix.shape[1]

    def of(self, row: int) -> np.ndarray:
        """The vectors of one passage, shape (n, dimension)."""
        return self.matrix[self.starts[row] : self.starts[row + 1]]

    def closest(self, row: int, query: np.ndarray) -> int:
        """Which of the vectors of one passage, from 0 on, is closest to a query's, shape (dimension,)."""
        return int((self.of(row) @ query).argmax())

    def similarities(self, queries: np.ndarray) -> np.ndarray:
        """Cosine of each query (of shape (n_queries, dimension)) with each passage's closest vector.

        Shape (n_queries, n_passages); of a single query, (dimension,), shape (n_passages,).
        """
        found = queries @ self.matrix.T
        if len(self.matrix) == len(self) or not len(self):
            return found
        return np.maximum.reduceat(found, self.starts[:-1], axis=-1)

    def take(self, rows: Sequence[int] | np.ndarray) -> "PassageVectors":
        """Those of some passages, in that order."""
        rows = np.asarray(rows, dtype=np.int64)
        if len(self.matrix) == len(self):
            return PassageVectors.single(self.matrix[rows])
        return PassageVectors.joined([self.of(int(row)) for row in rows], self.dimension)

    def centres(self) -> np.ndarray:
        """One vector a passage, shape (n_passages, dimension): the mean of its own, L2-normalised."""
        if len(self.matrix) == len(self) or not len(self):
            return self.matrix
        return _unit(np.add.reduceat(self.matrix, self.starts[:-1], axis=0))

    def with_matrix(self, matrix: np.ndarray) -> "PassageVectors":
        """The same passages with other vectors, as many."""
        return PassageVectors(matrix, self.starts)


def mixed(whole: np.ndarray, windows: Sequence[np.ndarray], whole_share: float) -> PassageVectors:
    """Vectors of passages from the whole's, (n_passages, dimension), and from those of each one's windows.

    A passage without windows of its own (shape (0, dimension)) keeps the whole's vector alone.
    """
    blocks = [
        _unit(whole_share * row + (1.0 - whole_share) * own) if len(own) else row[None]
        for row, own in zip(whole, windows, strict=True)
    ]
    return PassageVectors.joined(blocks, whole.shape[1])


def _unit(matrix: np.ndarray) -> np.ndarray:
    return (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32, copy=False)
