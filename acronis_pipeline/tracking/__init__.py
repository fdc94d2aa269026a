"""MLflow: a run per training and report, a child per system, models in the registry, an alias for the champion.

Only `MlflowClient` is used, never the global active run: a run ends FAILED when its step fails, and two steps of one
process cannot write into each other's runs (both happen with dagster-mlflow). This package alone imports mlflow.
"""

import os

from acronis_pipeline.tracking.connection import impatient
from acronis_pipeline.tracking.report import compared_with_previous, record_report
from acronis_pipeline.tracking.run import Run
from acronis_pipeline.tracking.tracker import (
    DAGSTER_RUN,
    DAGSTER_URL,
    RunSummary,
    Tracker,
    kill_runs_without_process,
)
from acronis_pipeline.tracking.training import ensure_registered, record_training

__all__ = [
    "DAGSTER_RUN",
    "DAGSTER_URL",
    "Run",
    "RunSummary",
    "Tracker",
    "compared_with_previous",
    "ensure_registered",
    "impatient",
    "kill_runs_without_process",
    "record_report",
    "record_training",
]

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
