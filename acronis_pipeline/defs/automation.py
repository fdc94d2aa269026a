"""Jobs, and what starts them: the nightly schedule, the sensor of the site, the sensor of the passages.

`site_change_sensor` asks for a refresh of what changed on the site, `retraining_sensor` for training once enough of the
passages did. Neither uses run keys: the same difference may have to be taken in again.
"""

import time

import dagster as dg

from acronis_pipeline import sample_site
from acronis_pipeline.champion import current_champion
from acronis_pipeline.core.errors import SiteError
from acronis_pipeline.core.settings import Settings
from acronis_pipeline.crawl.probe import SiteChanges, probe, signature
from acronis_pipeline.defs import display
from acronis_pipeline.defs.assets.chunks import chunks
from acronis_pipeline.defs.assets.fine_tuned_model import fine_tuned_model
from acronis_pipeline.defs.assets.lancedb_index import lancedb_index
from acronis_pipeline.defs.assets.raw_pages import fetching, raw_pages, website
from acronis_pipeline.defs.assets.synthetic_pairs import synthetic_pairs
from acronis_pipeline.defs.resources import StoreResource
from acronis_pipeline.defs.sensor_memory import (
    CHANGES_TAG,
    Failure,
    Memory,
    active_run,
    clock,
    has_succeeded,
    last_failure,
)
from acronis_pipeline.finetune.recipe import recipe_names
from acronis_pipeline.models.records import drift
from acronis_pipeline.store import Store

MAX_URLS = 2_000
"""More changed addresses than this are left to an incremental crawl of the whole site."""

RETRAIN_TAG = "acronis_pipeline/retraining"
"""On the sensor's runs: which state of the passages they were asked to learn from."""
_RETRAINING_INTERVAL_S = 900

full_pipeline = dg.define_asset_job(
    "full_pipeline",
    selection=dg.AssetSelection.all(),
    description="Website to champion for one recipe: crawl, chunk, make pairs, train, index, evaluate, promote.",
)
index_refresh = dg.define_asset_job(
    "index_refresh",
    selection=dg.AssetSelection.assets(raw_pages, chunks, synthetic_pairs, lancedb_index),
    description="Take in what changed on the website: passages, questions and the index of a recipe, without training.",
)


def champion_recipe(store: Store) -> str | None:
    """Recipe whose index answers questions now."""
    champion = current_champion(store)
    return champion.recipe if champion else None


def build_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """`nightly_recrawl`: also the safety net for whatever the sensor missed."""

    @dg.schedule(
        name="nightly_recrawl",
        job=index_refresh,
        cron_schedule=settings.automation.recrawl_cron,
        execution_timezone=settings.automation.recrawl_timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Recrawls the site and refreshes the champion's index; does nothing before there is one.",
    )
    def nightly_recrawl(store: StoreResource) -> dg.RunRequest | dg.SkipReason:
        recipe = champion_recipe(store.open())
        if recipe is None:
            return dg.SkipReason("no champion yet: materialize full_pipeline once")
        return dg.RunRequest(partition_key=recipe)

    return nightly_recrawl


def build_site_sensor(settings: Settings) -> dg.SensorDefinition:
    """`site_change_sensor`: a few requests per tick, and a run for what differs from what was last taken in."""
    interval_s = settings.automation.sensor_interval_s

    @dg.sensor(
        name="site_change_sensor",
        job=index_refresh,
        minimum_interval_seconds=interval_s,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Compares sitemaps and a sample of pages with the last crawl; asks for a refresh of what changed.",
    )
    def site_change_sensor(context: dg.SensorEvaluationContext, store: StoreResource) -> dg.SensorResult:
        opened, now, memory = store.open(), time.time(), Memory.parse(context.cursor)
        recipe = champion_recipe(opened)
        if recipe is None:
            return dg.SensorResult(skip_reason="no champion yet: materialize full_pipeline once")
        if memory.outage and now < memory.outage.next_at:
            return dg.SensorResult(skip_reason=f"{settings.site.url}: {memory.outage}", cursor=context.cursor)
        if run_id := active_run(context.instance):
            reason = f"run {run_id[:8]} is taking the site in; the next look comes after it"
            return dg.SensorResult(skip_reason=reason, cursor=context.cursor)
        try:
            changes = _look(opened, settings, memory.position)
        except SiteError as error:
            memory = memory.with_silence(now, interval_s)
            return dg.SensorResult(skip_reason=f"{error}; {memory.outage}", cursor=memory.dump())
        memory = memory.with_answer(changes.position, now)
        if memory.asked:
            succeeded = has_succeeded(context.instance, memory.asked.signature)
            memory = memory.with_finished_run(changes.seen, now, succeeded=succeeded)
        return _answer(recipe, changes, memory, last_failure(context.instance, index_refresh.name), now)

    return site_change_sensor


def _look(store: Store, settings: Settings, position: str) -> SiteChanges:
    automation = settings.automation
    with sample_site.serving(settings.site) as site:
        return probe(
            store,
            site,
            deadline_s=automation.sensor_deadline_s,
            sample_pages=automation.sensor_sample_pages,
            position=position,
        )


def _answer(recipe: str, changes: SiteChanges, memory: Memory, failure: Failure | None, now: float) -> dg.SensorResult:
    """A run for what differs and for what a failed run left undone, or the reason why there is none."""
    due = memory.unsettled(changes.seen)
    events: list[dg.AssetMaterialization] = []
    # A first look at a site that is as it was taken in is no news: reported, it would make raw_pages look outdated.
    if due and changes.version != memory.reported:
        events.append(_site_version(changes))
        memory = memory.model_copy(update={"reported": changes.version})
    if failure and now < failure.retry_at:
        reason = f"run {failure.run_id[:8]} failed ({failure.times} in a row); next try at {clock(failure.retry_at)}"
        return dg.SensorResult(skip_reason=reason, asset_events=events, cursor=memory.dump())
    if not due and not failure:
        return dg.SensorResult(skip_reason=_why_none(changes), asset_events=events, cursor=memory.dump())
    urls = {*due, *(failure.urls if failure else ())}
    if len(urls) > MAX_URLS or (failure and not failure.urls):
        urls = set()
    # No run key: with what was seen as key, a site that goes A, B, A would never be crawled the third time.
    request = dg.RunRequest(
        partition_key=recipe,
        run_config=fetching(sorted(urls)),
        tags={CHANGES_TAG: signature(due) if due else failure.signature if failure else ""},
    )
    cursor = memory.with_request(due).dump()
    return dg.SensorResult(run_requests=[request], asset_events=events, cursor=cursor)


def _why_none(changes: SiteChanges) -> str:
    silent = f"; {changes.stale[0]} does not answer" if changes.stale else ""
    if changes.urls:
        example = changes.urls[0]
        return (
            f"{len(changes.urls)} addresses differ still after a run took them in ({example}: "
            f"{changes.seen[example]}); asked for again when that changes, or in a day{silent}"
        )
    looked_at = f"{changes.n_urls} {'sitemap entries' if changes.basis == 'sitemap' else 'pages held'}"
    return f"unchanged: {looked_at}, {changes.n_sampled} pages asked, {changes.requests} requests{silent}"


def _site_version(changes: SiteChanges) -> dg.AssetMaterialization:
    """The version of the website that raw_pages is to take in.

    No AssetObservation: for an asset that Dagster cannot execute these enter what a run records as its input, but not
    what that is compared with, and raw_pages would be out of date for ever.
    """
    metadata = {
        "version": changes.version,
        "urls": changes.n_urls,
        "changed": len(changes.changed),
        "added": len(changes.added),
        "removed": len(changes.removed),
        "examples": display.table([{"url": url, "seen": changes.seen[url]} for url in changes.urls]),
        "sampled": changes.n_sampled,
        "requests": changes.requests,
        "duration_s": round(changes.duration_s, 2),
    }
    return dg.AssetMaterialization(website.key, metadata=metadata, tags={"dagster/data_version": changes.version})


def build_retraining_sensor(settings: Settings) -> dg.SensorDefinition:
    """`retraining_sensor`: reads two lists of ids per tick, and asks for `full_pipeline` when they differ enough."""
    limit = settings.automation.retrain_share

    @dg.sensor(
        name="retraining_sensor",
        job=full_pipeline,
        minimum_interval_seconds=_RETRAINING_INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks for training once enough passages have changed since the champion's recipe was last trained.",
    )
    def retraining_sensor(context: dg.SensorEvaluationContext, store: StoreResource) -> dg.RunRequest | dg.SkipReason:
        if not limit:
            return dg.SkipReason("automation.retrain_share is 0: models are trained by hand only")
        opened = store.open()
        recipe = champion_recipe(opened)
        if recipe is None:
            return dg.SkipReason("no champion yet: materialize full_pipeline once")
        if recipe not in recipe_names(settings.recipes_dir):
            return dg.SkipReason(f"the champion's recipe {recipe} is no longer there; train another by hand")
        changed = drift(opened, recipe)
        if changed is None:
            return dg.SkipReason(f"recipe {recipe} was never trained here, or there are no passages: train it by hand")
        failure = last_failure(context.instance, full_pipeline.name, RETRAIN_TAG)
        # A run that failed after training has left the new model without index, report and decision.
        if changed.share < limit and not failure:
            return dg.SkipReason(f"recipe {recipe} was trained on much the same: {changed}; due at {limit:.0%}")
        if run_id := active_run(context.instance, (raw_pages.key, fine_tuned_model.key)):
            return dg.SkipReason(f"{changed}, but run {run_id[:8]} is crawling or training; the next look is after it")
        if failure and time.time() < failure.retry_at:
            return dg.SkipReason(
                f"{changed}, but run {failure.run_id[:8]} failed ({failure.times} in a row); next try at "
                f"{clock(failure.retry_at)}"
            )
        # No run key: a run that failed must be asked for again for the same passages.
        return dg.RunRequest(partition_key=recipe, tags={RETRAIN_TAG: changed.state})

    return retraining_sensor
