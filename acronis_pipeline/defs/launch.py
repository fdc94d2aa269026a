"""Materializes the graph from the command line: the definitions that the UI loads, runs recorded in its instance."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

from acronis_pipeline.core.errors import CheckFailedError, DamagedTableError, RecipeError
from acronis_pipeline.core.settings import Settings
from acronis_pipeline.defs import build_definitions
from acronis_pipeline.defs.instance import open_instance, watching_pools
from acronis_pipeline.finetune.recipe import recipe_names
from acronis_pipeline.store import Store, open_store

_log = logging.getLogger(__name__)

# Dagster prints every event of an in-process run to the console otherwise.
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class Outcome:
    """What the runs did. `changed` names the assets that did more than confirm that nothing had changed.

    `verdict` says who is champion after the last of them, and on which of its evidence.
    """

    run_ids: tuple[str, ...]
    changed: tuple[str, ...]
    duration_s: float
    verdict: str


def materialize(settings: Settings, recipes: Sequence[str]) -> Outcome:
    """Website to champion for the recipes: one run for each, the corpus in the first and the champion in the last.

    Raises
    ------
    RecipeError
        If a recipe is unknown.
    CheckFailedError
        If a blocking check stopped a run.
    AcronisPipelineError
        Whatever a stage reports.
    KeyboardInterrupt
        On Ctrl-C; the run is recorded as failed.
    """
    known = recipe_names(settings.recipes_dir)
    for recipe in recipes:
        if recipe not in known:
            raise RecipeError(f"recipe {recipe!r} is unknown; known are {', '.join(known)}")
    started = time.monotonic()
    instance = open_instance(settings)
    definitions = build_definitions(settings)
    job, stages = definitions.resolve_job_def("full_pipeline"), _stages(definitions.resolve_asset_graph())
    run_ids: list[str] = []
    changed: dict[str, None] = {}
    verdict = ""
    for index, recipe in enumerate(recipes):
        keys = [
            *(stages.corpus if index == 0 else ()),
            *stages.per_recipe,
            *(stages.decision if index == len(recipes) - 1 else ()),
        ]
        with watching_pools(instance):
            result = _execute_on_sound_tables(job, instance, recipe, keys, stages.corpus, open_store(settings))
        run_ids.append(result.run_id)
        changed |= dict.fromkeys(_changed_assets(result))
        verdict = _verdict(result)
    return Outcome(tuple(run_ids), tuple(changed), time.monotonic() - started, verdict)


class _Stages(NamedTuple):
    """The assets, by how often they are made: once before the recipes, once a recipe, once after them."""

    corpus: list[dg.AssetKey]
    per_recipe: list[dg.AssetKey]
    decision: list[dg.AssetKey]


def _stages(graph: AssetGraph) -> _Stages:
    made = sorted(graph.materializable_asset_keys)
    per_recipe = [key for key in made if graph.get(key).is_partitioned]
    before = set[dg.AssetKey]().union(*map(graph.get_ancestor_asset_keys, per_recipe))
    once = [key for key in made if key not in per_recipe]
    return _Stages([key for key in once if key in before], per_recipe, [key for key in once if key not in before])


def _execute_on_sound_tables(
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    recipe: str,
    keys: Sequence[dg.AssetKey],
    corpus: Sequence[dg.AssetKey],
    store: Store,
) -> dg.ExecuteInProcessResult:
    """As `_execute`; a table that turns out to be damaged is dropped and made anew, where an asset can do so."""
    dropped: set[str] = set()
    while True:
        try:
            return _execute(job, instance, recipe, keys)
        except DamagedTableError as error:
            gone = () if error.table in dropped else store.drop_damaged(error.table)
            if not gone:  # it cannot be made anew, or the disk damages it again
                raise
            _log.warning("table %s is damaged: %s dropped, the run begins again", error.table, ", ".join(gone))
            dropped.update(gone)
            keys = list(dict.fromkeys([*corpus, *keys]))


def _execute(
    job: dg.JobDefinition, instance: dg.DagsterInstance, recipe: str, keys: Sequence[dg.AssetKey]
) -> dg.ExecuteInProcessResult:
    try:
        return job.execute_in_process(
            run_config=_QUIET,
            instance=instance,
            partition_key=recipe,
            asset_selection=keys,
        )
    except dg.DagsterExecutionInterruptedError as interrupt:  # Dagster's word for Ctrl-C
        raise KeyboardInterrupt from interrupt
    except dg.DagsterError as error:
        # Dagster's error for failed blocking checks is private and only counts them.
        if words := _failed_checks(instance):
            raise CheckFailedError(
                f"check failed: {words}; what was published before still stands (see the run in `acronis-pipeline ui`)"
            ) from error
        raise


def _failed_checks(instance: dg.DagsterInstance) -> str:
    """What the newest run's failed blocking checks say."""
    newest = instance.get_run_records(limit=1)[0].dagster_run.run_id
    events = instance.all_logs(newest, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    evaluations = [event.dagster_event.event_specific_data for event in events if event.dagster_event]
    failed = [e for e in evaluations if isinstance(e, dg.AssetCheckEvaluation) and not e.passed and e.blocking]
    return "; ".join(f"{e.asset_key.to_user_string()}.{e.check_name}: {_in_words(e)}" for e in failed)


def _in_words(evaluation: dg.AssetCheckEvaluation) -> str:
    problems = evaluation.metadata.get("problems")
    if not isinstance(problems, dg.TableMetadataValue):
        return evaluation.description or ""
    first, *others = (str(record.data["problem"]) for record in problems.records)
    return f"{first}, and {len(others)} more" if others else first


def _verdict(result: dg.ExecuteInProcessResult) -> str:
    """What a run that ends in `champion` says of it; empty for any other."""
    for event in result.get_asset_materialization_events():
        materialization = event.step_materialization_data.materialization
        if materialization.asset_key == dg.AssetKey("champion"):
            return str(materialization.metadata["reason"].value)
    return ""


def _changed_assets(result: dg.ExecuteInProcessResult) -> list[str]:
    changed = []
    for event in result.get_asset_materialization_events():
        materialization = event.step_materialization_data.materialization
        if materialization.metadata["changed"].value:
            name = materialization.asset_key.to_user_string()
            changed.append(f"{name}[{event.partition}]" if event.partition else name)
    return changed
