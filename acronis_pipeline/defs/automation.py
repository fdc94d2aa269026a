"""Jobs, the nightly schedule and the sensor that notices changes of the site."""

import json
import time
from collections.abc import Sequence

import dagster as dg

from acronis_pipeline import sample_site
from acronis_pipeline.crawl import last_site_version
from acronis_pipeline.crawl.probe import probe
from acronis_pipeline.defs.chunks import chunks
from acronis_pipeline.defs.lancedb_index import lancedb_index
from acronis_pipeline.defs.raw_pages import raw_pages, website
from acronis_pipeline.defs.resources import StoreResource
from acronis_pipeline.errors import SettingsError, SiteError
from acronis_pipeline.evaluate.champion import reigning
from acronis_pipeline.settings import Settings
from acronis_pipeline.store import Store

SITE_VERSION_TAG = "acronis_pipeline/site_version"
_RETRY_FAILED_AFTER_S = 3600
_ACTIVE = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]

full_pipeline = dg.define_asset_job(
    "full_pipeline",
    selection=dg.AssetSelection.all(),
    description="Website to champion for one recipe: crawl, chunk, make pairs, train, index, evaluate, promote.",
)
index_refresh = dg.define_asset_job(
    "index_refresh",
    selection=dg.AssetSelection.assets(raw_pages, chunks, lancedb_index),
    description="Take in what changed on the website and refresh the index of one recipe, without training.",
)


def champion_recipe(store: Store) -> str | None:
    """Recipe whose index answers questions now."""
    champion = reigning(store)
    return champion.recipe if champion else None


def build_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """`nightly_recrawl`: also the safety net for whatever the sensor missed.

    Raises
    ------
    SettingsError
        If cron expression or time zone cannot be understood.
    """

    def nightly_recrawl(store: StoreResource) -> dg.RunRequest | dg.SkipReason:
        recipe = champion_recipe(store.open())
        if recipe is None:
            return dg.SkipReason("no champion yet: materialize full_pipeline once")
        return dg.RunRequest(partition_key=recipe)

    cron, timezone = settings.automation.recrawl_cron, settings.automation.recrawl_timezone
    try:
        return dg.schedule(
            name="nightly_recrawl",
            job=index_refresh,
            cron_schedule=cron,
            execution_timezone=timezone,
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description="Recrawls the site and refreshes the champion's index; does nothing before there is one.",
        )(nightly_recrawl)
    except dg.DagsterInvalidDefinitionError as error:
        raise SettingsError(
            f"automation.recrawl_cron = {cron!r}, automation.recrawl_timezone = {timezone!r}: "
            f"{str(error).rstrip('.')}; write them as '0 3 * * *' and 'Europe/Zurich'"
        ) from error


def build_sensor(settings: Settings) -> dg.SensorDefinition:
    """`site_change_sensor`: a few requests per tick, a run only when the site differs from what was last taken in."""

    @dg.sensor(
        name="site_change_sensor",
        job=index_refresh,
        minimum_interval_seconds=settings.automation.sensor_interval_s,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Polls the sitemap (or a sample of pages) and asks for an index refresh when the site changed.",
    )
    def site_change_sensor(context: dg.SensorEvaluationContext, store: StoreResource) -> dg.SensorResult:
        opened = store.open()
        recipe = champion_recipe(opened)
        if recipe is None:
            return dg.SensorResult(skip_reason="no champion yet: materialize full_pipeline once")
        try:
            with sample_site.serving(settings.site) as site:
                seen = probe(opened, site, deadline_s=settings.automation.sensor_deadline_s)
        except SiteError as error:
            return dg.SensorResult(skip_reason=f"the site could not be asked: {error}", cursor=context.cursor)
        observed = _parse_cursor(context.cursor)
        events: Sequence[dg.AssetObservation] = (
            [] if observed == seen.version else [_observation(seen.version, seen.n_urls)]
        )
        cursor = json.dumps({"version": seen.version})
        reason = _why_not(context.instance, seen.version, last_site_version(opened))
        if reason:
            return dg.SensorResult(skip_reason=reason, asset_events=events, cursor=cursor)
        # No run key: with the version as key, a site that goes A, B, A would never be crawled the third time.
        request = dg.RunRequest(partition_key=recipe, tags={SITE_VERSION_TAG: seen.version[:63]})
        return dg.SensorResult(run_requests=[request], asset_events=events, cursor=cursor)

    return site_change_sensor


def _why_not(instance: dg.DagsterInstance, version: str, taken_in: str | None) -> str | None:
    """Reason not to ask for a run; None if one is due."""
    if version == taken_in:
        return f"unchanged: version {version[:12]} is what raw_pages last took in"
    filters = dg.RunsFilter(tags={SITE_VERSION_TAG: version[:63]})
    newest = next(iter(instance.get_run_records(filters, limit=1)), None)
    if newest is None:
        return None
    if newest.dagster_run.status in _ACTIVE:
        return f"version {version[:12]} is already being taken in by run {newest.dagster_run.run_id[:8]}"
    age_s = time.time() - newest.create_timestamp.timestamp()
    if newest.dagster_run.status != dg.DagsterRunStatus.SUCCESS and age_s < _RETRY_FAILED_AFTER_S:
        return f"run {newest.dagster_run.run_id[:8]} for version {version[:12]} failed; next try in an hour"
    return None


def _observation(version: str, n_urls: int) -> dg.AssetObservation:
    return dg.AssetObservation(
        asset_key=website.key, tags={"dagster/data_version": version}, metadata={"version": version, "urls": n_urls}
    )


def _parse_cursor(cursor: str | None) -> str | None:
    """The version seen last; a cursor that cannot be read means none, and costs one observation."""
    try:
        parsed = json.loads(cursor) if cursor else {}
    except json.JSONDecodeError:
        return None
    version = parsed.get("version") if isinstance(parsed, dict) else None
    return version if isinstance(version, str) else None
