"""champion: which system answers questions, and why."""

import os
from collections.abc import Sequence
from typing import Any

import dagster as dg

from acronis_pipeline.champion import Champion, current_champion, history, pointer
from acronis_pipeline.core.settings import Settings
from acronis_pipeline.defs import display
from acronis_pipeline.defs.assets.eval_report import eval_report
from acronis_pipeline.defs.instance import open_instance
from acronis_pipeline.defs.resources import StoreResource, TrackingResource
from acronis_pipeline.evaluate.report import Comparison
from acronis_pipeline.stages import promote_best
from acronis_pipeline.store import Store
from acronis_pipeline.tracking import Tracker

DATA_VERSION_TAG = "dagster/data_version"


@dg.asset(
    deps=[dg.AssetDep(eval_report, partition_mapping=dg.AllPartitionMapping())],
    group_name=display.GROUP,
    kinds={"mlflow", "lancedb"},
    owners=display.OWNERS,
    code_version="2",
    pool="lancedb_writer",
)
def champion(
    store: StoreResource, tracking: TrackingResource, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult:
    """The system that answers questions: model, index and every setting of the search.

    The best by validation takes over only if the paired interval of nDCG@10 on the test questions lies above zero and
    people's questions are not answered worse. Moves one pointer; the MLflow alias and the LanceDB tag `champion`
    follow. `acronis-pipeline champion rollback` moves it back.
    """
    opened, registry = store.open(), tracking.open()
    promotion = promote_best(opened, registry, settings)
    decision = promotion.decision
    metadata = _metadata(opened, registry, promotion.champion, decision.reason, decision.evidence)
    return display.result(promotion.champion.promotion_id, metadata, changed=promotion.changed)


def report_move(settings: Settings, store: Store, registry: Tracker, now: Champion) -> None:
    """Show a move by hand in the Dagster UI: a materialization of `champion` without a run, and its check.

    Goes to the instance that DAGSTER_HOME names, if it does, and to the data folder's otherwise.
    """
    metadata = {"changed": True, **_metadata(store, registry, now, now.reason, now.evidence)}
    with dg.DagsterInstance.get() if os.environ.get("DAGSTER_HOME") else open_instance(settings) as instance:
        tags = {**_provenance(instance), DATA_VERSION_TAG: now.promotion_id}
        instance.report_runless_asset_event(dg.AssetMaterialization(champion.key, metadata=metadata, tags=tags))
        instance.report_runless_asset_event(_evaluated(_agreement(instance, store, registry)))


def _provenance(instance: dg.DagsterInstance) -> dict[str, str]:
    """Dagster's tags of which reports and code the last decision was made from: a move by hand looks at none.

    Without them Dagster calls the champion out of sync until its next materialization.
    """
    shown = instance.get_latest_materialization_event(champion.key)
    tags = shown.asset_materialization.tags if shown and shown.asset_materialization else None
    return {name: value for name, value in (tags or {}).items() if name.startswith("dagster/")}


def _evaluated(result: dg.AssetCheckResult) -> dg.AssetCheckEvaluation:
    """The outcome of the champion's check, as an event without a run."""
    (spec,) = all_name_the_same_champion.check_specs
    return dg.AssetCheckEvaluation(
        asset_key=champion.key,
        check_name=spec.name,
        passed=result.passed,
        metadata=result.metadata,
        severity=result.severity,
        description=result.description,
        blocking=spec.blocking,
    )


def _metadata(
    store: Store, registry: Tracker, now: Champion, reason: str, evidence: Sequence[Comparison]
) -> dict[str, Any]:
    past = history.entries(store)
    plotted = history.plot(past)
    return {
        "system": str(now.contender),
        "champion_since": now.promoted_at.isoformat(timespec="seconds"),
        "recipe": now.recipe,
        "mode": now.system.mode,
        "dense_weight": now.system.dense_weight if now.system.dense_weight is not None else "",
        "reranker": now.system.reranker or "",
        "model_id": now.model_id or "",
        "passages_table": now.system.table,
        "table_version": store.version(now.system.table),
        "promotion_id": now.promotion_id,
        "registry_version": registry.champion_version() or "",
        "move": now.move,
        "reason": reason,
        "evidence": display.table(map(history.difference_row, evidence)),
        "history": display.table(map(history.history_row, reversed(past))),
        **({"ndcg_at_10_of_champions": display.plot(plotted)} if plotted else {}),
    }


@dg.asset_check(asset=champion, blocking=True)
def all_name_the_same_champion(
    context: dg.AssetCheckExecutionContext, store: StoreResource, tracking: TrackingResource
) -> dg.AssetCheckResult:
    """The champion's table and model are there and its own; MLflow's alias, LanceDB's tag and Dagster name it too."""
    return _agreement(context.instance, store.open(), tracking.open())


def _agreement(instance: dg.DagsterInstance, store: Store, registry: Tracker) -> dg.AssetCheckResult:
    now = current_champion(store)
    if now is None:
        return display.check(False, "there is no champion")
    problems = pointer.disagreements(store, registry, now)
    shown = instance.get_latest_materialization_event(champion.key)
    materialization = shown.asset_materialization if shown else None
    if materialization and (materialization.tags or {}).get(DATA_VERSION_TAG) != now.promotion_id:
        problems.append(
            f"promotion {now.promotion_id} is current, and Dagster shows another: materialize champion again"
        )
    return display.check(not problems, f"{now.contender}, registry version {registry.champion_version()}", problems)
