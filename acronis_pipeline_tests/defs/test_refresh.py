"""Cost follows change: what another run does when nothing changed, and when one page did."""

from dataclasses import dataclass

import dagster as dg
import pytest

from acronis_pipeline.api import Answerer, PipelineResult
from acronis_pipeline.crawl import last_site_version
from acronis_pipeline.defs import build_definitions
from acronis_pipeline.defs.instance import open_instance
from acronis_pipeline.store import tables
from acronis_pipeline_tests.defs.corpus import changed_urls, chunks_of, execute, pairs_of, passages_of
from acronis_pipeline_tests.finished_run import FinishedRun

EDITED = "docs/bootable-media"
NEWS = "The rescue stick also starts on Framework laptops."


@dataclass(frozen=True)
class State:
    """Everything that a needless run could have moved."""

    table_versions: dict[str, int]
    data_versions: dict[str, str]
    mlflow_runs: int
    model_folders: int

    @classmethod
    def of(cls, finished: FinishedRun) -> "State":
        store, tracker = finished.store, finished.tracker
        return cls(
            {name: store.version(name) for name in store.names()},
            data_versions(finished),
            len(tracker.client.search_runs([tracker.experiment_id])),
            len(store.read(tables.MODELS)),
        )


def data_versions(finished: FinishedRun) -> dict[str, str]:
    with open_instance(finished.settings()) as instance:
        records = {
            spec.key.to_user_string(): instance.get_latest_materialization_event(spec.key)
            for spec in build_definitions(finished.settings()).resolve_all_asset_specs()
        }
    return {
        name: (event.asset_materialization.tags or {})["dagster/data_version"]
        for name, event in records.items()
        if event and event.asset_materialization
    }


@pytest.fixture(scope="module")
def unchanged(
    finished_once: FinishedRun, tmp_path_factory: pytest.TempPathFactory
) -> tuple[State, PipelineResult, State]:
    """State before and after a second run on the same site."""
    folder = tmp_path_factory.mktemp("unchanged")
    copy = finished_once.copied_to(folder)
    with pytest.MonkeyPatch.context() as monkeypatch:
        copy.enter(monkeypatch, working_dir=folder)
        before = State.of(copy)
        outcome = copy.run_again()
        return before, outcome, State.of(copy)


def test_second_run_says_that_nothing_changed(unchanged):
    _, outcome, _ = unchanged
    assert outcome.changed == ()


def test_second_run_keeps_every_data_version(unchanged):
    before, _, after = unchanged
    assert len(before.data_versions) == 8
    assert after.data_versions == before.data_versions


def test_second_run_writes_no_new_version_of_any_table_but_the_log_of_crawls(unchanged):
    before, _, after = unchanged
    moved = {name for name, version in after.table_versions.items() if version != before.table_versions.get(name)}
    assert moved <= {"crawls", "pages", "site_files", "visits"}  # these remember when each was last asked for


def test_second_run_trains_nothing_and_makes_no_mlflow_run(unchanged):
    before, _, after = unchanged
    assert after.model_folders == before.model_folders == 1
    assert after.mlflow_runs == before.mlflow_runs


def test_second_run_reports_the_same_table_champion_and_answers(unchanged, finished_once):
    _, outcome, _ = unchanged
    first = finished_once.outcome
    assert outcome.reports == first.reports
    assert outcome.champion == first.champion
    assert [answer.text for answer in outcome.answers] == [answer.text for answer in first.answers]


def test_edited_page_changes_its_own_rows_and_no_others(copied):
    chunks, passages, pairs = chunks_of(copied), passages_of(copied), pairs_of(copied)
    site_version = last_site_version(copied.store)
    copied.edit(EDITED, "<h2", f"<p>{NEWS}</p>\n<h2")
    result = execute(copied, "index_refresh")
    assert result.success
    assert changed_urls(chunks, chunks_of(copied)) == {copied.url(EDITED)}
    assert changed_urls(passages, passages_of(copied)) == {copied.url(EDITED)}
    assert changed_urls(pairs, pairs_of(copied)) == {copied.url(EDITED)}
    assert last_site_version(copied.store) != site_version
    shown = {event.asset_key for event in result.get_asset_materialization_events()}
    assert shown == {dg.AssetKey(name) for name in ("raw_pages", "chunks", "synthetic_pairs", "lancedb_index")}
    (embedded,) = (
        event.materialization.metadata["embedded"].value
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey("lancedb_index")
    )
    assert 0 < int(str(embedded)) <= 4
    answer = Answerer(copied.settings()).ask("Does the rescue stick start on a Framework laptop?", k=5)
    assert NEWS in answer.text


def test_page_that_is_taken_down_leaves_the_index_when_it_was_missed_twice(copied):
    before = passages_of(copied)
    copied.take_down(EDITED)
    execute(copied, "index_refresh")
    assert passages_of(copied) == before
    execute(copied, "index_refresh")
    after = passages_of(copied)
    assert {row["url"] for row in before.values()} - {row["url"] for row in after.values()} == {copied.url(EDITED)}
    assert changed_urls(before, after) == {copied.url(EDITED)}
