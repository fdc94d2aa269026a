"""retraining_sensor: trains the champion's recipe again once enough of the site has changed."""

import time

import dagster as dg

from acronis_pipeline.defs.automation import champion_recipe, full_pipeline
from acronis_pipeline.defs.fine_tuned_model import fine_tuned_model
from acronis_pipeline.defs.raw_pages import raw_pages
from acronis_pipeline.defs.recipes import RECIPES
from acronis_pipeline.defs.resources import StoreResource
from acronis_pipeline.defs.sensor_memory import clock
from acronis_pipeline.defs.sensor_runs import active_run, last_failure
from acronis_pipeline.finetune.drift import drift
from acronis_pipeline.settings import Settings

RETRAIN_TAG = "acronis_pipeline/retraining"
"""On the sensor's runs: which state of the passages they were asked to learn from."""
_INTERVAL_S = 900


def build_sensor(settings: Settings) -> dg.SensorDefinition:
    """`retraining_sensor`: reads two lists of ids per tick, and asks for `full_pipeline` when they differ enough."""
    limit = settings.automation.retrain_share

    @dg.sensor(
        name="retraining_sensor",
        job=full_pipeline,
        minimum_interval_seconds=_INTERVAL_S,
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
        if recipe not in RECIPES.get_partition_keys():
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
