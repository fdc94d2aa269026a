"""MLflow: one run per materialization, a child per compared system, models in the registry, one alias for the champion.

Only `MlflowClient` is used, never the global active run: a run ends FAILED when its step fails, and two steps of one
process cannot write into each other's runs (both happen with dagster-mlflow). This package alone imports mlflow; what
the stages leave there is decided in `records`.
"""

import os

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

from acronis_pipeline.tracking.connection import impatient, sqlite_file
from acronis_pipeline.tracking.models import log_model, prune_models
from acronis_pipeline.tracking.run import Dataset, Point, Run, flatten, metric_name
from acronis_pipeline.tracking.tracker import CHAMPION_ALIAS, RunSummary, Tracker

__all__ = [
    "CHAMPION_ALIAS",
    "Dataset",
    "Point",
    "Run",
    "RunSummary",
    "Tracker",
    "flatten",
    "impatient",
    "log_model",
    "metric_name",
    "prune_models",
    "sqlite_file",
]
