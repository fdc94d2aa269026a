"""lancedb_index: the passages of one model, searchable by vector and by word."""

import dagster as dg

from acronis_pipeline import index
from acronis_pipeline.defs import reporting
from acronis_pipeline.defs.chunks import chunks
from acronis_pipeline.defs.fine_tuned_model import fine_tuned_model
from acronis_pipeline.defs.recipes import RECIPES, recipes_of
from acronis_pipeline.defs.resources import StoreResource
from acronis_pipeline.evaluate.arms import arms_of
from acronis_pipeline.evaluate.champion import reigning
from acronis_pipeline.settings import Settings
from acronis_pipeline.store import Store


@dg.asset(
    deps=[chunks, fine_tuned_model],
    partitions_def=RECIPES,
    group_name="retrieval",
    kinds={"lancedb"},
    owners=reporting.OWNERS,
    code_version=index.VERSION,
    pool="lancedb_writer",
    op_tags={"dagster/priority": "1"},  # before the questions, which no search needs
)
def lancedb_index(
    context: dg.AssetExecutionContext, store: StoreResource, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult:
    """Passages with vectors and a full-text index: of the recipe's model, of its base to compare with, of the champion.

    Each model has a table of its own. Only passages that are new are embedded; readers see the old version or the new.
    """
    opened = store.open()
    results = [
        index.refresh(opened, arm.table, lambda arm=arm: arm.embedder, arm.embedder.identity)
        for arm in arms_of(opened, context.partition_key, settings.model, reigning(opened))
    ]
    tuned = results[0]
    metadata = {
        "passages": tuned.n_passages,
        "added": tuned.added,
        "updated": tuned.updated,
        "removed": tuned.removed,
        "embedded": sum(result.embedded for result in results),
        "size_bytes": sum(result.size_bytes for result in results),
        "duration_s": round(sum(result.duration_s for result in results), 2),
        "table": tuned.table,
        "table_version": tuned.version,
        "model_id": tuned.identity.model_id,
        "tables": reporting.table(
            {"table": r.table, "version": r.version, "added": r.added, "removed": r.removed, "embedded": r.embedded}
            for r in results
        ),
    }
    return reporting.result(tuned.data_version, metadata, changed=any(result.changed for result in results))


@dg.asset_check(asset=lancedb_index, blocking=True)
def index_is_in_step(
    context: dg.AssetCheckExecutionContext, store: StoreResource, settings: dg.ResourceParam[Settings]
) -> dg.AssetCheckResult:
    """Every table holds exactly the chunks, with vectors of the model that its name and the model record say."""
    opened = store.open()
    recipes = recipes_of(context, opened)
    problems = dict.fromkeys(problem for recipe in recipes for problem in _out_of_step(opened, recipe, settings))
    return reporting.check(bool(recipes) and not problems, f"{opened.count('chunks')} passages", list(problems))


def _out_of_step(store: Store, recipe: str, settings: Settings) -> list[str]:
    expected = index.content_version(store)
    problems = []
    for arm in arms_of(store, recipe, settings.model, reigning(store)):
        identity = index.read_identity(store, arm.table)
        if identity.model_id != arm.embedder.identity.model_id:
            problems.append(f"{arm.table}: vectors of {identity.model_id}")
        if index.content_version(store, arm.table) != expected:
            problems.append(f"{arm.table}: other passages than the chunks table")
    return problems
