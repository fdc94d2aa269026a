"""champion: which system answers questions, and why."""

import dagster as dg

from acronis_pipeline import gold, pairs
from acronis_pipeline.crawl.judge.urls import canonical
from acronis_pipeline.defs import reporting
from acronis_pipeline.defs.eval_report import eval_report
from acronis_pipeline.defs.recipes import RECIPES
from acronis_pipeline.defs.resources import StoreResource, TrackingResource
from acronis_pipeline.evaluate.champion import Champion, Contender, history, reigning
from acronis_pipeline.evaluate.promotion import Promotion, registry_version, settle
from acronis_pipeline.settings import Settings


@dg.asset(
    deps=[dg.AssetDep(eval_report, partition_mapping=dg.AllPartitionMapping())],
    group_name="serving",
    kinds={"mlflow", "lancedb"},
    owners=reporting.OWNERS,
    code_version="1",
    pool="lancedb_writer",
)
def champion(
    store: StoreResource, tracking: TrackingResource, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult:
    """The system that answers questions: model, index and fusion weight.

    The best by validation takes over only if the paired interval of nDCG@10 on the test questions lies above zero and
    people's questions are not answered worse. Moves one pointer and the MLflow alias `champion`.
    """
    opened = store.open()
    promotion = settle(
        opened,
        RECIPES.get_partition_keys(),
        pairs.load_dataset(opened),
        gold.load(opened),
        settings.model,
        candidates=settings.retrieval.candidates,
        canonical=lambda url: canonical(url) or url,
    )
    tracking.open().set_champion(promotion.registry_version)
    metadata = _metadata(promotion, history(opened))
    return reporting.result(promotion.champion.promotion_id, metadata, changed=promotion.changed)


def _metadata(promotion: Promotion, past: list[Champion]) -> dict[str, object]:
    now = promotion.champion
    return {
        "system": str(Contender(now.recipe, now.system, now.model_id, now.report_id)),
        "recipe": now.recipe,
        "mode": now.system.mode,
        "dense_weight": now.system.dense_weight if now.system.dense_weight is not None else "",
        "model_id": now.model_id or "",
        "passages_table": now.system.table,
        "registry_version": promotion.registry_version or "",
        "reason": promotion.decision.reason,
        "evidence": reporting.table(
            {
                "questions": comparison.question_set,
                "n": comparison.difference.n,
                "candidate": comparison.a,
                "opponent": comparison.b,
                "ndcg_at_10_difference": comparison.difference.mean,
                "low": comparison.difference.low,
                "high": comparison.difference.high,
                "p_value": comparison.difference.p_value,
            }
            for comparison in promotion.decision.evidence
        ),
        "history": reporting.table(
            {
                "promoted_at": champion.promoted_at.isoformat(timespec="seconds"),
                "recipe": champion.recipe,
                "system": champion.system.name,
                "reason": champion.reason,
            }
            for champion in reversed(past)
        ),
    }


@dg.asset_check(asset=champion, blocking=True)
def pointer_agrees_with_the_registry(store: StoreResource, tracking: TrackingResource) -> dg.AssetCheckResult:
    """The champion's index exists, and the registry's alias names its model, or nothing for an untrained system."""
    opened = store.open()
    now = reigning(opened)
    if now is None:
        return reporting.check(False, "nobody reigns")
    problems = [] if opened.exists(now.system.table) else [f"table {now.system.table} is gone"]
    tracker = tracking.open()
    named, due = tracker.champion_version(), registry_version(opened, now)
    if named != due:
        problems.append(f"the alias names version {named or 'none'}, the champion's model is version {due or 'none'}")
    elif named is not None and tracker.model_id_of(named) != now.model_id:
        problems.append(f"registry version {named} is not model {now.model_id}")
    return reporting.check(not problems, f"{now.system.name} of {now.recipe}, registry version {named}", problems)
