import ir_measures
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ir_measures import AP, RR, P, R, Success, nDCG

from acronis_pipeline.evaluate.metrics import (
    METRICS,
    all_metrics,
    first_relevant_rank,
    hit_rate_at,
    map_at,
    mrr_at,
    ndcg_at,
    precision_at,
    recall_at,
)
from acronis_pipeline.store import tables

UNITS = [f"u{n}" for n in range(25)]
rankings = st.permutations(UNITS).flatmap(lambda units: st.integers(0, 25).map(lambda n: units[:n]))
relevant_units = st.sets(st.sampled_from([*UNITS, "never retrieved"]), min_size=1, max_size=12)

MEASURES = {"hit_rate": Success, "mrr": RR, "ndcg": nDCG, "precision": P, "recall": R, "map": AP}
ORACLE = {f"{name}_at_{k}": measure @ k for name, measure in MEASURES.items() for k in (1, 3, 5, 10, 20)}


@given(rankings, relevant_units)
def test_metrics_agree_with_ir_measures(ranked: list[str], relevant: set[str]) -> None:
    qrels = [ir_measures.Qrel("q", unit, 1) for unit in relevant]
    run = [ir_measures.ScoredDoc("q", unit, 100.0 - rank) for rank, unit in enumerate(ranked)]
    # A question without any retrieved document is unknown to ir-measures, which scores what it knows.
    expected = ir_measures.calc_aggregate(ORACLE.values(), qrels, run or [ir_measures.ScoredDoc("q", "none", 0.0)])
    found = all_metrics(ranked, relevant)
    assert found == pytest.approx({name: expected[measure] for name, measure in ORACLE.items()})


@given(rankings, relevant_units)
def test_metrics_stay_between_zero_and_one(ranked: list[str], relevant: set[str]) -> None:
    assert all(0.0 <= value <= 1.0 for value in all_metrics(ranked, relevant).values())


@given(rankings, relevant_units)
def test_moving_a_relevant_unit_up_never_lowers_a_metric(ranked: list[str], relevant: set[str]) -> None:
    rank = first_relevant_rank(ranked, relevant)
    if rank is None:
        return
    better = [ranked[rank - 1], *ranked[: rank - 1], *ranked[rank:]]
    before, after = all_metrics(ranked, relevant), all_metrics(better, relevant)
    assert all(after[name] >= before[name] - 1e-12 for name in METRICS)


def test_all_relevant_first_is_a_perfect_score() -> None:
    assert ndcg_at(["a", "b", "x"], {"a", "b"}, 10) == 1.0


def test_more_relevant_units_than_the_cutoff_still_allow_a_perfect_score() -> None:
    assert ndcg_at(UNITS[:10], set(UNITS), 10) == pytest.approx(1.0)


def test_rank_below_the_cutoff_counts_nothing() -> None:
    ranked = ["x"] * 10 + ["a"]
    assert (hit_rate_at(ranked, {"a"}, 10), mrr_at(ranked, {"a"}, 10), ndcg_at(ranked, {"a"}, 10)) == (0, 0, 0)


def test_question_without_a_relevant_unit_scores_zero() -> None:
    assert set(all_metrics(["a"], set()).values()) == {0.0}


def test_every_metric_has_an_oracle_and_a_column() -> None:
    assert set(METRICS) == set(ORACLE)
    assert set(METRICS) <= set(tables.QUESTION_RESULTS.schema.names)


def test_precision_counts_ranks_that_hold_nothing() -> None:
    assert precision_at(["a"], {"a"}, 5) == pytest.approx(0.2)


def test_recall_and_map_are_shares_of_all_right_units() -> None:
    ranked, relevant = ["x", "a", "b"], {"a", "b", "c", "never retrieved"}
    assert recall_at(ranked, relevant, 3) == pytest.approx(0.5)
    assert map_at(ranked, relevant, 3) == pytest.approx((1 / 2 + 2 / 3) / 4)
