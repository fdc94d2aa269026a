"""The pointer's table: rows that come back as they were written, and the current champion."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from acronis_pipeline.champion import Champion, Contender, ServedModel, current_champion, promote, promotions
from acronis_pipeline.core.errors import ChampionError
from acronis_pipeline.evaluate.report import Comparison
from acronis_pipeline.evaluate.significance import Difference
from acronis_pipeline.retrieve import System
from acronis_pipeline.store import Store
from acronis_pipeline_tests.champion.drawn import IDENTITY, SYSTEMS

SEARCH = System(
    "hybrid_rerank",
    "hybrid",
    "tuned_table",
    0.35,
    fusion="reciprocal_rank",
    reranker="some/cross-encoder",
    rerank_depth=30,
    mmr=0.7,
    min_similarity=0.2,
)
EVIDENCE = Comparison("synthetic", "a", "b", "ndcg_at_10", Difference(0.05, 0.01, 0.09, 0.01, 100, 80))


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(str(tmp_path))


def first(store: Store) -> Champion:
    return promote(store, Contender("words", SYSTEMS["bm25"], None, "r1"), move="first", reason="best", previous=None)


def second(store: Store, previous: Champion | None) -> Champion:
    return promote(
        store,
        Contender("words", SEARCH, IDENTITY.model_id, "r2"),
        move="promotion",
        reason="better",
        previous=previous,
        model=ServedModel("/models/words", IDENTITY),
        evidence=(EVIDENCE,),
        asked="q",
    )


def test_every_setting_of_a_champion_survives_and_the_newest_row_counts(store: Store) -> None:
    assert current_champion(store) is None
    rows = [one := first(store), second(store, one)]
    assert promotions(store) == rows
    now = current_champion(store)
    assert now
    assert (now.system, now.identity, now.evidence) == (SEARCH, IDENTITY, (EVIDENCE,))
    assert now.system.min_similarity == SEARCH.min_similarity  # which equality leaves out
    assert (now.model_folder, now.previous_id, now.asked) == ("/models/words", one.promotion_id, "q")
    assert (one.identity, one.model_folder, one.previous_id) == (None, None, None)


def test_promotion_with_another_models_identity_is_refused(store: Store) -> None:
    winner = Contender("words", SYSTEMS["base"], "base-model", "report")
    with pytest.raises(ValueError, match="base-model"):
        promote(store, winner, move="first", reason="", previous=None, model=ServedModel("/models/words", IDENTITY))


def test_decision_about_a_champion_that_is_no_longer_current_is_void(store: Store) -> None:
    old = first(store)
    now = second(store, old)
    with pytest.raises(ChampionError, match="hybrid_rerank of recipe words is champion by now, not bm25"):
        promote(store, old.contender, move="promotion", reason="late", previous=old)
    assert current_champion(store) == now


def test_row_written_by_a_machine_whose_clock_is_slow_counts_all_the_same(store: Store, monkeypatch) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=1)
    monkeypatch.setattr("acronis_pipeline.champion.record._after", lambda _: ahead)
    one = first(store)
    monkeypatch.undo()
    now = second(store, one)
    assert now.promoted_at > ahead
    assert current_champion(store) == now


def test_systems_that_differ_in_name_and_table_alone_behave_the_same() -> None:
    one = Contender("words", SEARCH, "m", "r")
    assert one.ranking_key == replace(one, recipe="b", system=replace(SEARCH, name="x", table="y")).ranking_key
    assert one.ranking_key != replace(one, model_id="other").ranking_key
    assert one.ranking_key != replace(one, system=replace(SEARCH, mmr=None)).ranking_key
