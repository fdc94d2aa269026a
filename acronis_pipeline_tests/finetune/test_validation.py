import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acronis_pipeline.finetune.examples import Questions
from acronis_pipeline.finetune.validation import gold_ranks, summarise


def asked(*answers: tuple[tuple[int, ...], ...]) -> Questions:
    n = len(answers)
    return Questions(("q",) * n, answers, tuple(a[0][0] for a in answers), ("question",) * n)


def test_near_duplicates_of_the_answer_are_one_answer_at_the_better_rank() -> None:
    scores = np.array([[0.9, 0.8, 0.7, 0.6]])
    assert gold_ranks(scores, asked(((3, 1),)))[0].tolist() == [2]


def test_a_tie_counts_against_the_answer() -> None:
    assert gold_ranks(np.array([[0.5, 0.5, 0.1]]), asked(((0,),)))[0].tolist() == [2]


def test_metrics_of_known_ranks() -> None:
    metrics = summarise([np.array([1]), np.array([6]), np.array([11]), np.array([2, 4])])
    assert metrics["hit_rate_at_5"] == 0.5
    assert metrics["mrr_at_10"] == pytest.approx((1 + 1 / 6 + 0 + 1 / 2) / 4)
    two = (1 / np.log2(3) + 1 / np.log2(5)) / (1 + 1 / np.log2(3))
    assert metrics["ndcg_at_10"] == pytest.approx((1 + 1 / np.log2(7) + 0 + two) / 4)


@given(st.integers(0, 2**32 - 1))
def test_ranks_are_the_places_in_a_sorted_list(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.permutation(20)[None, :].astype(float)
    answers = tuple((int(row),) for row in rng.choice(20, rng.integers(1, 4), replace=False))
    order = np.argsort(-scores[0]).tolist()
    assert gold_ranks(scores, asked(answers))[0].tolist() == [order.index(row) + 1 for (row,) in answers]


@given(st.lists(st.lists(st.integers(1, 50), min_size=1, max_size=4, unique=True), min_size=1, max_size=10))
def test_metrics_lie_between_zero_and_one(ranks: list[list[int]]) -> None:
    assert all(0 <= value <= 1 for value in summarise([np.array(r) for r in ranks]).values())
