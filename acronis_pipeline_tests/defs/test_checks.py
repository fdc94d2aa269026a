"""Checks fail when they should: a fault is planted in a finished run, and the check runs alone, as from the UI."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from acronis_pipeline.api import Answerer
from acronis_pipeline.champion import current_champion, promote
from acronis_pipeline.core.errors import CheckFailedError
from acronis_pipeline.defs import build_definitions
from acronis_pipeline.defs.assets import (
    champion,
    chunks,
    eval_report,
    fine_tuned_model,
    gold_questions,
    lancedb_index,
    synthetic_pairs,
)
from acronis_pipeline.defs.instance import open_instance
from acronis_pipeline.models.indexed import require_model
from acronis_pipeline.store import tables
from acronis_pipeline_tests.defs.corpus import execute
from acronis_pipeline_tests.finished_run import RECIPE, FinishedRun

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def outcome(finished: FinishedRun, check: dg.AssetChecksDefinition) -> dg.AssetCheckEvaluation:
    """What one check says when it is executed alone."""
    settings = finished.settings()
    job = dg.define_asset_job("one_check", selection=dg.AssetSelection.checks(check))
    definitions = dg.Definitions.merge(build_definitions(settings), dg.Definitions(jobs=[job]))
    with open_instance(settings) as instance:
        result = definitions.resolve_job_def("one_check").execute_in_process(
            instance=instance, run_config=_QUIET, raise_on_error=False
        )
    (evaluation,) = result.get_asset_check_evaluations()
    return evaluation


def problems(evaluation: dg.AssetCheckEvaluation) -> str:
    assert not evaluation.passed
    table = evaluation.metadata["problems"]
    assert isinstance(table, dg.TableMetadataValue)
    return "; ".join(str(record.data["problem"]) for record in table.records)


def replant(
    finished: FinishedRun, table: tables.Table, change: Callable[[dict[str, Any]], Any], where: str = "true"
) -> None:
    """Change the first row that matches."""
    row = finished.store.read(table, where=where).to_pylist()[0]
    change(row)
    finished.store.upsert(table, table.rows([row]))


def champion_table(finished: FinishedRun) -> str:
    now = current_champion(finished.store)
    assert now
    return now.system.table


def test_site_that_did_shrink_is_taken_in_once_a_person_accepts_it(copied):
    for path in copied.pages[:13]:
        copied.take_down(path)
    settings = copied.settings()
    job = build_definitions(settings).resolve_job_def("index_refresh")

    def materialize(**config: bool) -> bool:
        run_config = {**_QUIET, "ops": {"raw_pages": {"config": config}}}
        with open_instance(settings) as instance:
            return job.execute_in_process(
                instance=instance, partition_key=RECIPE, run_config=run_config, raise_on_error=False
            ).success

    assert [materialize(), materialize(accept_vanished=True), materialize()] == [False, True, True]
    assert copied.store.count(tables.CHUNKS, f"url = '{copied.url(copied.pages[0])}'") == 0


@pytest.mark.parametrize(
    "check",
    [
        chunks.passages_fit_the_encoder,
        synthetic_pairs.nothing_leaks_between_splits,
        synthetic_pairs.enough_pairs_in_every_split,
        fine_tuned_model.not_worse_than_its_base,
        lancedb_index.index_is_in_step,
        eval_report.every_system_was_asked,
        champion.all_name_the_same_champion,
    ],
    ids=lambda check: check.node_def.name,
)
def test_finished_run_passes_each_blocking_check_executed_by_itself(copied, check):
    assert outcome(copied, check).passed


def test_passage_over_the_token_budget_is_named(copied):
    replant(copied, tables.CHUNKS, lambda row: row.update(n_tokens=900))
    assert "900 tokens" in problems(outcome(copied, chunks.passages_fit_the_encoder))


def test_empty_passage_fails(copied):
    replant(copied, tables.CHUNKS, lambda row: row.update(text="  "))
    assert not outcome(copied, chunks.passages_fit_the_encoder).passed


def test_page_with_pairs_in_two_splits_is_a_leak(copied):
    """The planted pair is moved from train to test; another pair of its page stays."""
    replant(copied, tables.PAIRS, lambda row: row.update(split="test"), "split = 'train' AND status = 'kept'")
    found = outcome(copied, synthetic_pairs.nothing_leaks_between_splits)
    assert copied.site_url in problems(found)


def test_split_without_pairs_fails(copied):
    copied.store.open(tables.PAIRS).delete("split = 'test'")
    assert "test: none" in problems(outcome(copied, synthetic_pairs.enough_pairs_in_every_split))


def test_test_questions_too_few_to_tell_systems_apart_are_warned_of(copied):
    asked = copied.store.read(tables.PAIRS, columns=["pair_id"], where="split = 'test'").to_pylist()
    kept = copied.store.read(tables.PAIRS, columns=["pair_id"], where="split = 'test' AND status = 'kept'")
    few = {row["pair_id"] for row in kept.to_pylist()[:6]}
    removed = ", ".join(f"'{row['pair_id']}'" for row in asked if row["pair_id"] not in few)
    copied.store.open(tables.PAIRS).delete(f"pair_id IN ({removed})")
    found = outcome(copied, synthetic_pairs.test_questions_tell_systems_apart)
    assert "6 test questions" in problems(found)
    assert found.severity is dg.AssetCheckSeverity.WARN


def test_index_that_misses_a_passage_is_out_of_step(copied):
    table = champion_table(copied)
    row = copied.store.read(tables.CHUNKS, columns=["chunk_id"]).to_pylist()[0]
    copied.store.open(table).delete(f"chunk_id = '{row['chunk_id']}'")
    assert f"{table}: other passages" in problems(outcome(copied, lancedb_index.index_is_in_step))


def test_index_of_an_older_text_is_out_of_step(copied):
    replant(copied, tables.CHUNKS, lambda row: row.update(passage="rewritten", text="rewritten"))
    assert not outcome(copied, lancedb_index.index_is_in_step).passed


def test_incomplete_model_folder_fails(copied, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    shutil.copy(Path(require_model(copied.store, RECIPE).folder, "acronis_pipeline.json"), folder)
    replant(copied, tables.MODELS, lambda row: row.update(folder=str(folder)))
    assert "modules.json is missing" in problems(outcome(copied, fine_tuned_model.not_worse_than_its_base))


def test_model_worse_than_its_base_fails(copied):
    def worsen(row: dict[str, Any]) -> None:
        metrics = json.loads(row["metrics"])
        metrics["validation"]["best"]["ndcg_at_10"] = 0.0
        row["metrics"] = json.dumps(metrics)

    replant(copied, tables.MODELS, worsen)
    assert "less than the base's" in problems(outcome(copied, fine_tuned_model.not_worse_than_its_base))


def test_report_without_bm25_fails(copied):
    def forget_bm25(row: dict[str, Any]) -> None:
        report = json.loads(row["report"])
        report["scores"] = [score for score in report["scores"] if score["system"]["name"] != "bm25"]
        row["report"] = json.dumps(report)

    replant(copied, tables.REPORTS, forget_bm25)
    assert "bm25 is missing" in problems(outcome(copied, eval_report.every_system_was_asked))


def test_model_that_does_not_beat_its_base_is_a_warning_not_a_stop(copied):
    def level(row: dict[str, Any]) -> None:
        report = json.loads(row["report"])
        for comparison in report["comparisons"]:
            comparison["difference"] |= {"mean": 0.0, "low": -0.1, "high": 0.1}
        row["report"] = json.dumps(report)

    replant(copied, tables.REPORTS, level)
    found = outcome(copied, eval_report.tuned_beats_its_base)
    assert not found.passed
    assert found.severity is dg.AssetCheckSeverity.WARN
    assert "+0.000 [-0.100, +0.100]" in (found.description or "")


def test_alias_that_names_another_model_fails(copied):
    wrong = None if copied.tracker.champion_version() else require_model(copied.store, RECIPE).registry_version
    copied.tracker.set_champion(wrong)
    assert "the alias names version" in problems(outcome(copied, champion.all_name_the_same_champion))


def test_tag_that_a_killed_run_left_behind_fails_until_champion_is_materialized_again(copied):
    table = champion_table(copied)
    copied.store.untag(table, "champion")
    assert "its tag champion at none" in problems(outcome(copied, champion.all_name_the_same_champion))
    assert execute(copied, "full_pipeline", ["champion"]).success
    assert outcome(copied, champion.all_name_the_same_champion).passed


def test_pointer_that_moved_without_dagster_fails_until_champion_is_materialized_again(copied):
    now = current_champion(copied.store)
    assert now
    moved = promote(
        copied.store,
        now.contender,
        move="by_hand",
        reason="moved past Dagster",
        previous=now,
        model=now.model,
    )
    found = problems(outcome(copied, champion.all_name_the_same_champion))
    assert f"promotion {moved.promotion_id} is current, and Dagster shows another" in found
    assert execute(copied, "full_pipeline", ["champion"]).success
    assert outcome(copied, champion.all_name_the_same_champion).passed


def test_champion_whose_table_is_gone_fails(copied):
    table = champion_table(copied)
    copied.store.drop(table)
    assert f"table {table} is gone" in problems(outcome(copied, champion.all_name_the_same_champion))


def test_gold_question_about_a_page_that_was_not_crawled_is_named_in_a_warning(copied):
    found = outcome(copied, gold_questions.expected_pages_were_crawled)
    assert copied.url("docs/tape") in problems(found)
    assert found.severity is dg.AssetCheckSeverity.WARN


def test_run_stops_with_the_checks_words_when_most_of_the_site_is_gone_and_the_champion_still_answers(copied):
    chunks_before = copied.store.read(tables.CHUNKS)
    for path in copied.pages[:13]:
        copied.take_down(path)
    with pytest.raises(CheckFailedError, match=r"raw_pages\.site_is_there: 13 of 23 pages vanished at once") as stopped:
        copied.run_again()
    assert "what was published before still stands" in str(stopped.value)
    with pytest.raises(CheckFailedError, match=r"site_is_there"):  # the second look sees the same outage
        copied.run_again()
    assert copied.store.read(tables.CHUNKS) == chunks_before
    answer = Answerer(copied.settings()).ask("Is there a trial period?", k=5)
    assert "30 days" in answer.text
