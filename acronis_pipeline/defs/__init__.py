"""The Dagster side: one file per asset with its checks, the jobs, schedule and sensors in `automation`.

No other package imports dagster; assets read inputs, call one domain function and report.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from acronis_pipeline.core.settings import Settings
from acronis_pipeline.defs import assets as stages
from acronis_pipeline.defs import automation
from acronis_pipeline.defs.resources import RECIPES, build_resources
from acronis_pipeline.finetune.recipe import recipe_names


def build_definitions(settings: Settings, resources: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Everything Dagster loads, for these settings; `resources` replaces some of the resources, for tests.

    Recipes are the files that are packaged or in the folder that `recipes_dir` names: a new one shows after a reload.
    """
    recipes = dg.StaticPartitionsDefinition(recipe_names(settings.recipes_dir))
    loaded = dg.load_assets_from_package_module(stages, include_specs=True)
    assets = [asset for asset in loaded if isinstance(asset, dg.AssetsDefinition | dg.AssetSpec)]

    def with_recipes(spec: dg.AssetSpec) -> dg.AssetSpec:
        return spec.replace_attributes(partitions_def=recipes) if spec.partitions_def == RECIPES else spec

    return dg.Definitions(
        assets=dg.map_asset_specs(with_recipes, assets),
        asset_checks=dg.load_asset_checks_from_package_module(stages),
        jobs=[automation.full_pipeline, automation.index_refresh],
        schedules=[automation.build_schedule(settings)],
        sensors=[automation.build_site_sensor(settings), automation.build_retraining_sensor(settings)],
        resources={**build_resources(settings), **(resources or {})},
        executor=dg.in_process_executor if settings.executor == "in_process" else dg.multiprocess_executor,
    )
