"""The decision: who takes over on which evidence, and what the reason says."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from acronis_pipeline.champion import Contender
from acronis_pipeline.champion.decision import decide, must_be_asked_again
from acronis_pipeline.core.errors import ChampionError
from acronis_pipeline.evaluate import Report, SystemScore
from acronis_pipeline.evaluate.report import Forgetting
from acronis_pipeline.evaluate.significance import Difference, Interval
from acronis_pipeline.retrieve import System
from acronis_pipeline.store import tables
from acronis_pipeline_tests.champion.drawn import (
    BETTER,
    EQUAL,
    EXTERNAL,
    IDENTITY,
    N_HUMAN,
    SYSTEMS,
    N,
    champion_of,
    reports,
    rows_of,
)


def test_first_champion_is_the_tuned_model_if_it_beats_the_best_baseline() -> None:
    given = reports(BETTER, BETTER, BETTER)
    decision = decide(given.reports, given.results)
    assert decision.promote
    assert decision.winner.system.name == "fine_tuned"
    assert "bm25" in decision.reason
    assert "120 test questions" in decision.reason
    assert "40 human questions" in decision.reason
    assert [comparison.question_set for comparison in decision.evidence] == ["synthetic", "human"]


def test_first_champion_is_the_baseline_if_the_lead_is_not_proven() -> None:
    given = reports(BETTER, EQUAL)
    decision = decide(given.reports, given.results)
    assert (decision.promote, decision.winner.system.name) == (True, "bm25")
    assert "not proven" in decision.reason


def test_first_champion_is_the_baseline_if_nothing_is_better_on_validation() -> None:
    given = reports({"bm25": 0.8, "base": 0.5, "fine_tuned": 0.7}, BETTER)
    decision = decide(given.reports, given.results)
    assert (decision.promote, decision.winner.system.name, decision.evidence) == (True, "bm25", ())


def test_worse_for_people_is_a_veto_that_names_its_sample() -> None:
    given = reports(BETTER, BETTER, {"bm25": 0.7, "base": 0.5, "fine_tuned": 0.5})
    decision = decide(given.reports, given.results)
    assert decision.winner.system.name == "bm25"
    assert "on people's questions: fine_tuned" in decision.reason
    assert "40 human questions" in decision.reason


def test_people_decide_what_the_test_questions_leave_open() -> None:
    given = reports(BETTER, EQUAL, {"bm25": 0.5, "base": 0.5, "fine_tuned": 0.7})
    decision = decide(given.reports, given.results)
    assert (decision.promote, decision.winner.system.name) == (True, "fine_tuned")
    assert "people's decide" in decision.reason


def test_after_a_veto_the_next_best_candidate_gets_its_turn() -> None:
    validation = {"bm25": 0.6, "base": 0.5, "fine_tuned": 0.7, "hybrid": 0.8}
    given = reports(validation, validation, {"bm25": 0.6, "base": 0.5, "fine_tuned": 0.65, "hybrid": 0.4})
    decision = decide(given.reports, given.results)
    assert decision.winner.system.name == "fine_tuned"
    assert "Vetoed, for a loss of more than 0.02 (proven or not) on people's questions: hybrid of" in decision.reason
    assert [lost.a for lost in decision.vetoed] == ["hybrid of recipe words"]


def test_first_opponent_is_the_baseline_that_people_prove_better() -> None:
    given = reports(
        {"bm25": 0.8, "base": 0.5, "fine_tuned": 0.7}, BETTER, {"bm25": 0.4, "base": 0.6, "fine_tuned": 0.6}
    )
    decision = decide(given.reports, given.results)
    assert decision.winner.system.name == "fine_tuned"
    assert "ahead of base" in decision.reason


def test_visibly_worse_for_people_is_a_veto_even_if_chance_could_explain_it() -> None:
    given = reports(BETTER, BETTER, {"bm25": 0.5, "base": 0.5, "fine_tuned": 0.47})
    assert decide(given.reports, given.results).winner.system.name == "bm25"


def test_no_human_questions_are_no_veto_and_are_mentioned() -> None:
    given = reports(BETTER, BETTER)
    assert decide(given.reports, given.results).winner.system.name == "fine_tuned"
    assert "no human questions" in decide(given.reports, given.results).reason


def test_test_split_does_not_choose_the_candidate() -> None:
    # The hybrid is best on the test split, but validation prefers the fine-tuned model.
    validation = {**BETTER, "hybrid": 0.65}
    given = reports(validation, {**BETTER, "hybrid": 0.9})
    assert decide(given.reports, given.results).winner.system.name == "fine_tuned"


def test_champion_stays_if_it_is_the_best_again() -> None:
    given = reports(BETTER, BETTER)
    decision = decide(given.reports, given.results, champion_of(SYSTEMS["fine_tuned"], IDENTITY.model_id))
    assert not decision.promote
    assert "stays champion" in decision.reason


def test_better_candidate_replaces_a_baseline_that_is_champion() -> None:
    given = reports(BETTER, BETTER)
    decision = decide(given.reports, given.results, champion_of(SYSTEMS["bm25"], None))
    assert decision.promote
    assert decision.reason.startswith("fine_tuned of recipe words replaces bm25")


def test_candidate_without_a_proven_lead_does_not_replace() -> None:
    given = reports(BETTER, EQUAL)
    decision = decide(given.reports, given.results, champion_of(SYSTEMS["bm25"], None))
    assert (decision.promote, decision.winner.system.name) == (False, "bm25")


def test_champion_of_an_older_model_must_be_asked_todays_questions() -> None:
    given = reports(BETTER, BETTER)
    old = champion_of(System("hybrid", "hybrid", "old_table", 0.3), "old-model")
    assert must_be_asked_again(given.reports, old)
    with pytest.raises(ChampionError, match="was not asked the questions of the newest report"):
        decide(given.reports, given.results, old)


def test_champion_of_an_older_model_defends_itself_on_todays_questions() -> None:
    old = System("hybrid", "hybrid", "old_table", 0.3)
    score = SystemScore(old, "old-model", "synthetic", N, N, {})
    asked_again = Report("asked_again", "words", "2026-11-21T01:00:00+00:00", "questions", (score,))
    for strength, promoted in ((0.9, False), (0.3, True)):
        given = reports(BETTER, BETTER)
        own = tables.QUESTION_RESULTS.rows(rows_of("asked_again", "synthetic", {"hybrid": strength}, N))
        results = pa.concat_tables([given.results, own])
        decision = decide(given.reports, results, champion_of(old, "old-model"), asked_again)
        assert decision.promote is promoted


def test_relearned_weight_makes_another_system_that_must_prove_itself() -> None:
    given = reports({**BETTER, "hybrid": 0.8}, {**BETTER, "hybrid": 0.8})
    assert must_be_asked_again(
        given.reports, champion_of(replace(SYSTEMS["hybrid"], dense_weight=0.7), IDENTITY.model_id)
    )
    assert not must_be_asked_again(given.reports, champion_of(SYSTEMS["hybrid"], IDENTITY.model_id))
    assert not must_be_asked_again(given.reports, None)


def test_best_recipe_is_the_candidate_and_reports_on_other_questions_are_left_out() -> None:
    weak, strong = reports(EQUAL, EQUAL, recipe="weak"), reports(BETTER, BETTER, recipe="strong")
    stale = replace(reports({**BETTER, "fine_tuned": 0.99}, BETTER, recipe="stale").reports[0], questions_id="older")
    stale = replace(stale, created_at="2026-11-01T00:00:00+00:00")
    decision = decide([*weak.reports, *strong.reports, stale], pa.concat_tables([weak.results, strong.results]))
    assert decision.winner.recipe == "strong"
    assert "Left out, evaluated on older passages or questions: stale" in decision.reason


def test_no_report_is_an_error() -> None:
    with pytest.raises(ChampionError, match="no report"):
        decide([], tables.QUESTION_RESULTS.schema.empty_table())


@pytest.mark.slow
def test_equal_systems_are_rarely_promoted() -> None:
    rng = np.random.default_rng(11)
    promoted = 0
    for _ in range(60):
        given = reports(BETTER, {"bm25": 0.5, "fine_tuned": 0.5})
        rows = [row | {"ndcg_at_10": float(rng.choice([0, 0.5, 1.0]))} for row in given.results.to_pylist()]
        results = tables.QUESTION_RESULTS.rows(rows)
        promoted += decide(given.reports, results, champion_of(SYSTEMS["bm25"], None)).promote
    assert promoted <= 4


def test_barred_candidate_makes_way_for_the_next_and_is_named_with_the_reason() -> None:
    validation = {"bm25": 0.6, "base": 0.5, "fine_tuned": 0.7, "hybrid": 0.8}
    given = reports(validation, validation)

    def barred(contender: Contender) -> str | None:
        return "too slow" if contender.system.name == "hybrid" else None

    decision = decide(given.reports, given.results, champion_of(SYSTEMS["bm25"], None), barred=barred)
    assert decision.winner.system.name == "fine_tuned"
    assert "Not considered: hybrid of recipe words (too slow)." in decision.reason


def test_external_system_is_never_promoted() -> None:
    given = reports({**BETTER, EXTERNAL: 0.9}, {**BETTER, EXTERNAL: 0.95})
    assert decide(given.reports, given.results).winner.system.name == "fine_tuned"
    decision = decide(given.reports, given.results, champion_of(SYSTEMS["fine_tuned"], IDENTITY.model_id))
    assert not decision.promote


def test_champion_in_a_report_is_the_opponent_under_its_own_name_and_no_candidate() -> None:
    strength = {"bm25": 0.6, "base": 0.5, "fine_tuned": 0.7, "champion": 0.6}
    given = reports(strength, strength)
    old = champion_of(System("hybrid", "hybrid", "old_table", 0.3), "old-model")
    assert not must_be_asked_again(given.reports, old)
    decision = decide(given.reports, given.results, old)
    assert decision.promote
    assert decision.reason.startswith("fine_tuned of recipe words replaces hybrid of recipe words")
    # A report made under another champion names that one.
    stronger = reports({**strength, "champion": 0.9}, {**strength, "champion": 0.9})
    decision = decide(stronger.reports, stronger.results, champion_of(SYSTEMS["bm25"], None))
    assert decision.winner.system.name == "fine_tuned"


def test_champion_is_recognised_by_every_setting_of_its_search() -> None:
    plain = champion_of(SYSTEMS["hybrid"], IDENTITY.model_id)
    held = reports({**BETTER, "hybrid": 0.6}, BETTER).reports
    assert not must_be_asked_again(held, plain)
    for change in ({"fusion": "reciprocal_rank"}, {"reranker": "cross"}, {"mmr": 0.5}, {"dense_weight": 0.5}):
        assert must_be_asked_again(held, replace(plain, system=replace(plain.system, **change))), change
    assert not must_be_asked_again(held, replace(plain, system=replace(plain.system, name="other", table="other")))


def test_promoted_model_that_forgot_is_named_in_the_reason() -> None:
    given = reports(BETTER, BETTER)
    probe = Forgetting(
        "general",
        60,
        Interval(0.8, 0.7, 0.9),
        Interval(0.5, 0.4, 0.6),
        Difference(-0.3, -0.4, -0.2, 0.001, 60, 60),
        flagged=True,
    )
    flagged = [replace(given.reports[0], forgetting=(probe,))]
    decision = decide(flagged, given.results)
    assert decision.promote
    assert (
        "lost nDCG@10 -0.300 [-0.400, -0.200] on 60 questions that have nothing to do with the site" in decision.reason
    )
    harmless = [replace(given.reports[0], forgetting=(replace(probe, flagged=False),))]
    assert "nothing to do with the site" not in decide(harmless, given.results).reason
    kept = decide(flagged, given.results, champion_of(SYSTEMS["fine_tuned"], IDENTITY.model_id))
    assert "nothing to do with the site" not in kept.reason


@pytest.mark.slow
def test_many_equal_candidates_are_promoted_no_more_often_than_one() -> None:
    """Validation picks one of six by chance; it alone meets the test split (and, vetoed, the next on other data)."""
    names = ["bm25", *(f"tuned{number}" for number in range(6))]
    systems = {name: System(name, "dense", f"table_{name}") for name in names}
    rng = np.random.default_rng(5)
    promoted, rounds = 0, 40
    for _ in range(rounds):
        validation = {name: float(rng.random()) for name in names} | {"bm25": 0.0}
        scores = tuple(SystemScore(systems[name], name, "synthetic", N, N, {}) for name in names)
        report = Report("r", "words", "2026-11-21T00:00:00+00:00", "questions", scores, validation=validation)
        rows = [
            row | {"ndcg_at_10": float(rng.choice([0, 0.5, 1.0]))}
            for question_set, n in (("synthetic", N), ("human", N_HUMAN))
            for row in rows_of("r", question_set, dict.fromkeys(names, 0.5), n)
        ]
        results = tables.QUESTION_RESULTS.rows(rows)
        promoted += decide([report], results, champion_of(systems["bm25"], "bm25")).promote
    assert promoted <= 4
