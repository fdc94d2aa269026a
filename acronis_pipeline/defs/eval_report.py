"""eval_report: how well each system finds the right passage."""

import dagster as dg

from acronis_pipeline import evaluate, gold, pairs
from acronis_pipeline.crawl.urls import canonical
from acronis_pipeline.defs import reporting
from acronis_pipeline.defs.gold_questions import gold_questions
from acronis_pipeline.defs.lancedb_index import lancedb_index
from acronis_pipeline.defs.recipes import RECIPES
from acronis_pipeline.defs.resources import StoreResource, TrackingResource
from acronis_pipeline.defs.synthetic_pairs import synthetic_pairs
from acronis_pipeline.evaluate import plots, table
from acronis_pipeline.evaluate.arms import base_arm, require_model, tuned_arm
from acronis_pipeline.records import record_report
from acronis_pipeline.settings import Settings


@dg.asset(
    deps=[lancedb_index, synthetic_pairs, gold_questions],
    partitions_def=RECIPES,
    group_name="evaluation",
    kinds={"mlflow"},
    owners=reporting.OWNERS,
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
    record = require_model(opened, context.partition_key)
    result = evaluate.refresh(
        opened,
        context.partition_key,
        pairs.load_dataset(opened),
        gold.load(opened),
        base_arm(record, settings.model),
        tuned_arm(record, settings.model),
        candidates=settings.retrieval.candidates,
        canonical=lambda url: canonical(url) or url,
    )
    run_id = record_report(tracker, opened, result.report, model=record, tags=reporting.run_tags(context))
    metadata = {
        **{f"{s.system.name}_{s.question_set}_ndcg_at_10": s.metrics["ndcg_at_10"].mean for s in result.report.scores},
        "comparison": dg.MetadataValue.md(table.as_markdown([result.report])),
        "plot": reporting.plot(plots.ndcg_with_intervals(result.report)),
        "notes": "\n".join(result.report.notes),
        "unanswerable": reporting.table({"question": question} for question in result.report.unanswerable),
        "duration_s": round(result.report.duration_s, 2),
        "report_id": result.report.report_id,
        "mlflow_run": dg.MetadataValue.url(tracker.url(run_id)),
    }
    return reporting.result(result.data_version, metadata, changed=not result.reused)


@dg.asset_check(asset=eval_report, blocking=True)
def every_system_was_asked(context: dg.AssetCheckExecutionContext, store: StoreResource) -> dg.AssetCheckResult:
    """All systems answered the same questions, BM25 and the untouched base among them."""
    report = evaluate.latest_report(store.open(), context.partition_key)
    if report is None:
        return reporting.check(False, "there is no report")
    asked = {(score.system.name, score.question_set): score.n for score in report.scores}
    problems = [f"{name} is missing" for name in ("bm25", "base", "fine_tuned", "hybrid") if report.score(name) is None]
    for question_set in ("synthetic", "human"):
        sizes = {n for (_, asked_set), n in asked.items() if asked_set == question_set}
        if len(sizes) > 1:
            problems.append(f"{question_set}: systems answered {sorted(sizes)} questions")
    return reporting.check(not problems, f"{len(report.scores)} scores", problems)


@dg.asset_check(asset=eval_report)
def tuned_beats_its_base(context: dg.AssetCheckExecutionContext, store: StoreResource) -> dg.AssetCheckResult:
    """The paired interval of nDCG@10, fine-tuned minus base, lies above zero on the test questions. Warns otherwise."""
    report = evaluate.latest_report(store.open(), context.partition_key)
    comparison = report.comparison("fine_tuned", "base") if report else None
    if comparison is None:
        return reporting.check(False, "there is no comparison on test questions", warn=True)
    d = comparison.difference
    summary = f"nDCG@10 {d.mean:+.3f} [{d.low:+.3f}, {d.high:+.3f}], p = {d.p_value:.3f}, n = {d.n}"
    return reporting.check(d.low > 0, summary, warn=True)
