import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acronis_pipeline.evaluate.questions import EvalQuestion
from acronis_pipeline.evaluate.validation import DEFAULT, GRID, learn_weight
from acronis_pipeline.retrieve.ranking import Pool

UNITS = {name: name for name in "abcdef"}


def question(n: int, relevant: str = "b") -> EvalQuestion:
    return EvalQuestion(f"q{n}", "query", "synthetic", "question", f"page{n}", {relevant: relevant})


def scored(dense: str, lexical: str) -> Pool:
    """A pool of two passages, each list preferring the one named; where they cancel out, `a` comes first."""
    return Pool(
        ("a", "b"),
        np.array([1.0, -1.0]) * (1 if dense == "a" else -1),
        np.array([1.0, -1.0]) * (1 if lexical == "a" else -1),
    )


def test_useless_dense_scores_get_the_smaller_share() -> None:
    learned = learn_weight([scored("a", "b")] * 10, [question(n) for n in range(10)], UNITS)
    assert learned.dense_weight < 0.5
    assert learned.ndcg_at_10 == 1.0


def test_useless_bm25_gets_the_smaller_share() -> None:
    assert learn_weight([scored("b", "a")] * 10, [question(n) for n in range(10)], UNITS).dense_weight > 0.5


def test_equally_good_weights_give_the_evenest_mix() -> None:
    assert learn_weight([scored("b", "b")] * 10, [question(n) for n in range(10)], UNITS).dense_weight == 0.5


def test_no_validation_questions_mean_the_default() -> None:
    assert learn_weight([], [], UNITS).dense_weight == DEFAULT


def test_score_is_that_of_weights_chosen_by_other_pages() -> None:
    # Page 0 needs dense, all others BM25: the weight they choose fails on it, and the score says so.
    pools = [scored("b", "a"), *[scored("a", "b")] * 9]
    learned = learn_weight(pools, [question(n) for n in range(10)], UNITS)
    assert learned.ndcg_at_10 == pytest.approx((9 + 1 / np.log2(3)) / 10)


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("ab"), st.sampled_from("abc")), min_size=1, max_size=12)
)
def test_learned_weight_is_on_the_grid_and_its_score_a_mean_of_ndcg(cases) -> None:
    pools = [scored(dense, lexical) for dense, lexical, _ in cases]
    learned = learn_weight(pools, [question(n, relevant) for n, (_, _, relevant) in enumerate(cases)], UNITS)
    assert learned.dense_weight in GRID
    assert 0.0 <= learned.ndcg_at_10 <= 1.0
