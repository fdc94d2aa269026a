from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acronis_pipeline.retrieve.ranking import (
    Ranking,
    candidate_pool,
    first_of_each,
    ordered,
    reciprocal_rank,
    standard_scores,
)

IDS = [f"c{n}" for n in range(12)]
rankings = st.dictionaries(st.sampled_from(IDS), st.floats(0, 30), max_size=12).map(lambda d: ordered(d.items()))
cosines = st.lists(st.floats(-1, 1), min_size=12, max_size=12).map(lambda values: dict(zip(IDS, values, strict=True)))


def top(scores: dict[str, float], depth: int) -> Ranking:
    return ordered(scores.items())[:depth]


@given(cosines, rankings, st.integers(1, 12), st.floats(0, 1))
def test_every_candidate_of_either_list_is_ranked_once(dense, lexical, depth, weight) -> None:
    near = top(dense, depth)
    mixed = candidate_pool(near, lexical[:depth], depth, lambda ids: {i: dense[i] for i in ids}).mixed(weight)
    assert sorted(i for i, _ in mixed) == sorted({i for i, _ in near} | {i for i, _ in lexical[:depth]})


@given(cosines, rankings)
def test_weight_one_ranks_as_dense_and_weight_zero_as_bm25(dense, lexical) -> None:
    candidates = candidate_pool(top(dense, 12), lexical, 12, lambda ids: {})
    by_id = dict(lexical)
    for weight, scores in ((1.0, dense), (0.0, {i: by_id.get(i, 0.0) for i in IDS})):
        ranked = [scores[i] for i, _ in candidates.mixed(weight)]
        # Scores are rounded to five decimals of a standard deviation before they are ordered.
        assert all(a >= b - 1e-3 for a, b in pairwise(ranked))


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=40), st.floats(0.1, 50), st.floats(-50, 50))
def test_standard_scores_ignore_scale_and_offset(values, scale, offset) -> None:
    scores = np.array(values)
    if scores.std() < 0.01:
        return
    np.testing.assert_allclose(standard_scores(scores * scale + offset), standard_scores(scores), atol=1e-6)
    assert standard_scores(scores).std() == pytest.approx(1.0)


def test_equal_scores_carry_no_information() -> None:
    assert standard_scores(np.array([0.7, 0.7, 0.7000001])).tolist() == [0.0, 0.0, 0.0]
    assert standard_scores(np.array([])).size == 0


def test_candidate_without_a_shared_word_has_bm25_zero() -> None:
    candidates = candidate_pool([("near", 0.9), ("both", 0.5)], [("both", 4.0)], 5, lambda ids: {})
    assert candidates.chunk_ids == ("both", "near")
    np.testing.assert_allclose(candidates.lexical, standard_scores(np.array([4.0, 0.0])))


def test_candidate_below_a_list_that_was_cut_has_the_lists_lowest_score() -> None:
    candidates = candidate_pool([("near", 0.9)], [("a", 4.0), ("b", 3.0)], 2, lambda ids: {"a": 0.1, "b": 0.2})
    np.testing.assert_allclose(candidates.lexical, standard_scores(np.array([4.0, 3.0, 3.0])))


def test_candidate_only_bm25_found_gets_its_exact_cosine() -> None:
    asked: list[str] = []

    def exact(ids):
        asked.extend(ids)
        return dict.fromkeys(ids, 0.25)

    candidates = candidate_pool([("near", 0.75)], [("words", 2.0)], 1, exact)
    assert asked == ["words"]
    assert dict(zip(candidates.chunk_ids, candidates.dense, strict=True)) == {"near": 1.0, "words": -1.0}


def test_reciprocal_rank_fusion_adds_reciprocals() -> None:
    fused = reciprocal_rank([[("a", 9.0), ("b", 8.0)], [("b", 1.0)]])
    assert fused == [("b", round(1 / 61 + 1 / 62, 5)), ("a", round(1 / 61, 5))]


def test_equal_scores_are_ordered_by_id_whatever_the_engine_returned_first() -> None:
    assert ordered([("b", 0.5000001), ("a", 0.5)]) == [("a", 0.5), ("b", 0.5)]


def test_first_of_each_cluster_stays() -> None:
    ranking = [("a", 3.0), ("a-copy", 2.0), ("b", 1.0)]
    assert first_of_each(ranking, {"a": "x", "a-copy": "x", "b": "b"}) == [("a", 3.0), ("b", 1.0)]
