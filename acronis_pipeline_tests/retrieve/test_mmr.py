from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acronis_pipeline.retrieve.ranking import Ranking
from acronis_pipeline.retrieve.reorder import diversified


@st.composite
def ranked(draw: st.DrawFn) -> tuple[Ranking, np.ndarray]:
    scores = sorted(draw(st.lists(st.floats(-20, 20), min_size=1, max_size=12)), reverse=True)
    vectors = np.random.default_rng(draw(st.integers(0, 99))).normal(size=(len(scores), 4))
    return [(f"c{n}", score) for n, score in enumerate(scores)], vectors / np.linalg.norm(
        vectors, axis=1, keepdims=True
    )


def ids(ranking: Ranking) -> list[str]:
    return [chunk_id for chunk_id, _ in ranking]


@given(ranked(), st.floats(0, 1))
def test_every_passage_stays_once_and_the_best_stays_first(given_, share: float) -> None:
    ranking, vectors = given_
    chosen = diversified(ranking, vectors, share)
    assert sorted(ids(chosen)) == sorted(ids(ranking))
    assert chosen[0][0] == "c0"


@given(ranked(), st.floats(0, 1))
def test_scores_fall(given_, share: float) -> None:
    assert all(a >= b for (_, a), (_, b) in pairwise(diversified(given_[0], given_[1], share)))


@given(ranked())
def test_relevance_alone_keeps_the_order(given_) -> None:
    assert ids(diversified(given_[0], given_[1], 1.0)) == ids(given_[0])


@given(ranked(), st.floats(0, 1))
def test_each_passage_is_the_best_by_the_formula_of_those_left(given_, share: float) -> None:
    ranking, vectors = given_
    scores = np.array([score for _, score in ranking])
    spread = scores.max() - scores.min()
    relevance = (scores - scores.min()) / spread if spread else np.ones(len(scores))
    order = [int(chunk_id[1:]) for chunk_id in ids(diversified(ranking, vectors, share))]
    for place in range(1, len(order)):
        before, left = order[:place], order[place:]
        value = {
            i: share * relevance[i] - (1 - share) * max(0.0, *(vectors[i] @ vectors[j] for j in before)) for i in left
        }
        assert value[order[place]] == pytest.approx(max(value.values()), abs=2e-5)


def test_copy_of_the_best_makes_way_for_another_subject() -> None:
    ranking = [("a", 1.0), ("a-again", 0.9), ("b", 0.5), ("c", 0.0)]
    vectors = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    assert ids(diversified(ranking, vectors, 0.5))[:2] == ["a", "b"]


def test_nothing_stays_nothing() -> None:
    assert diversified([], np.zeros((0, 4)), 0.5) == []
