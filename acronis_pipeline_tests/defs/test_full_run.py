"""What one run of the whole graph leaves behind, for a person, for Dagster and for MLflow."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from acronis_pipeline import evaluate
from acronis_pipeline.champion import current_champion
from acronis_pipeline.crawl import live_pages
from acronis_pipeline.defs.instance import open_instance
from acronis_pipeline.models.indexed import require_model
from acronis_pipeline.store import tables
from acronis_pipeline_tests.finished_run import RECIPE, FinishedRun

ASSETS = {
    "raw_pages": {"pages": 23, "new": 23, "requests": None, "size_bytes": None, "duration_s": None},
    "chunks": {"chunks": None, "pages": 23, "clusters": None, "near_duplicates": None, "max_tokens": None},
    "synthetic_pairs": {"pairs": None, "rejected": None, "added": None, "duration_s": None},
    "fine_tuned_model": {"validation_ndcg_at_10": None, "n_train": None, "training_s": None, "size_bytes": None},
    "lancedb_index": {"passages": None, "added": None, "embedded": None, "size_bytes": None},
    "gold_questions": {"questions": 18, "without_expected_urls": 1},
    "eval_report": {"bm25_synthetic_ndcg_at_10": None, "base_human_ndcg_at_10": None, "duration_s": None},
    "champion": {},
}
"""Numbers that every materialization must show; the value where it follows from the test's site."""
PER_RECIPE = {"fine_tuned_model", "lancedb_index", "eval_report"}
WITH_TABLE = {"raw_pages", "chunks", "synthetic_pairs", "gold_questions", "champion"}
WITH_MLFLOW_LINK = {"fine_tuned_model", "eval_report"}


@pytest.fixture
def instance(finished: FinishedRun) -> Iterator[dg.DagsterInstance]:
    with open_instance(finished.settings()) as opened:
        yield opened


def materialization(instance: dg.DagsterInstance, asset: str) -> dg.AssetMaterialization:
    event = instance.get_latest_materialization_event(dg.AssetKey(asset))
    assert event
    assert event.asset_materialization
    return event.asset_materialization


def test_run_is_recorded_in_the_data_folders_own_instance(finished, instance):
    (record,) = instance.get_run_records()
    run = record.dagster_run
    assert (run.run_id,) == finished.outcome.run_ids
    assert run.job_name == "full_pipeline"
    assert run.status is dg.DagsterRunStatus.SUCCESS
    assert finished.settings().dagster_home == Path(instance.root_directory)


def test_first_run_reports_every_asset_as_changed(finished):
    named = {name.removesuffix(f"[{RECIPE}]") for name in finished.outcome.changed}
    assert named == ASSETS.keys()


@pytest.mark.parametrize("asset", ASSETS)
def test_every_asset_has_a_data_version_and_the_numbers_a_person_wants(instance, asset):
    found = materialization(instance, asset)
    assert found.partition == (RECIPE if asset in PER_RECIPE else None)
    assert len((found.tags or {})["dagster/data_version"]) >= 12
    for name, value in ASSETS[asset].items():
        shown = found.metadata[name]
        assert isinstance(shown, dg.IntMetadataValue | dg.FloatMetadataValue), name
        assert shown.value is not None
        assert shown.value >= 0
        assert value is None or shown.value == value, name


@pytest.mark.parametrize("asset", sorted(WITH_TABLE))
def test_sample_rows_are_shown_as_a_table(instance, asset):
    tables = [v for v in materialization(instance, asset).metadata.values() if isinstance(v, dg.TableMetadataValue)]
    assert any(table.records for table in tables)


@pytest.mark.parametrize("asset", sorted(WITH_MLFLOW_LINK))
def test_materialization_links_to_its_mlflow_run(finished, instance, asset):
    link = materialization(instance, asset).metadata["mlflow_run"]
    assert isinstance(link, dg.UrlMetadataValue)
    run = finished.tracker.client.get_run((link.value or "").rsplit("/", 1)[-1])
    assert run.data.tags["dagster.asset"] == asset
    assert run.data.tags["dagster.run_id"] == finished.outcome.run_ids[0]


def test_report_shows_its_table_and_plot_in_place(instance):
    metadata = materialization(instance, "eval_report").metadata
    assert "| bm25 |" in str(metadata["comparison"].value)
    assert "data:image/png;base64," in str(metadata["plot"].value)


def test_training_shows_its_curves_in_place_and_left_them_in_mlflow(finished, instance):
    metadata = materialization(instance, "fine_tuned_model").metadata
    assert "data:image/png;base64," in str(metadata["learning_curves"].value)
    record = require_model(finished.store, RECIPE)
    steps = {(name, step) for name, step in finished.tracker.measured(record.mlflow_run_id) if "training_ndcg" in name}
    assert steps == {("training_ndcg_at_10", int(entry["step"])) for entry in record.metrics["history"]}


def test_every_check_ran_and_the_blocking_ones_passed(finished, instance):
    events = instance.all_logs(finished.outcome.run_ids[0], of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    evaluations = [event.dagster_event.event_specific_data for event in events if event.dagster_event]
    assert len(evaluations) == 15
    assert all(isinstance(e, dg.AssetCheckEvaluation) for e in evaluations)
    failed = {e.check_name for e in evaluations if not e.passed}
    assert failed <= {"expected_pages_were_crawled", "tuned_beats_its_base", "test_questions_tell_systems_apart"}
    assert "expected_pages_were_crawled" in failed
    assert all(e.description for e in evaluations)


def test_pages_are_exactly_those_of_the_included_part(finished):
    urls = live_pages(finished.store, columns=["url"]).column("url").to_pylist()
    assert set(urls) == {finished.site_url} | {finished.url(path) for path in finished.pages}


def test_gold_question_whose_page_was_not_crawled_is_named_and_counted_apart(finished):
    (report,) = finished.outcome.reports
    (unanswerable,) = report.unanswerable
    assert unanswerable.startswith("Which tape drives do you support?")
    assert finished.url("docs/tape") in unanswerable
    assert "was not crawled" in unanswerable
    assert report.unscored == ("Who are your competitors?",)
    assert {score.n for score in report.scores if score.question_set == "human"} == {16}


def test_every_system_is_scored_on_synthetic_and_human_questions_apart(finished):
    (report,) = finished.outcome.reports
    systems = {"bm25", "base", "fine_tuned", "hybrid"}
    for question_set in ("synthetic", "human"):
        assert systems <= {score.system.name for score in report.scores if score.question_set == question_set}


def test_published_model_loads_without_our_code(finished):
    from sentence_transformers import SentenceTransformer

    record = require_model(finished.store, RECIPE)
    model = SentenceTransformer(str(record.folder), device="cpu", local_files_only=True)
    query = model.encode_query("Is there a trial period?")
    passages = model.encode_document(["The trial lasts 30 days.", "Tapes are rewound at night."])
    assert query.shape == (384,)
    assert np.argmax(model.similarity(query, passages).numpy()) == 0


def test_training_run_holds_parameters_metrics_and_the_model(finished):
    record = require_model(finished.store, RECIPE)
    run = finished.tracker.client.get_run(record.mlflow_run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["method"] == "query_adapter"
    assert run.data.metrics["validation_base_ndcg_at_10"] == pytest.approx(
        record.metrics["validation"]["base"]["ndcg_at_10"]
    )
    assert run.data.tags["model_id"] == record.identity.model_id
    assert finished.tracker.model_id_of(record.registry_version or "") == record.identity.model_id


def test_evaluation_run_has_a_finished_child_for_every_system_with_hit_rate_and_mrr(finished):
    (report,) = finished.outcome.reports
    client = finished.tracker.client
    parent = client.get_run(evaluate.mlflow_run(finished.store, report.report_id))
    children = client.search_runs([finished.tracker.experiment_id], f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
    assert parent.info.status == "FINISHED"
    assert {child.data.tags["system"] for child in children} == {system.name for system in report.systems}
    for child in children:
        score = report.score(child.data.tags["system"])
        assert score
        assert child.info.status == "FINISHED"
        for name in ("hit_rate_at_1", "hit_rate_at_5", "hit_rate_at_10", "mrr_at_10", "ndcg_at_10"):
            assert child.data.metrics[name] == pytest.approx(score.metrics[name].mean)
        assert "human_mrr_at_10" in child.data.metrics


def test_evaluation_run_keeps_table_plot_and_every_questions_outcome(finished):
    (report,) = finished.outcome.reports
    run_id = evaluate.mlflow_run(finished.store, report.report_id)
    client = finished.tracker.client
    artifacts = {a.path for folder in ("", "plots") for a in client.list_artifacts(run_id, folder)}
    assert {"comparison.json", "comparison.md", "report.json", "questions.json", "plots/ndcg_at_10.png"} <= artifacts
    assert evaluate.question_results(finished.store, [report.report_id]).num_rows == sum(s.n for s in report.scores)


def test_registry_alias_names_the_champions_model_and_nothing_if_it_was_not_trained(finished):
    champion = current_champion(finished.store)
    record = require_model(finished.store, RECIPE)
    assert champion
    assert champion == finished.outcome.champion
    trained = champion.system.name in ("fine_tuned", "hybrid")
    assert finished.tracker.champion_version() == (record.registry_version if trained else None)
    assert finished.store.exists(champion.system.table)


def test_four_customer_questions_are_answered_with_citations_of_crawled_pages(finished):
    urls = set(live_pages(finished.store, columns=["url"]).column("url").to_pylist())
    assert len(finished.outcome.answers) == 4
    for answer in finished.outcome.answers:
        assert answer.citations, answer.question
        assert {citation.url.partition("#")[0] for citation in answer.citations} <= urls


def test_trial_question_is_answered_from_a_page_about_the_trial(finished):
    answer = next(a for a in finished.outcome.answers if "trial" in a.question)
    assert "30 days" in answer.text
    assert {c.url.partition("#")[0] for c in answer.citations} & {
        finished.url("docs/trial"), finished.url("faq/licensing")
    }  # fmt: skip


def test_splits_hold_whole_pages(finished):
    rows = finished.store.read(tables.PAIRS, columns=["url", "split"], where="status = 'kept'").to_pylist()
    splits = {}
    for row in rows:
        splits.setdefault(row["url"], set()).add(row["split"])
    assert {len(names) for names in splits.values()} == {1}
    assert {name for names in splits.values() for name in names} == {"train", "validation", "test"}
