"""Schedule and sensor, driven tick by tick against a real instance and the real sample site."""

from datetime import UTC, datetime

import dagster as dg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from acronis_pipeline.core.settings import Settings, load_settings
from acronis_pipeline.defs import automation, build_definitions, sensor_memory
from acronis_pipeline.defs.automation import build_schedule
from acronis_pipeline.defs.instance import open_instance
from acronis_pipeline.defs.resources import StoreResource
from acronis_pipeline.defs.sensor_memory import CHANGES_TAG, Memory, Outage
from acronis_pipeline_tests.defs.ticks import requested, skip_reason, tick, urls_of
from acronis_pipeline_tests.finished_run import RECIPE, FinishedRun, free_port

SUCCESS, FAILURE = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE
EDITED = "docs/trial"


def record_run(
    finished: FinishedRun, request: dg.RunRequest, status: dg.DagsterRunStatus, *, assets: list[str] | None = None
) -> str:
    """A run as the daemon would have launched it for the request, in some state."""
    settings = finished.settings()
    job = build_definitions(settings).resolve_job_def("index_refresh")
    with open_instance(settings) as instance:
        selection = frozenset(map(dg.AssetKey, assets)) if assets else None
        config, tags = dict(request.run_config or {}), dict(request.tags)
        run = instance.create_run_for_job(job, run_config=config, tags=tags, status=status, asset_selection=selection)
        return run.run_id


@pytest.fixture
def edited(copied: FinishedRun) -> FinishedRun:
    copied.edit(EDITED, "updated: ", "updated: ")
    return copied


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failed runs are retried at once."""
    monkeypatch.setattr(sensor_memory, "_FIRST_PAUSE_S", 0.0)


def test_sensor_waits_for_a_first_champion(tmp_path, monkeypatch, finished):
    empty = load_settings(tmp_path / "empty", **finished.profile)
    assert "no champion yet" in skip_reason(tick(empty))


def test_unchanged_site_asks_for_nothing_and_says_what_was_compared(finished):
    result = tick(finished.settings())
    assert "unchanged: 23 sitemap entries" in skip_reason(result)
    assert len(result.cursor or "") < 100


def test_look_at_a_site_that_is_as_it_was_taken_in_reports_no_version(finished):
    first = tick(finished.settings())
    second = tick(finished.settings(), first.cursor)
    assert not first.asset_events
    assert not second.asset_events
    assert second.cursor == first.cursor


def test_edited_page_asks_for_a_refresh_of_that_page_alone_and_reports_the_websites_version(edited):
    result = tick(edited.settings())
    request = requested(result)
    (reported,) = result.asset_events
    assert urls_of(request) == [edited.url(EDITED)]
    assert request.partition_key == RECIPE
    assert len(request.tags[CHANGES_TAG]) <= 63
    assert request.run_key is None
    assert isinstance(reported, dg.AssetMaterialization)
    assert reported.asset_key == dg.AssetKey("website")
    assert reported.metadata["version"].value == Memory.parse(result.cursor).reported
    assert (reported.metadata["urls"].value, reported.metadata["changed"].value) == (23, 1)


def test_more_changes_than_a_run_should_name_are_left_to_a_crawl_of_the_site(edited, monkeypatch):
    monkeypatch.setattr(automation, "MAX_URLS", 0)
    assert urls_of(requested(tick(edited.settings()))) == []


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED])
def test_sensor_waits_while_a_run_takes_the_site_in(edited, status):
    first = tick(edited.settings())
    record_run(edited, requested(first), status)
    second = tick(edited.settings(), first.cursor)
    assert "is taking the site in" in skip_reason(second)
    assert second.cursor == first.cursor


def test_sensor_does_not_wait_for_a_run_that_leaves_the_site_alone(edited):
    record_run(edited, dg.RunRequest(), dg.DagsterRunStatus.STARTED, assets=["lancedb_index"])
    assert requested(tick(edited.settings()))


def test_sensor_does_not_wait_for_ever_for_a_run_that_was_killed(edited, monkeypatch):
    record_run(edited, dg.RunRequest(), dg.DagsterRunStatus.STARTED)
    monkeypatch.setattr(sensor_memory, "_DEAD_AFTER", sensor_memory.dt.timedelta(0))
    assert requested(tick(edited.settings()))


def test_failed_run_is_left_alone_for_longer_each_time(edited):
    first = tick(edited.settings())
    record_run(edited, requested(first), FAILURE)
    assert "failed (1 in a row); next try at" in skip_reason(tick(edited.settings(), first.cursor))
    record_run(edited, requested(first), FAILURE)
    assert "failed (2 in a row)" in skip_reason(tick(edited.settings(), first.cursor))
    with open_instance(edited.settings()) as instance:
        failure = sensor_memory.last_failure(instance, "index_refresh")
        newest = instance.get_run_records(limit=1)[0]
    assert failure
    assert failure.retry_at - newest.update_timestamp.timestamp() == pytest.approx(1800, abs=5)


def test_failed_run_is_asked_for_again_in_time(edited, impatient):
    first = tick(edited.settings())
    record_run(edited, requested(first), FAILURE)
    assert urls_of(requested(tick(edited.settings(), first.cursor))) == [edited.url(EDITED)]


def test_run_that_failed_after_the_site_was_taken_in_is_asked_for_again(copied, impatient):
    urls = [copied.url(EDITED)]
    lost = dg.RunRequest(run_config=automation.fetching(urls), tags={CHANGES_TAG: "x"})
    record_run(copied, lost, FAILURE)
    assert urls_of(requested(tick(copied.settings()))) == urls
    record_run(copied, dg.RunRequest(), SUCCESS)
    assert "unchanged" in skip_reason(tick(copied.settings()))


def test_difference_that_a_successful_run_left_is_asked_for_again_when_it_differs_or_after_a_day(edited):
    first = tick(edited.settings())
    record_run(edited, requested(first), SUCCESS)  # without having done anything
    second = tick(edited.settings(), first.cursor)
    assert "1 addresses differ still" in skip_reason(second)
    assert "differ still" in skip_reason(tick(edited.settings(), second.cursor))
    memory = Memory.parse(second.cursor)
    a_day_later = memory.model_copy(update={"settled": dict.fromkeys(memory.settled, 1.0)})
    assert requested(tick(edited.settings(), a_day_later.dump()))
    edited.take_down(EDITED)
    assert urls_of(requested(tick(edited.settings(), second.cursor))) == [edited.url(EDITED)]


def test_difference_left_behind_does_not_hide_another(edited):
    first = tick(edited.settings())
    record_run(edited, requested(first), SUCCESS)
    second = tick(edited.settings(), first.cursor)
    edited.edit("docs/licensing", "updated: ", "updated: ")
    third = tick(edited.settings(), second.cursor)
    assert urls_of(requested(third)) == [edited.url("docs/licensing")]


def test_site_that_does_not_answer_is_left_alone_for_longer_each_time(finished):
    nowhere = finished.settings(site={"url": f"http://127.0.0.1:{free_port()}/"})
    first = tick(nowhere, Memory(reported="known").dump())
    reason = skip_reason(first)
    assert "check the address" in reason
    assert "(1 look); next look at" in reason
    again = tick(nowhere, first.cursor)
    assert "no answer since" in skip_reason(again)
    assert again.cursor == first.cursor
    memory = Memory.parse(first.cursor)
    assert memory.reported == "known"
    assert memory.outage
    due = memory.model_copy(update={"outage": Outage(since=memory.outage.since, looks=1, next_at=0)})
    second = tick(nowhere, due.dump())
    assert "(2 looks)" in skip_reason(second)
    outage = Memory.parse(second.cursor).outage
    assert outage
    assert outage.since == pytest.approx(memory.outage.since)


def test_site_that_answers_again_is_looked_at_as_before(finished):
    outage = Outage(since=0, looks=9, next_at=0)
    result = tick(finished.settings(), Memory(outage=outage).dump())
    assert "unchanged" in skip_reason(result)
    assert Memory.parse(result.cursor).outage is None


@pytest.mark.parametrize(
    "cursor", ["", "{", "[]", "null", '{"reported": 7}', '"sitemap-x"', '{"outage": {"looks": 0}}']
)
def test_cursor_that_cannot_be_read_costs_nothing_while_the_site_is_unchanged(finished, cursor):
    assert "unchanged" in skip_reason(tick(finished.settings(), cursor))


def fire(settings: Settings) -> object:
    with dg.build_schedule_context(
        instance=dg.DagsterInstance.ephemeral(), resources={"store": StoreResource(uri=settings.store_uri)}
    ) as context:
        return build_schedule(settings)(context)


def test_nightly_recrawl_fires_at_the_configured_time_of_day():
    settings = load_settings(automation={"recrawl_cron": "30 4 * * *", "recrawl_timezone": "Europe/Zurich"})
    schedule = build_schedule(settings)
    # What the daemon itself asks when the next tick is due; Dagster has no public way to ask.
    times = schedule_execution_time_iterator(
        datetime(2026, 7, 1, tzinfo=UTC).timestamp(), schedule.cron_schedule, schedule.execution_timezone
    )
    assert next(times).astimezone(UTC) == datetime(2026, 7, 1, 2, 30, tzinfo=UTC)
    assert next(times).astimezone(UTC) == datetime(2026, 7, 2, 2, 30, tzinfo=UTC)


def test_nightly_recrawl_does_nothing_before_there_is_a_champion(tmp_path):
    assert isinstance(fire(load_settings(tmp_path / "empty")), dg.SkipReason)


def test_nightly_recrawl_refreshes_the_champions_recipe(finished):
    request = fire(finished.settings())
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == RECIPE
