from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acronis_pipeline import pairs
from acronis_pipeline.core.settings import LlmSettings, PairSettings
from acronis_pipeline.pairs.judge import LOST, ranks
from acronis_pipeline.store import Store, tables
from acronis_pipeline_tests.pairs.builders import site, write_chunks


def unit(*rows: list[float]) -> np.ndarray:
    matrix = np.array(rows, np.float32)
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


def test_near_duplicates_of_a_better_passage_count_as_one_place():
    passages = unit([1, 0.1, 0], [1, 0.11, 0], [1, 0.12, 0], [0.5, 1, 0])
    assert ranks(unit([1, 0, 0]), passages, ["a", "a", "a", "b"], [{"b"}]) == [2]


def test_any_gold_cluster_will_do():
    passages = unit([1, 0, 0], [0, 1, 0], [0, 0, 1])
    assert ranks(unit([1, 0.5, 0]), passages, ["a", "b", "c"], [{"a", "c"}]) == [1]


@given(st.integers(1, 30), st.integers(1, 700), st.integers(0, 99))
def test_ranks_are_those_of_a_plain_search(n_passages: int, n_queries: int, seed: int):
    rng = np.random.default_rng(seed)
    passages, queries = rng.normal(size=(n_passages, 4)), rng.normal(size=(n_queries, 4))
    clusters = [str(n) for n in rng.integers(0, n_passages, n_passages)]
    gold = [{clusters[n]} for n in rng.integers(0, n_passages, n_queries)]
    found = ranks(queries, passages, clusters, gold)
    for query, answers, rank in zip(queries[:5], gold[:5], found[:5], strict=True):
        order = [clusters[n] for n in np.argsort(-(passages @ query))]
        assert list(dict.fromkeys(order)).index(next(iter(answers))) + 1 == rank


@pytest.mark.model
def test_a_query_that_the_base_loses_is_rejected_and_every_judged_one_has_its_rank(tmp_path: Path):
    store = Store(str(tmp_path))
    write_chunks(store, site(6))
    options = PairSettings()  # pyright: ignore[reportCallIssue]
    llm = LlmSettings()  # pyright: ignore[reportCallIssue]
    all_kept = pairs.refresh(store, options, llm).n_kept
    result = pairs.refresh(store, options.model_copy(update={"round_trip_k": 1}), llm)
    lost = result.reject_reasons[LOST]
    assert 0 < lost < all_kept
    assert result.n_kept == all_kept - lost
    rows = store.read(tables.PAIRS).to_pylist()
    assert all("round_trip_rank" in row["scores"] for row in rows if row["reject_reason"] in {None, LOST})
