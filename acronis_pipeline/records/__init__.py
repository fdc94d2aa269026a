"""What the stages leave in MLflow: a run per training, a run per report with a child for every system."""

from acronis_pipeline.records.links import DAGSTER_RUN, DAGSTER_URL
from acronis_pipeline.records.report import compared_with_previous, record_report
from acronis_pipeline.records.training import ensure_registered, record_training
from acronis_pipeline.records.unfinished import kill_runs_without_process

__all__ = [
    "DAGSTER_RUN",
    "DAGSTER_URL",
    "compared_with_previous",
    "ensure_registered",
    "kill_runs_without_process",
    "record_report",
    "record_training",
]
