from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from acronis_pipeline import schemas
from acronis_pipeline.evaluate import Report, SystemScore
from acronis_pipeline.evaluate.champion import Champion, Contender, decide, history, needs_standing, promote, reigning
from acronis_pipeline.retrieve import System
from acronis_pipeline.store import Store
from acronis_pipeline_tests.index.corpora import WordEmbedder

IDENTITY = WordEmbedder().identity
N, N_HUMAN = 120, 40
SYSTEMS = {
    "bm25": System("bm25", "bm25", "base_table"),
    "base": System("base", "dense", "base_table"),
    "fine_tuned": System("fine_tuned", "dense", "tuned_table"),
    "hybrid": System("hybrid", "hybrid", "tuned_table", 0.4),
}
MODEL_OF = {"bm25": None, "base": "base-model", "fine_tuned": IDENTITY.model_id, "hybrid": IDENTITY.model_id}


@dataclass
class Reports:
    """Reports with per-question results drawn around wanted means."""

    reports: list[Report]
    results: pa.Table


def reports(
    validation: dict[str, float], test: dict[str, float], human: dict[str, float] | None = None, recipe: str = "words"
) -> Reports:
    report_id = f"report-{recipe}"
    scores = tuple(SystemScore(SYSTEMS[name], MODEL_OF[name], "synthetic", N, N, {}) for name in validation)
    report = Report(report_id, recipe, "2026-11-21T00:00:00+00:00", "questions", scores, validation=validation)
    rows = rows_of(report_id, "synthetic", test, N) + rows_of(report_id, "human", human or {}, N_HUMAN)
    return Reports([report], pa.Table.from_pylist(rows, schema=schemas.QUESTION_RESULTS))


def rows_of(report_id: str, question_set: str, means: dict[str, float], n: int) -> list[dict]:
    difficulty = np.random.default_rng(0).normal(0, 0.2, n)
    rows = []
    for name, mean in means.items():
        noise = np.random.default_rng(sum(map(ord, name))).normal(0, 0.05, n)
        for number, value in enumerate(mean + difficulty + noise - difficulty.mean() - noise.mean()):
            rows.append(
                {
                    "result_id": f"{report_id}-{name}-{question_set}-{number}",
                    "report_id": report_id,
                    "system": name,
                    "question_set": question_set,
                    "question_id": f"q{number}",
                    "page_group": f"page{number}",
                    "ndcg_at_10": float(value),
                }
            )
    return rows


def champion_of(system: System, model_id: str | None) -> Champion:
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    return Champion("p1", moment, "words", system, model_id, None, None, "old-report", "was best")


BETTER = {"bm25": 0.6, "base": 0.5, "fine_tuned": 0.7}
EQUAL = {"bm25": 0.6, "base": 0.5, "fine_tuned": 0.6}


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
    assert "worse on people's questions" in decision.reason
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
    assert "Vetoed, being worse on people's questions: hybrid of recipe words" in decision.reason


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


def test_reigning_champion_stays_if_it_is_the_best_again() -> None:
    given = reports(BETTER, BETTER)
    decision = decide(given.reports, given.results, champion_of(SYSTEMS["fine_tuned"], IDENTITY.model_id))
    assert not decision.promote
    assert "stays champion" in decision.reason


def test_better_candidate_replaces_the_reigning_baseline() -> None:
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
    assert needs_standing(given.reports, old)
    with pytest.raises(ValueError, match="evaluate it alone"):
        decide(given.reports, given.results, old)


def test_champion_of_an_older_model_defends_itself_on_todays_questions() -> None:
    old = System("hybrid", "hybrid", "old_table", 0.3)
    score = SystemScore(old, "old-model", "synthetic", N, N, {})
    standing = Report("standing", "words", "2026-11-21T01:00:00+00:00", "questions", (score,))
    for strength, promoted in ((0.9, False), (0.3, True)):
        given = reports(BETTER, BETTER)
        own = pa.Table.from_pylist(
            rows_of("standing", "synthetic", {"hybrid": strength}, N), schema=schemas.QUESTION_RESULTS
        )
        results = pa.concat_tables([given.results, own])
        decision = decide(given.reports, results, champion_of(old, "old-model"), standing)
        assert decision.promote is promoted


def test_relearned_weight_makes_another_system_that_must_prove_itself() -> None:
    given = reports({**BETTER, "hybrid": 0.8}, {**BETTER, "hybrid": 0.8})
    assert needs_standing(given.reports, champion_of(replace(SYSTEMS["hybrid"], dense_weight=0.7), IDENTITY.model_id))
    assert not needs_standing(given.reports, champion_of(SYSTEMS["hybrid"], IDENTITY.model_id))
    assert not needs_standing(given.reports, None)


def test_best_recipe_is_the_candidate_and_reports_on_other_questions_are_left_out() -> None:
    weak, strong = reports(EQUAL, EQUAL, recipe="weak"), reports(BETTER, BETTER, recipe="strong")
    stale = replace(reports({**BETTER, "fine_tuned": 0.99}, BETTER, recipe="stale").reports[0], questions_id="older")
    stale = replace(stale, created_at="2026-11-01T00:00:00+00:00")
    decision = decide([*weak.reports, *strong.reports, stale], pa.concat_tables([weak.results, strong.results]))
    assert decision.winner.recipe == "strong"
    assert "Left out, evaluated on other questions: stale" in decision.reason


def test_no_report_is_an_error() -> None:
    with pytest.raises(ValueError, match="no report"):
        decide([], schemas.QUESTION_RESULTS.empty_table())


def test_equal_systems_are_rarely_promoted() -> None:
    rng = np.random.default_rng(11)
    promoted = 0
    for _ in range(60):
        given = reports(BETTER, {"bm25": 0.5, "fine_tuned": 0.5})
        rows = [row | {"ndcg_at_10": float(rng.choice([0, 0.5, 1.0]))} for row in given.results.to_pylist()]
        results = pa.Table.from_pylist(rows, schema=schemas.QUESTION_RESULTS)
        promoted += decide(given.reports, results, champion_of(SYSTEMS["bm25"], None)).promote
    assert promoted <= 4


def test_promotions_are_remembered_and_the_last_one_reigns(tmp_path) -> None:
    store = Store(str(tmp_path))
    assert reigning(store) is None
    given = reports(BETTER, EQUAL)
    first = promote(store, decide(given.reports, given.results))
    better = reports(BETTER, BETTER)
    second = promote(
        store, decide(better.reports, better.results, first), model_folder="models/words", identity=IDENTITY
    )
    assert history(store) == [first, second]
    assert reigning(store) == second
    assert (first.system.mode, first.identity, first.model_folder) == ("bm25", None, None)
    assert (second.identity, second.model_folder, second.model_id) == (IDENTITY, "models/words", IDENTITY.model_id)


def test_promotion_with_another_models_identity_is_refused(tmp_path) -> None:
    winner = Contender("words", SYSTEMS["base"], "base-model", "report")
    given = reports(BETTER, BETTER)
    decision = replace(decide(given.reports, given.results), winner=winner)
    with pytest.raises(ValueError, match="base-model"):
        promote(Store(str(tmp_path)), decision, identity=IDENTITY)
