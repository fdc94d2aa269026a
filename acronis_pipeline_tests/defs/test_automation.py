"""Schedule and sensor, driven tick by tick against a real instance and the real sample site."""

import json
from datetime import UTC, datetime

import dagster as dg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from acronis_pipeline.crawl import last_site_version
from acronis_pipeline.defs import build_definitions
from acronis_pipeline.defs.automation import SITE_VERSION_TAG, build_schedule, build_sensor
from acronis_pipeline.defs.instance import open_instance
from acronis_pipeline.defs.resources import StoreResource
from acronis_pipeline.settings import Settings, load_settings
from acronis_pipeline_tests.finished_run import RECIPE, FinishedRun, free_port


def tick(settings: Settings, cursor: str | None = None) -> dg.SensorResult:
    """One evaluation of the sensor in the data folder's own instance."""
    sensor = build_sensor(settings)
    with (
        open_instance(settings) as instance,
        dg.build_sensor_context(
            instance=instance, cursor=cursor, resources={"store": StoreResource(uri=settings.store_uri)}
        ) as context,
    ):
        result = sensor(context)
    assert isinstance(result, dg.SensorResult)
    return result


def skip_reason(result: dg.SensorResult) -> str:
    assert not result.run_requests
    assert isinstance(result.skip_reason, dg.SkipReason)
    return result.skip_reason.skip_message or ""


def requested(result: dg.SensorResult) -> dg.RunRequest:
    """The one run that a tick asked for."""
    (request,) = list(result.run_requests or [])
    return request


def record_run(finished: FinishedRun, request: dg.RunRequest, status: dg.DagsterRunStatus) -> None:
    """A run as the daemon would have launched it for the request, in some state."""
    settings = finished.settings()
    job = build_definitions(settings).resolve_job_def("index_refresh")
    with open_instance(settings) as instance:
        instance.create_run_for_job(job, tags=dict(request.tags), status=status)


@pytest.fixture
def edited(copied: FinishedRun) -> FinishedRun:
    copied.edit("docs/trial", "updated: ", "updated: ")
    return copied


def test_sensor_waits_for_a_first_champion(tmp_path, monkeypatch, finished):
    empty = load_settings(tmp_path / "empty", **finished.profile)
    assert "no champion yet" in skip_reason(tick(empty))


def test_unchanged_site_asks_for_nothing_and_says_why(finished):
    result = tick(finished.settings())
    taken_in = last_site_version(finished.store)
    assert taken_in
    assert taken_in[:12] in skip_reason(result)
    assert json.loads(result.cursor or "") == {"version": taken_in}


def test_first_look_is_observed_and_a_second_look_at_the_same_version_is_not(finished):
    first = tick(finished.settings())
    second = tick(finished.settings(), first.cursor)
    assert len(first.asset_events) == 1
    assert not second.asset_events
    assert second.cursor == first.cursor


def test_edited_page_asks_for_one_refresh_of_the_champions_index_and_observes_the_website(edited):
    before = last_site_version(edited.store)
    result = tick(edited.settings())
    request = requested(result)
    (observation,) = result.asset_events
    version = json.loads(result.cursor or "")["version"]
    assert version != before
    assert request.partition_key == RECIPE
    assert request.tags[SITE_VERSION_TAG] == version[:63]
    assert request.run_key is None
    assert isinstance(observation, dg.AssetObservation)
    assert observation.asset_key == dg.AssetKey("website")
    assert observation.data_version == version
    assert observation.metadata["urls"].value == 23


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED])
def test_version_that_a_run_is_taking_in_is_not_asked_for_again(edited, status):
    first = tick(edited.settings())
    record_run(edited, requested(first), status)
    assert "already being taken in" in skip_reason(tick(edited.settings(), first.cursor))


def test_version_whose_run_just_failed_is_left_alone_for_a_while(edited):
    first = tick(edited.settings())
    record_run(edited, requested(first), dg.DagsterRunStatus.FAILURE)
    assert "failed; next try in an hour" in skip_reason(tick(edited.settings(), first.cursor))


def test_version_whose_run_failed_long_ago_is_asked_for_again(edited, monkeypatch):
    first = tick(edited.settings())
    record_run(edited, requested(first), dg.DagsterRunStatus.FAILURE)
    monkeypatch.setattr("acronis_pipeline.defs.automation._RETRY_FAILED_AFTER_S", 0)
    assert requested(tick(edited.settings(), first.cursor))


def test_site_that_goes_back_to_an_earlier_version_is_asked_for_again(edited):
    """A → B → A: with the version as run key the third state would never be taken in."""
    to_b = tick(edited.settings())
    record_run(edited, requested(to_b), dg.DagsterRunStatus.SUCCESS)
    assert requested(tick(edited.settings(), to_b.cursor))


def test_unreachable_site_is_a_reason_and_keeps_the_cursor(finished):
    nowhere = finished.settings(site={"url": f"http://127.0.0.1:{free_port()}/"})
    cursor = json.dumps({"version": "sitemap-known"})
    result = tick(nowhere, cursor)
    assert "could not be asked" in skip_reason(result)
    assert result.cursor == cursor


@pytest.mark.parametrize("cursor", ["", "{", "[]", "null", '{"version": 7}', '"sitemap-x"'])
def test_cursor_that_cannot_be_read_costs_one_observation(finished, cursor):
    result = tick(finished.settings(), cursor)
    assert "unchanged" in skip_reason(result)
    assert len(result.asset_events) == 1


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
