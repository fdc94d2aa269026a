"""Hard negatives: passages that look to the base like an answer to a question and are none.

A passage nearly as close to the question as its answer is often an answer that nobody marked, and training against it
teaches nonsense. So passages beyond a share of the answer's own similarity are left out (TopK-PercPos of NV-Retriever,
arXiv 2407.15831).
"""

import logging
from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from acronis_pipeline.core.errors import RecipeError
from acronis_pipeline.encoders import PassageVectors
from acronis_pipeline.finetune.examples import Examples, Questions

_AT_ONCE = 1024
"""Questions whose similarities to the whole corpus are in memory at once."""

_NEEDED = 0.5
"""Share of the questions that must keep a negative; with fewer the parameters don't fit the data."""

_log = logging.getLogger(__name__)


class HardNegatives(BaseModel):
    """How to mine; `per_question` 0 mines none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    per_question: int = Field(default=0, ge=0, le=32, description="Hard negatives of each question; 0 mines none.")
    relative_margin: float = Field(
        default=0.05, ge=0, lt=1, description="A passage less than this share further away than the answer is left out."
    )
    range: tuple[int, int] = Field(default=(1, 50), description="First and last rank, among what is no answer.")
    same_page: bool = Field(default=True, description="Whether other passages of an answer's page may be negatives.")

    @field_validator("range")
    @classmethod
    def _first_before_last(cls, ranks: tuple[int, int]) -> tuple[int, int]:
        if not 1 <= ranks[0] <= ranks[1]:
            raise ValueError(f"{list(ranks)} must be a first rank of at least 1 and a last one not before it")
        return ranks


def mine(
    examples: Examples, query_vectors: np.ndarray, passage_vectors: PassageVectors, parameters: HardNegatives
) -> tuple[tuple[int, ...], ...]:
    """Rows of each training question's hard negatives, the closest first; () without any mining.

    Only passages that answer some training question are taken: one that is never an answer would only ever be pushed
    away, and with it the held-out pages. No answer, near-duplicate of one or passage of the same words is taken.

    Parameters
    ----------
    query_vectors
        Of the training questions, (n_questions, dimension), L2-normalised.
    passage_vectors
        Of all passages.

    Raises
    ------
    RecipeError
        If less than half of the questions keep one.
    """
    if not parameters.per_question:
        return ()
    train = examples.train
    rows = np.unique([row for question in range(len(train)) for row in train.relevant(question)])
    forbidden = _Forbidden(examples, parameters)
    found: list[tuple[int, ...]] = []
    for start in range(0, len(train), _AT_ONCE):
        scores = passage_vectors.similarities(query_vectors[start : start + _AT_ONCE])
        for question, row_scores in enumerate(scores, start=start):
            found.append(_of_one(train, question, row_scores, rows, forbidden, parameters))
    kept = sum(bool(negatives) for negatives in found)
    _log.info("hard negatives: %d of %d questions have some, %d in all", kept, len(train), sum(map(len, found)))
    if kept < _NEEDED * len(train):
        first, last = parameters.range
        raise RecipeError(
            f"parameters.hard_negatives: only {kept} of {len(train)} questions keep one between ranks {first} and "
            f"{last} that is {parameters.relative_margin:.0%} further away than their answer; lower relative_margin, "
            "widen range, allow same_page, or set per_question to 0"
        )
    return tuple(found)


def _of_one(
    train: Questions,
    question: int,
    scores: np.ndarray,
    rows: np.ndarray,
    forbidden: "_Forbidden",
    parameters: HardNegatives,
) -> tuple[int, ...]:
    """The hard negatives of one question; `scores` are its similarities to all passages."""
    answer = scores[list(train.relevant(question))].max()
    limit = answer - parameters.relative_margin * abs(answer)
    others = rows[~np.isin(rows, list(forbidden.for_question(train, question)))]
    first, last = parameters.range
    ranked = others[np.argsort(-scores[others], kind="stable")][first - 1 : last]
    return tuple(int(row) for row in ranked if scores[row] <= limit)[: parameters.per_question]


class _Forbidden:
    """Rows that cannot be a question's negative, whatever their similarity."""

    def __init__(self, examples: Examples, parameters: HardNegatives) -> None:
        self._alike = _groups([" ".join(text.casefold().split()) for text in examples.passages])
        self._pages = () if parameters.same_page else _groups(examples.pages)

    def for_question(self, train: Questions, question: int) -> set[int]:
        answers = train.relevant(question)
        groups = [self._alike[row] for row in answers] + [self._pages[row] for row in answers if self._pages]
        return {row for group in groups for row in group}


def _groups(keys: Sequence[str]) -> list[list[int]]:
    """For every row, the rows with the same key."""
    members: dict[str, list[int]] = {}
    for row, key in enumerate(keys):
        members.setdefault(key, []).append(row)
    return [members[key] for key in keys]
