"""What assets declare and are given: partitions by recipe, and resources, thin and visible in the UI."""

import dagster as dg

from acronis_pipeline.core.settings import Settings
from acronis_pipeline.defs import instance
from acronis_pipeline.finetune.recipe import recipe_names
from acronis_pipeline.models.records import current_model
from acronis_pipeline.store import Store
from acronis_pipeline.tracking import Tracker

RECIPES = dg.StaticPartitionsDefinition([])
"""Stands on what is made once a recipe; which recipes there are, `build_definitions` takes from the settings."""


def recipes_of(context: dg.AssetCheckExecutionContext, store: Store, settings: Settings) -> list[str]:
    """The run's recipe; every trained one where a check is executed by itself, which gives it no partition."""
    if context.has_partition_key:
        return [context.partition_key]
    return [name for name in recipe_names(settings.recipes_dir) if current_model(store, name)]


class StoreResource(dg.ConfigurableResource):
    """The LanceDB database that holds every table."""

    uri: str
    # Not config, which the UI shows: it holds keys.
    storage_options: dg.ResourceDependency[dict[str, str]] = {}  # noqa: RUF012  # pyright: ignore[reportAssignmentType]

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        # Every asset needs the store, so every run comes by here before its first step, whoever launched it.
        if context.run and context.instance:
            instance.begin(context.instance, context.run)

    def open(self) -> Store:
        return Store(self.uri, self.storage_options)


class TrackingResource(dg.ConfigurableResource):
    """The MLflow server or database that records runs and models."""

    tracking_uri: str
    experiment: str
    registered_model: str
    ui_url: str

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        if context.instance:
            instance.kill_dead_mlflow_runs(context.instance, self.open())

    def open(self) -> Tracker:
        return Tracker(self.tracking_uri, self.experiment, self.registered_model, self.ui_url)


def build_resources(settings: Settings) -> dict[str, object]:
    return {
        "settings": settings,
        "store": StoreResource(uri=settings.store_uri, storage_options=settings.store_options),
        "tracking": TrackingResource(
            tracking_uri=settings.tracking_uri,
            experiment=settings.mlflow_experiment,
            registered_model=settings.registered_model,
            ui_url=settings.mlflow_ui_url,
        ),
    }
