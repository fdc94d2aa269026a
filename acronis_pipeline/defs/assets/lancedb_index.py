"""lancedb_index: the passages of one model, searchable by vector and by word."""

import dagster as dg

from acronis_pipeline import index
from acronis_pipeline.champion import current_champion, models_to_index
from acronis_pipeline.core.settings import Settings
from acronis_pipeline.defs import display
from acronis_pipeline.defs.assets.chunks import chunks
from acronis_pipeline.defs.assets.fine_tuned_model import fine_tuned_model
from acronis_pipeline.defs.resources import RECIPES, StoreResource, recipes_of
from acronis_pipeline.stages import IndexedRecipe, index_recipe
from acronis_pipeline.store import Store, tables


@dg.asset(
    deps=[chunks, fine_tuned_model],
    partitions_def=RECIPES,
    group_name=display.GROUP,
    kinds={"lancedb"},
    owners=display.OWNERS,
    code_version=index.VERSION,
    pool="lancedb_writer",
    op_tags={"dagster/priority": "1"},  # before the questions, which no search needs
)
def lancedb_index(
    context: dg.AssetExecutionContext, store: StoreResource, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult:
    """Passages with vectors and a full-text index: of the recipe's model, of its base to compare with, of the champion.

    Each model has a table of its own. Only passages that are new are embedded; readers see the old version or the new.
    Tables and folders of models that no recipe has any more and no champion can be rolled back to are dropped.
    """
    indexed = index_recipe(store.open(), context.partition_key, settings)
    changed = any(table.changed for table in indexed.tables)
    return display.result(indexed.tables[0].data_version, _metadata(indexed), changed=changed)


@dg.asset_check(asset=lancedb_index, blocking=True)
def index_is_in_step(
    context: dg.AssetCheckExecutionContext, store: StoreResource, settings: dg.ResourceParam[Settings]
) -> dg.AssetCheckResult:
    """Every table holds exactly the chunks, with vectors of the model that its name and the model record say."""
    opened = store.open()
    recipes = recipes_of(context, opened, settings)
    problems = dict.fromkeys(problem for recipe in recipes for problem in _out_of_step(opened, recipe, settings))
    return display.check(bool(recipes) and not problems, f"{opened.count(tables.CHUNKS)} passages", list(problems))


@dg.asset_check(asset=lancedb_index, blocking=True)
def recall_is_high_enough(
    context: dg.AssetCheckExecutionContext, store: StoreResource, settings: dg.ResourceParam[Settings]
) -> dg.AssetCheckResult:
    """Where vectors are searched by an approximate index, it finds at least 95 % of the ten nearest passages."""
    opened = store.open()
    names = {
        indexed.table
        for recipe in recipes_of(context, opened, settings)
        for indexed in models_to_index(opened, recipe, settings.model, current_champion(opened))
    }
    recall_of = {table: index.search_options(opened.open(table)).recall_at_10 for table in sorted(names)}
    problems = [
        f"{table}: recall@10 {recall:.3f}; set index.vectors to a larger kind, or raise index.ann_min_rows"
        for table, recall in recall_of.items()
        if recall < index.MIN_RECALL
    ]
    return display.check(not problems, f"recall@10 at least {min(recall_of.values(), default=1.0):.3f}", problems)


def _metadata(indexed: IndexedRecipe) -> dict[str, object]:
    tuned = indexed.tables[0]
    return {
        "passages": tuned.n_passages,
        "added": tuned.added,
        "updated": tuned.updated,
        "removed": tuned.removed,
        "embedded": sum(result.embedded for result in indexed.tables),
        "size_bytes": sum(result.size_bytes for result in indexed.tables),
        "duration_s": round(sum(result.duration_s for result in indexed.tables), 2),
        "table": tuned.table,
        "table_version": tuned.version,
        "model_id": tuned.identity.model_id,
        "vector_search": tuned.search.index_type or "exact",
        "recall_at_10": tuned.search.recall_at_10,
        "tables": display.table(_table_row(result) for result in indexed.tables),
        "dropped": display.table(vars(gone) for gone in indexed.dropped),
        "dropped_models": display.table(vars(gone) for gone in indexed.dropped_models),
        "dropped_models_bytes": sum(gone.size_bytes for gone in indexed.dropped_models),
    }


def _table_row(result: index.IndexResult) -> dict[str, object]:
    search = result.search
    return {
        "table": result.table,
        "version": result.version,
        "added": result.added,
        "removed": result.removed,
        "embedded": result.embedded,
        "vector_search": search.index_type or "exact",
        "recall_at_10": search.recall_at_10,
        "nprobes": search.nprobes,
        "re_ranked": search.n_refined,
        "indexed": result.n_passages - result.n_unindexed,
        "unindexed": result.n_unindexed,
        "bytes": ", ".join(f"{part} {size}" for part, size in result.part_bytes.items()),
    }


def _out_of_step(store: Store, recipe: str, settings: Settings) -> list[str]:
    expected = index.content_version(store)
    problems = []
    for indexed in models_to_index(store, recipe, settings.model, current_champion(store)):
        identity = index.read_identity(store, indexed.table)
        if identity.model_id != indexed.encoder.identity.model_id:
            problems.append(f"{indexed.table}: vectors of {identity.model_id}")
        if index.content_version(store, indexed.table) != expected:
            problems.append(f"{indexed.table}: other passages than the chunks table")
    return problems
