"""Mining hard negatives: which passages are taken, which are not, and when it is refused."""

import numpy as np
import pytest

from acronis_pipeline.core.errors import RecipeError
from acronis_pipeline.encoders import PassageVectors
from acronis_pipeline.finetune.examples import Examples, Questions
from acronis_pipeline.finetune.negatives import HardNegatives, mine

TEXTS = ("restore files", "restore a file", "Restore  FILES", "licences", "prices", "never asked about")
PAGES = ("restore", "restore", "elsewhere", "licences", "licences", "other")
TO_FIRST = np.array([1.0, 0.97, 0.9, 0.8, 0.3, 0.6], np.float32)
"""Cosine of the first question to every passage."""


def examples(answers: tuple[tuple[tuple[int, ...], ...], ...]) -> Examples:
    n = len(answers)
    train = Questions(("q",) * n, answers, tuple(one[0][0] for one in answers), ("question",) * n)
    return Examples(TEXTS, train, train, PAGES)


ASKED = examples((((0,),), ((1,),), ((2,),), ((3,),), ((4,),)))


def mined(asked: Examples = ASKED, **parameters: object) -> tuple[int, ...]:
    """Negatives of the first question; the others have exactly their answer's similarity everywhere else, or none."""
    n = len(asked.train)
    passages = np.eye(len(TEXTS), dtype=np.float32)
    queries = np.vstack([TO_FIRST, *[np.eye(len(TEXTS), dtype=np.float32)[row] for row in range(1, n)]])
    wanted = HardNegatives.model_validate({"per_question": 6, **parameters})
    return mine(asked, queries, PassageVectors.single(passages), wanted)[0]


def test_closest_passages_first_without_the_answer() -> None:
    assert mined() == (3, 4)


def test_what_may_be_an_answer_that_nobody_marked_is_left_out() -> None:
    assert mined(relative_margin=0.01) == (1, 3, 4)
    assert mined(relative_margin=0.3) == (4,)


def test_same_words_and_near_duplicates_of_the_answer_are_no_negatives() -> None:
    assert 2 not in mined(relative_margin=0.0)
    with_twin = examples((((0, 3),), ((1,),), ((2,),), ((3,),), ((4,),)))
    assert mined(with_twin) == (4,)


def test_passages_that_answer_nothing_are_not_only_pushed_away() -> None:
    assert 5 not in mined(relative_margin=0.0)


def test_ranks_are_counted_among_what_is_no_answer() -> None:
    assert mined(range=(1, 2)) == (3,)
    assert mined(range=(3, 9)) == (4,)


def test_other_passages_of_the_answers_page_can_be_left_out() -> None:
    assert mined(relative_margin=0.0, same_page=False) == (3, 4)


def test_not_more_than_asked_for() -> None:
    assert mined(relative_margin=0.0, per_question=1) == (1,)


def test_nothing_is_mined_unless_asked_for() -> None:
    passages = PassageVectors.single(np.eye(6, dtype=np.float32))
    assert mine(ASKED, np.zeros((5, 6), np.float32), passages, HardNegatives()) == ()


def test_refused_when_too_few_questions_keep_one() -> None:
    with pytest.raises(RecipeError, match=r"hard_negatives: only 0 of 5 .*lower relative_margin, widen range"):
        mined(range=(20, 30))


def test_ranks_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[5, 2\]"):
        HardNegatives(per_question=1, range=(5, 2))
