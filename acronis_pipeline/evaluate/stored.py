"""Reports kept in the store: an unchanged comparison is read, not computed again."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from acronis_pipeline import schemas
from acronis_pipeline.dataset import RetrievalDataset
from acronis_pipeline.evaluate.arena import Arena, Arm
from acronis_pipeline.evaluate.evaluation import Canonical, evaluate, questions_id
from acronis_pipeline.evaluate.own_words import as_customers_would
from acronis_pipeline.evaluate.report import Report
from acronis_pipeline.fingerprint import digest
from acronis_pipeline.gold import GoldQuestion
from acronis_pipeline.index.rows import data_version
from acronis_pipeline.store import Store, is_in, quoted

VERSION = "2"
"""Raised when the same systems and questions would get another report."""
REPORTS_TABLE = "reports"
RESULTS_TABLE = "question_results"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EvalResult:
    """A report, whether it was read rather than computed, and a digest of what it depends on."""

    report: Report
    reused: bool
    data_version: str


def refresh(
    store: Store,
    recipe: str,
    dataset: RetrievalDataset,
    gold: Sequence[GoldQuestion],
    base: Arm,
    fine_tuned: Arm,
    *,
    candidates: int = 200,
    canonical: Canonical = str,
) -> EvalResult:
    """The recipe's report on the current indexes and questions; computed and stored if it is not known yet.

    The report's row is written last, so an interrupted evaluation leaves no report and is done again.

    Raises
    ------
    DatasetError, IdentityMismatchError
        As for `evaluate`; stored reports stay.
    """
    reworded = tuple(as_customers_would(question.query) for question in dataset.validation)
    test, validation = Arena(dataset.test, base, fine_tuned), Arena(dataset.validation, base, fine_tuned, reworded)
    key = _key(store, test, validation, gold, candidates)
    report_id = digest(recipe, key)[:16]
    if known := _read(store, f"report_id = {quoted(report_id)}"):
        _log.info("%s: indexes and questions are unchanged, report %s stands", recipe, report_id)
        return EvalResult(known[-1], True, key)
    done = evaluate(
        store, recipe, test, validation, gold, candidates=candidates, canonical=canonical, report_id=report_id
    )
    store.sync(RESULTS_TABLE, schemas.QUESTION_RESULTS, done.results, scope=f"report_id = {quoted(report_id)}")
    store.upsert(REPORTS_TABLE, schemas.REPORTS, _row(done.report, key))
    return EvalResult(done.report, False, key)


def latest_report(store: Store, recipe: str) -> Report | None:
    """The recipe's newest report, None before its first."""
    reports = _read(store, f"recipe = {quoted(recipe)}")
    return reports[-1] if reports else None


def latest_reports(store: Store) -> list[Report]:
    """The newest report of every recipe, by recipe name."""
    return sorted({report.recipe: report for report in _read(store)}.values(), key=lambda report: report.recipe)


def question_results(store: Store, report_ids: Sequence[str]) -> pa.Table:
    """Per-question results of the named reports."""
    if not report_ids:
        return schemas.QUESTION_RESULTS.empty_table()
    return store.read(RESULTS_TABLE, schemas.QUESTION_RESULTS, where=is_in("report_id", report_ids))


def set_mlflow_run(store: Store, report_id: str, mlflow_run_id: str) -> None:
    """Remember which MLflow run shows a report."""
    rows = store.read(REPORTS_TABLE, schemas.REPORTS, where=f"report_id = {quoted(report_id)}").to_pylist()
    linked = [row | {"mlflow_run_id": mlflow_run_id} for row in rows]
    store.upsert(REPORTS_TABLE, schemas.REPORTS, pa.Table.from_pylist(linked, schema=schemas.REPORTS))


def mlflow_run(store: Store, report_id: str) -> str | None:
    """The MLflow run that shows a report; None if it was never recorded."""
    rows = store.read(
        REPORTS_TABLE, schemas.REPORTS, columns=["mlflow_run_id"], where=f"report_id = {quoted(report_id)}"
    )
    return next(iter(rows.column("mlflow_run_id").to_pylist()), None)


def _key(store: Store, test: Arena, validation: Arena, gold: Sequence[GoldQuestion], candidates: int) -> str:
    tables = [data_version(store, test.arm(name).table) for name in ("base", "fine_tuned")]
    questions = [questions_id(store, arena, gold) for arena in (test, validation)]
    return digest(VERSION, str(candidates), *tables, *questions)


def _read(store: Store, where: str | None = None) -> list[Report]:
    """Stored reports, oldest first."""
    rows = store.read(REPORTS_TABLE, schemas.REPORTS, where=where).to_pylist()
    return [Report.from_json(row["report"]) for row in sorted(rows, key=lambda row: row["created_at"])]


def _row(report: Report, key: str) -> pa.Table:
    row = {
        "report_id": report.report_id,
        "recipe": report.recipe,
        "report_key": key,
        "report": report.to_json(),
        "created_at": datetime.fromisoformat(report.created_at),
        "mlflow_run_id": None,
    }
    return pa.Table.from_pylist([row], schema=schemas.REPORTS)
