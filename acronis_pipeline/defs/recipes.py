"""The partitions: one a recipe file, packaged or in the folder that `recipes_dir` names. Reload to see a new file."""

import dagster as dg

from acronis_pipeline.finetune.recipe import recipe_names
from acronis_pipeline.settings import load_settings

RECIPES = dg.StaticPartitionsDefinition(recipe_names(load_settings().recipes_dir))
