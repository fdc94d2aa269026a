"""Reports kept in the store: an unchanged comparison is read, not computed again."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pyarrow as pa

from acronis_pipeline.core.dataset import RetrievalDataset
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.core.settings import EvaluationSettings, RetrievalSettings
from acronis_pipeline.evaluate import checks, leak
from acronis_pipeline.evaluate.evaluation import RETRIEVAL, evaluate, questions_id
from acronis_pipeline.evaluate.questions import as_customers_would
from acronis_pipeline.evaluate.report import Report
from acronis_pipeline.evaluate.setup import CHAMPION, ComparedSystem, ComparedSystems, EvaluationSetup
from acronis_pipeline.index import IndexedModel
from acronis_pipeline.index.rows import data_version
from acronis_pipeline.pairs.gold import GoldQuestion
from acronis_pipeline.store import Store, is_in, quoted, tables

VERSION = "3"
"""Raised when the same systems and questions would get another report."""
KEPT_REPORTS = 20
"""Of each recipe."""
NOBODY = ComparedSystems()
NOTHING_ELSE = EvaluationSettings(probes=())  # pyright: ignore[reportCallIssue]
"""No probes: the site's questions alone."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EvalResult:
    """A report, whose id is a digest of what it depends on, and whether it was read rather than computed."""

    report: Report
    reused: bool


@dataclass(frozen=True)
class StoredReport:
    """A report as it is kept, with the MLflow run that shows it."""

    report: Report
    mlflow_run_id: str | None


def refresh(
    store: Store,
    recipe: str,
    dataset: RetrievalDataset,
    gold: Sequence[GoldQuestion],
    base: IndexedModel,
    fine_tuned: IndexedModel,
    *,
    compared: ComparedSystems = NOBODY,
    retrieval: RetrievalSettings = RETRIEVAL,
    evaluation: EvaluationSettings = NOTHING_ELSE,
    device: str | None = None,
) -> EvalResult:
    """The recipe's report on the current indexes and questions; computed and stored if it is not known yet.

    Another champion makes no new report where its results on these questions are known: in the report itself or in
    another recipe's newest one. Otherwise each promotion would cost every recipe a report, with the next one due.

    The report's row is written last, so an interrupted evaluation leaves no report and is done again. Stored ones stay
    whatever is raised (by `leak.refuse`, `checks.read` and `evaluate`).
    """
    leak.refuse(store, recipe, fine_tuned.encoder.identity.model_id, dataset, gold)
    reworded = tuple(as_customers_would(question.query) for question in dataset.validation)
    checked = checks.read(evaluation)
    test = EvaluationSetup(dataset.test, base, fine_tuned, others=compared.systems, device=device)
    validation = EvaluationSetup(dataset.validation, base, fine_tuned, reworded, compared.systems, device)
    searched = retrieval.model_dump_json(exclude={"k", "editions"})
    key = digest(_key(store, test, validation, gold), searched, checked.key, *compared.caveats)
    if known := _still_valid(store, recipe, key, test, compared.champion):
        _log.info("%s: indexes and questions are unchanged, report %s stands", recipe, known.report_id)
        newest = latest_report(store, recipe)
        if newest and newest.report_id != known.report_id:
            known = _make_newest(store, known)
        return EvalResult(known, True)
    champion = [str(test.ranking_key(compared.champion.system))] if compared.champion else compared.champion_caveats
    report_id = digest(recipe, key, *champion)[:16]
    done = evaluate(
        store,
        recipe,
        test,
        validation,
        gold,
        retrieval=retrieval,
        checks=checked,
        report_id=report_id,
        caveats=(*compared.champion_caveats, *compared.caveats),
    )
    store.sync(tables.QUESTION_RESULTS, done.results, scope=f"report_id = {quoted(report_id)}")
    row = {
        "report_id": report_id,
        "recipe": recipe,
        "report_key": key,
        "report": done.report.to_json(),
        "created_at": datetime.fromisoformat(done.report.created_at),
    }
    store.upsert(tables.REPORTS, tables.REPORTS.rows([row]))
    return EvalResult(done.report, False)


def prune(store: Store, recipe: str, in_use: Collection[str] = (), keep: int = KEPT_REPORTS) -> int:
    """Drop a recipe's reports and results beyond the newest `keep`; returns how many reports went.

    Those `in_use`, by id, stay whatever their age: a promotion rests on them. MLflow has a copy of all.
    """
    reports = store.read(
        tables.REPORTS, columns=["report_id", "created_at"], where=f"recipe = {quoted(recipe)}"
    ).sort_by([("created_at", "descending")])
    newest_first = reports.column("report_id").to_pylist()
    kept = {*newest_first[:keep], *in_use}
    gone = [report_id for report_id in newest_first if report_id not in kept]
    if gone:
        # The reports go first: one without its results could decide nothing, and would not be computed again.
        store.delete(tables.REPORTS, gone)
        rows = store.read(tables.QUESTION_RESULTS, columns=["result_id"], where=is_in("report_id", gone))
        store.delete(tables.QUESTION_RESULTS, rows.column("result_id").to_pylist())
        _log.info("%s: dropped %d reports older than the last %d", recipe, len(gone), keep)
    return len(gone)


def latest_report(store: Store, recipe: str) -> Report | None:
    """The recipe's newest report, None before its first."""
    reports = stored_reports(store, recipe)
    return reports[-1].report if reports else None


def latest_reports(store: Store) -> list[Report]:
    """The newest report of every recipe, by recipe name."""
    newest = {stored.report.recipe: stored.report for stored in stored_reports(store)}
    return [newest[recipe] for recipe in sorted(newest)]


def stored_reports(store: Store, recipe: str | None = None) -> list[StoredReport]:
    """All reports, of one recipe if it is named, oldest first."""
    return _read(store, f"recipe = {quoted(recipe)}" if recipe else None)


def question_results(store: Store, report_ids: Sequence[str]) -> pa.Table:
    """Per-question results of the named reports."""
    if not report_ids:
        return tables.QUESTION_RESULTS.empty()
    return store.read(tables.QUESTION_RESULTS, where=is_in("report_id", report_ids))


def set_mlflow_run(store: Store, report_id: str, mlflow_run_id: str) -> None:
    """Remember which MLflow run shows a report."""
    _change(store, report_id, mlflow_run_id=mlflow_run_id)


def mlflow_run(store: Store, report_id: str) -> str | None:
    """The MLflow run that shows a report; None if it was never recorded."""
    return next((stored.mlflow_run_id for stored in _read(store, f"report_id = {quoted(report_id)}")), None)


def _key(store: Store, test: EvaluationSetup, validation: EvaluationSetup, gold: Sequence[GoldQuestion]) -> str:
    """Digest of questions, indexes and systems, the champion's apart."""
    compared = replace(test, others=tuple(other for other in test.others if other.system.name != CHAMPION))
    others = [str(other.system) for other in compared.others]
    indexes = [data_version(store, table) for table in compared.indexed_models]
    questions = [questions_id(store, setup, gold) for setup in (test, validation)]
    return digest(VERSION, *indexes, *others, *questions)


def _still_valid(
    store: Store, recipe: str, key: str, test: EvaluationSetup, champion: ComparedSystem | None
) -> Report | None:
    """The recipe's newest report under a key if the champion, where one takes part, need not be asked again for it."""
    found = _read(store, f"recipe = {quoted(recipe)} AND report_key = {quoted(key)}")
    made = [stored.report for stored in found]
    if champion is None or not made:
        return made[-1] if made else None
    wanted = test.ranking_key(champion.system)
    if holding := [report for report in made if wanted in report.ranking_keys]:
        return holding[-1]
    others = (report for report in latest_reports(store) if report.recipe != recipe)
    known = any(wanted in report.ranking_keys and report.questions_id == made[-1].questions_id for report in others)
    return made[-1] if known else None


def _make_newest(store: Store, report: Report) -> Report:
    """Data that went A, B, A: the report on A is known, but that on B is newer, and the newest one decides."""
    report = replace(report, created_at=datetime.now(UTC).isoformat(timespec="microseconds"))
    _change(store, report.report_id, report=report.to_json(), created_at=datetime.fromisoformat(report.created_at))
    return report


def _read(store: Store, where: str | None = None) -> list[StoredReport]:
    """Oldest first."""
    rows = store.read(tables.REPORTS, where=where).to_pylist()
    ordered = sorted(rows, key=lambda row: row["created_at"])
    return [StoredReport(Report.from_json(row["report"]), row["mlflow_run_id"]) for row in ordered]


def _change(store: Store, report_id: str, **columns: object) -> None:
    rows = store.read(tables.REPORTS, where=f"report_id = {quoted(report_id)}").to_pylist()
    changed = [row | columns for row in rows]
    store.upsert(tables.REPORTS, tables.REPORTS.rows(changed))
