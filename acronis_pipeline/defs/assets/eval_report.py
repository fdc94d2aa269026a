"""eval_report: how well each system finds the right passage."""

from typing import Any

import dagster as dg

from acronis_pipeline import evaluate
from acronis_pipeline.core.settings import Settings
from acronis_pipeline.defs import display
from acronis_pipeline.defs.assets.gold_questions import gold_questions
from acronis_pipeline.defs.assets.lancedb_index import lancedb_index
from acronis_pipeline.defs.assets.synthetic_pairs import synthetic_pairs
from acronis_pipeline.defs.resources import RECIPES, StoreResource, TrackingResource, recipes_of
from acronis_pipeline.evaluate import Comparison, Report
from acronis_pipeline.reporting import plots
from acronis_pipeline.stages import EvaluatedRecipe, evaluate_recipe
from acronis_pipeline.store import Store
from acronis_pipeline.tracking import Tracker, compared_with_previous


@dg.asset(
    deps=[lancedb_index, synthetic_pairs, gold_questions],
    partitions_def=RECIPES,
    group_name=display.GROUP,
    kinds={"mlflow"},
    owners=display.OWNERS,
    code_version=evaluate.VERSION,
    pool="lancedb_writer",
)
def eval_report(
    context: dg.AssetExecutionContext,
    store: StoreResource,
    tracking: TrackingResource,
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult:
    """BM25, the untouched base, the recipe's model and their hybrids on the same questions, with intervals.

    Synthetic test questions and human gold questions are scored apart. One MLflow run, with a child per system.
    """
    opened, tracker = store.open(), tracking.open()
    tags = display.run_tags(context, settings.dagster_ui_url)
    done = evaluate_recipe(opened, tracker, context.partition_key, settings, tags=tags)
    return display.result(done.report.report_id, _metadata(tracker, opened, done), changed=not done.reused)


def _metadata(tracker: Tracker, store: Store, done: EvaluatedRecipe) -> dict[str, Any]:
    """The verdict first, where the page is, then the figures."""
    view, report, run_id = done.view, done.report, done.mlflow_run_id
    shown: dict[str, Any] = {
        "verdict": dg.MetadataValue.md(view.verdict.markdown),
        "report": dg.MetadataValue.url(tracker.artifact_url(run_id, "report.html")),
        "report_file": dg.MetadataValue.path(done.page),
        "comparison": dg.MetadataValue.md(view.comparison),
        "plot": display.plot(plots.ndcg_with_intervals(report)),
        "differences": display.plot(plots.differences(report)),
        "notes": "\n".join(report.caveats),
        "unanswerable": display.table({"question": question} for question in report.unanswerable),
        "duration_s": round(report.duration_s, 2),
        **{f"{s.system.name}_{s.question_set}_ndcg_at_10": s.metrics["ndcg_at_10"].mean for s in report.scores},
        "report_id": report.report_id,
        "mlflow_run": dg.MetadataValue.url(tracker.url(run_id)),
    }
    if compared := compared_with_previous(tracker, store, report):
        shown["compared_with_previous"] = dg.MetadataValue.url(compared)
    return shown


@dg.asset_check(asset=eval_report, blocking=True)
def every_system_was_asked(
    context: dg.AssetCheckExecutionContext, store: StoreResource, settings: dg.ResourceParam[Settings]
) -> dg.AssetCheckResult:
    """All systems answered the same questions, BM25 and the untouched base among them."""
    reports = _reports(context, store.open(), settings)
    problems = [f"{recipe}: {problem}" for recipe, report in reports.items() for problem in _gaps(report)]
    n_scores = sum(len(report.scores) for report in reports.values() if report)
    return display.check(bool(reports) and not problems, f"{n_scores} scores", problems)


@dg.asset_check(asset=eval_report)
def tuned_beats_its_base(
    context: dg.AssetCheckExecutionContext, store: StoreResource, settings: dg.ResourceParam[Settings]
) -> dg.AssetCheckResult:
    """The paired interval of nDCG@10, fine-tuned minus base, lies above zero on the test questions. Warns otherwise."""
    reports = _reports(context, store.open(), settings)
    compared = {
        recipe: report.comparison("fine_tuned", "base") if report else None for recipe, report in reports.items()
    }
    beaten = [comparison is not None and comparison.difference.low > 0 for comparison in compared.values()]
    return display.check(bool(beaten) and all(beaten), "; ".join(map(_verdict, compared.items())), warn=True)


def _reports(context: dg.AssetCheckExecutionContext, store: Store, settings: Settings) -> dict[str, Report | None]:
    return {recipe: evaluate.latest_report(store, recipe) for recipe in recipes_of(context, store, settings)}


def _gaps(report: Report | None) -> list[str]:
    if report is None:
        return ["there is no report"]
    gaps = [f"{name} is missing" for name in ("bm25", "base", "fine_tuned", "hybrid") if report.score(name) is None]
    for question_set in ("synthetic", "human"):
        sizes = {score.n for score in report.scores if score.question_set == question_set}
        if len(sizes) > 1:
            gaps.append(f"{question_set}: systems answered {sorted(sizes)} questions")
    return gaps


def _verdict(compared: tuple[str, Comparison | None]) -> str:
    recipe, comparison = compared
    if comparison is None:
        return f"{recipe}: there is no comparison on test questions"
    d = comparison.difference
    return f"{recipe}: nDCG@10 {d.mean:+.3f} [{d.low:+.3f}, {d.high:+.3f}], p = {d.p_value:.3f}, n = {d.n}"
