"""Measurement that can be trusted: every system on the same questions, with intervals.

An `EvaluationSetup` says what is compared on which questions, `evaluate` compares, and `refresh` keeps the report.
"""

from acronis_pipeline.evaluate.evaluation import Evaluation, evaluate, evaluate_alone
from acronis_pipeline.evaluate.report import Comparison, Report, SliceScore, SystemScore
from acronis_pipeline.evaluate.setup import EvaluationSetup
from acronis_pipeline.evaluate.stored import (
    VERSION,
    EvalResult,
    StoredReport,
    latest_report,
    latest_reports,
    mlflow_run,
    prune,
    question_results,
    refresh,
    set_mlflow_run,
    stored_reports,
)

__all__ = [
    "VERSION",
    "Comparison",
    "EvalResult",
    "Evaluation",
    "EvaluationSetup",
    "Report",
    "SliceScore",
    "StoredReport",
    "SystemScore",
    "evaluate",
    "evaluate_alone",
    "latest_report",
    "latest_reports",
    "mlflow_run",
    "prune",
    "question_results",
    "refresh",
    "set_mlflow_run",
    "stored_reports",
]
