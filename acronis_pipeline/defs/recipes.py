"""The partitions: one a recipe file, packaged or in the folder that `recipes_dir` names. Reload to see a new file."""

import dagster as dg

from acronis_pipeline.finetune import current_model
from acronis_pipeline.finetune.recipe import recipe_names
from acronis_pipeline.settings import load_settings
from acronis_pipeline.store import Store

RECIPES = dg.StaticPartitionsDefinition(recipe_names(load_settings().recipes_dir))


def recipes_of(context: dg.AssetCheckExecutionContext, store: Store) -> list[str]:
    """The run's recipe; every trained one where a check is executed by itself, which gives it no partition."""
    if context.has_partition_key:
        return [context.partition_key]
    return [name for name in RECIPES.get_partition_keys() if current_model(store, name)]
