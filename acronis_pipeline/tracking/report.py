"""A report in MLflow: a run with a child for every system, so that materializations and systems can be compared."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any

from acronis_pipeline import evaluate
from acronis_pipeline.core.hashing import digest_rows
from acronis_pipeline.evaluate import Report, SystemScore
from acronis_pipeline.evaluate.metrics import PRIMARY
from acronis_pipeline.index.rows import content_version
from acronis_pipeline.models.records import ModelRecord
from acronis_pipeline.reporting import Links, ReportView, plots
from acronis_pipeline.reporting.view import table_rows
from acronis_pipeline.retrieve import System
from acronis_pipeline.store import Store
from acronis_pipeline.tracking.run import Dataset, Run
from acronis_pipeline.tracking.tracker import DAGSTER_RUN, DAGSTER_URL, Tracker

OWN = "fine_tuned"
"""The system that shows what a recipe is worth; the others share its report to compare with."""
_HEADLINE = (
    *("hit_rate_at_1", "hit_rate_at_5", "hit_rate_at_10", "mrr_at_10", PRIMARY),
    *("human_hit_rate_at_5", "human_mrr_at_10", f"human_{PRIMARY}"),
    *(f"{PRIMARY}_minus_base", f"{PRIMARY}_minus_bm25"),
)
Tags = Mapping[str, object]
_MATERIALIZATIONS = "times_materialized"
_PER_QUESTION = ("question_set", "system", "style", "query", "first_relevant_rank", "mrr_at_10", "ndcg_at_10")
_SLICE = ("question_set", "by", "value", "system", "n", "n_groups")


def of_system(report: Report, system: str) -> dict[str, float]:
    """Everything measured of one system, under plain names: `mrr_at_10` on synthetic questions, `human_mrr_at_10` on
    people's.
    """
    values: dict[str, float] = {}
    for score in report.scores:
        if score.system.name == system:
            values |= _of_score(score)
    if system in report.validation:
        values[f"validation_{PRIMARY}"] = report.validation[system]
    return values | dict(_differences(report, system)) | dict(_elsewhere(report, system))


def of_report(report: Report) -> dict[str, float]:
    """The headline figures of the recipe's own model.

    Few, because MLflow's page that compares runs lists metrics by name and shows seven of them without scrolling.
    """
    values = of_system(report, OWN)
    return {name: values[name] for name in _HEADLINE if name in values}


def _of_score(score: SystemScore) -> dict[str, float]:
    """Means of every metric, the interval of nDCG@10, the number of questions; what a query and the index cost."""
    prefix = _prefix(score.question_set)
    values = {f"{prefix}{name}": interval.mean for name, interval in score.metrics.items()}
    primary = score.metrics[PRIMARY]
    values |= {f"{prefix}{PRIMARY}_low": primary.low, f"{prefix}{PRIMARY}_high": primary.high, f"{prefix}n": score.n}
    if score.latency:
        values |= {"latency_p50_ms": score.latency.p50_ms, "latency_p95_ms": score.latency.p95_ms}
    if score.index_size_bytes is not None:
        values["index_size_bytes"] = score.index_size_bytes
    return values


def _differences(report: Report, system: str) -> Iterator[tuple[str, float]]:
    for comparison in report.comparisons:
        if comparison.a == system:
            name = f"{_prefix(comparison.question_set)}{comparison.metric}_minus_{comparison.b}"
            found = comparison.difference
            yield from {
                name: found.mean, f"{name}_low": found.low, f"{name}_high": found.high, f"{name}_p": found.p_value
            }.items()  # fmt: skip


def _elsewhere(report: Report, system: str) -> Iterator[tuple[str, float]]:
    """Away from the site: the forgetting probes, and the correlation with similarities that people gave."""
    for probe in report.forgetting:
        if system == OWN:
            yield f"probe_{probe.probe}", probe.fine_tuned.mean
            yield f"probe_{probe.probe}_minus_base", probe.difference.mean
            yield f"probe_{probe.probe}_flagged", float(probe.flagged)
        elif system == "base":
            yield f"probe_{probe.probe}", probe.base.mean
    for correlation in report.correlations:
        if correlation.system == system:
            yield f"spearman_{PurePath(correlation.file).stem}", correlation.spearman.mean


def _prefix(question_set: str) -> str:
    return "" if question_set == "synthetic" else f"{question_set}_"


def record_report(
    tracker: Tracker,
    view: ReportView,
    *,
    model: ModelRecord,
    tags: Tags,
    page: Callable[[Links], str] | None = None,
) -> str:
    """The MLflow run of a report; `page` makes its HTML, told where else the report is to be found.

    A report that was read again keeps its run, and its figures get one more point in time there: a run of its own
    would compare the same numbers with themselves.
    """
    store, report = view.store, view.report
    known = evaluate.mlflow_run(store, report.report_id)
    if known and tracker.has_run(known):
        _confirm(tracker, known, report, tags)
        return known
    evaluation = _Evaluation.of(tracker, view, model, tags)
    # Two materializations beside each other are told apart by the report's id, which `compare` prints too.
    with tracker.run(f"evaluate {report.recipe} {report.report_id[:8]}", tags=evaluation.tags) as run:
        run.params({"recipe": report.recipe, "base_model": model.identity.base} | evaluation.learned)
        run.metrics(of_report(report) | {_MATERIALIZATIONS: 1, "wall_s": report.duration_s})
        run.datasets(evaluation.datasets)
        _log_artifacts(run, evaluation.view)
        if page:
            address = tags.get(DAGSTER_URL)
            run.text(page(Links(tracker.url(run.run_id), str(address) if address else None)), "report.html")
        for system in report.systems:
            _record_system(tracker, run, evaluation, system)
        run.description(_description(tracker, evaluation, run.run_id))
    evaluate.set_mlflow_run(store, report.report_id, run.run_id)
    return run.run_id


def compared_with_previous(tracker: Tracker, store: Store, report: Report) -> str | None:
    """Address of the page where MLflow compares a report with the recipe's one before; None for the first."""
    known, previous = evaluate.mlflow_run(store, report.report_id), _previous_run(store, report)
    return tracker.comparison_url([previous, known]) if known and previous else None


def _previous_run(store: Store, report: Report) -> str | None:
    newest_first = reversed(evaluate.stored_reports(store, report.recipe))
    others = (kept for kept in newest_first if kept.report.report_id != report.report_id)
    return next((kept.mlflow_run_id for kept in others if kept.mlflow_run_id), None)


@dataclass(frozen=True)
class _Evaluation:
    """A report and all that its runs say beside its figures; `learned` are the parameters of the model's training."""

    view: ReportView
    model: ModelRecord
    learned: dict[str, str]
    datasets: tuple[Dataset, ...]
    tags: dict[str, object]

    @classmethod
    def of(cls, tracker: Tracker, view: ReportView, model: ModelRecord, tags: Tags) -> "_Evaluation":
        report = view.report
        known = {"recipe": report.recipe, "model_id": model.identity.model_id, "report_id": report.report_id}
        if model.mlflow_run_id:
            known["training_run"] = model.mlflow_run_id
        learned = tracker.params(model.mlflow_run_id) if model.mlflow_run_id else {}
        datasets = tuple(_datasets(view))
        return cls(view, model, learned, datasets, {**tags, "stage": "eval_report", **known})


def _datasets(view: ReportView) -> Iterator[Dataset]:
    """The questions of each set as they were asked, and the passages that were searched."""
    store, results = view.store, view.results.to_pylist()
    for question_set, name in (("synthetic", "test_questions"), ("human", "gold_questions")):
        asked = {row["question_id"]: row["query"] for row in results if row["question_set"] == question_set}
        if asked:
            yield Dataset(name, digest_rows(asked.items()), f"{store.uri}/question_results", "evaluation", len(asked))
    passages = view.report.systems[0].table
    n_passages = store.count(passages)
    yield Dataset("corpus", content_version(store, passages), f"{store.uri}/{passages}", "searched", n_passages)


def _confirm(tracker: Tracker, run_id: str, report: Report, tags: Tags) -> None:
    run, count = tracker.opened(run_id), len(tracker.client.get_metric_history(run_id, _MATERIALIZATIONS))
    run.metrics(of_report(report) | {_MATERIALIZATIONS: count + 1}, step=count)
    if DAGSTER_RUN in tags:
        run.tags({"dagster.confirmed_by": tags[DAGSTER_RUN]})


def _record_system(tracker: Tracker, parent: Run, evaluation: _Evaluation, system: System) -> None:
    """A child run with plain metric names, so that MLflow compares systems across reports."""
    report, model_id = evaluation.view.report, evaluation.model.identity.model_id
    tuned = any(score.model_id == model_id for score in report.scores if score.system == system)
    settled = {name: value for name, value in asdict(system).items() if name != "name" and value is not None}
    name = f"{report.recipe} · {system.name}"
    with tracker.run(name, tags={**evaluation.tags, "system": system.name}, parent=parent) as run:
        learned = evaluation.learned if tuned else _windows(evaluation.model, system)
        run.params({"recipe": report.recipe, **learned, "system": system.name, **settled})
        run.metrics(of_system(report, system.name))
        run.datasets(evaluation.datasets)


def _windows(model: ModelRecord, system: System) -> dict[str, object]:
    """How the passages of an untrained system are cut, if they are; the tuned ones have it among what they learnt."""
    windows = model.base_identity.windows
    return {"windows": asdict(windows)} if windows and system.name in ("base", "hybrid_base") else {}


def _log_artifacts(run: Run, view: ReportView) -> None:
    run.table(_columns(table_rows([view.report])), "comparison.json")
    run.text(view.comparison, "comparison.md")
    run.text(view.report.to_json(), "report.json")
    run.png(plots.ndcg_with_intervals(view.report), "plots/ndcg_at_10.png")
    results = view.results.to_pylist()
    run.table({name: [row[name] for row in results] for name in _PER_QUESTION}, "questions.json")
    if view.report.slices:
        run.table(_columns([_slice(part) for part in view.report.slices]), "slices.json")


def _slice(part: evaluate.SliceScore) -> dict[str, Any]:
    return {name: getattr(part, name) for name in _SLICE} | {
        "hit_rate_at_5": part.hit_rate_at_5.mean,
        "ndcg_at_10": part.ndcg_at_10.mean,
        "ndcg_at_10_low": part.ndcg_at_10.low,
        "ndcg_at_10_high": part.ndcg_at_10.high,
    }


def _description(tracker: Tracker, evaluation: _Evaluation, run_id: str) -> str:
    """What stands on top of the run's page: the verdict, the way to everything around it, the table with its notes."""
    view, links = evaluation.view, {"Dagster run": evaluation.tags.get(DAGSTER_URL)}
    if evaluation.model.mlflow_run_id:
        links["training of the model"] = tracker.url(evaluation.model.mlflow_run_id)
    if previous := _previous_run(view.store, view.report):
        links["compared with the recipe's report before"] = tracker.comparison_url([previous, run_id])
    shown = " · ".join(f"[{text}]({address})" for text, address in links.items() if address)
    return "\n\n".join(part for part in (view.verdict.markdown, shown, view.comparison) if part)


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}
