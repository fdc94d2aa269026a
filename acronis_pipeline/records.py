"""What the stages leave in MLflow: a run per training, a run per report with a child for every system."""

from collections.abc import Callable, Mapping

from acronis_pipeline import evaluate, finetune
from acronis_pipeline.evaluate import Report, SystemScore, plots, table
from acronis_pipeline.finetune import ModelRecord, Recipe
from acronis_pipeline.store import Store
from acronis_pipeline.tracking import Run, Tracker

Tags = Mapping[str, object]


def record_training(
    tracker: Tracker, store: Store, train: Callable[[], ModelRecord], *, recipe: Recipe, tags: Tags
) -> ModelRecord:
    """Train within an MLflow run (which ends FAILED if training does) and register the model."""
    tags = {**tags, "stage": "fine_tuned_model", "recipe": recipe.name, "method": recipe.method}
    with tracker.run(f"train {recipe.name}", tags=tags) as run:
        run.params(recipe.model_dump(exclude={"description"}))
        record = train()
        _log_training(run, record)
        run.dataset("synthetic_pairs", record.training_key, store.uri, "training")
        version = tracker.log_model(run, record.folder, _model_tags(record))
    return finetune.annotate(store, record.record_id, mlflow_run_id=run.run_id, registry_version=version)


def record_report(tracker: Tracker, store: Store, report: Report, *, model: ModelRecord, tags: Tags) -> str:
    """The MLflow run of a report; recorded once, so a report that was read again keeps its run."""
    if known := evaluate.mlflow_run(store, report.report_id):
        return known
    tags = {**tags, "stage": "eval_report", "recipe": report.recipe, "model_id": model.identity.model_id}
    if model.mlflow_run_id:
        tags["training_run"] = model.mlflow_run_id
    with tracker.run(f"evaluate {report.recipe}", tags=tags) as run:
        run.params({"recipe": report.recipe, "base": model.identity.base, "report_id": report.report_id})
        run.dataset("test_questions", report.questions_id, store.uri, "evaluation")
        for score in report.scores:
            run.metrics(_metrics(score, prefix=f"{score.system.name}_"))
        run.table(_columns(table.rows([report])), "comparison.json")
        run.text(table.as_markdown([report]), "comparison.md")
        run.text(report.to_json(), "report.json")
        run.png(plots.ndcg_with_intervals(report), "plots/ndcg_at_10.png")
        results = evaluate.question_results(store, [report.report_id])
        run.table({name: results.column(name).to_pylist() for name in _PER_QUESTION}, "questions.json")
        for system in report.systems:
            _record_system(tracker, run, report, system.name, tags)
    evaluate.set_mlflow_run(store, report.report_id, run.run_id)
    return run.run_id


_PER_QUESTION = ("question_set", "system", "style", "query", "first_relevant_rank", "mrr_at_10", "ndcg_at_10")


def _record_system(tracker: Tracker, parent: Run, report: Report, name: str, tags: Tags) -> None:
    """A child run with plain metric names, so that MLflow compares systems across reports."""
    scores = [score for score in report.scores if score.system.name == name]
    system = scores[0].system
    with tracker.run(f"{report.recipe} · {name}", tags={**tags, "system": name}, parent=parent) as run:
        run.params(
            {
                "system": name,
                "recipe": report.recipe,
                "mode": system.mode,
                "dense_weight": system.dense_weight if system.dense_weight is not None else "none",
                "passages_table": system.table,
            }
        )
        for score in scores:
            run.metrics(_metrics(score))


def _metrics(score: SystemScore, prefix: str = "") -> dict[str, float]:
    """Synthetic metrics under their plain names, human ones marked as such; intervals of nDCG@10; latency."""
    name = prefix if score.question_set == "synthetic" else f"{prefix}{score.question_set}_"
    primary = score.metrics["ndcg_at_10"]
    values = {f"{name}{metric}": interval.mean for metric, interval in score.metrics.items()}
    values |= {f"{name}ndcg_at_10_low": primary.low, f"{name}ndcg_at_10_high": primary.high, f"{name}n": score.n}
    if score.latency:
        values[f"{prefix}latency_p50_ms"] = score.latency.p50_ms
    return values


def _log_training(run: Run, record: ModelRecord) -> None:
    for name, values in record.metrics["validation"].items():
        run.metrics({f"validation_{name}_{metric}": value for metric, value in values.items()})
    for entry in record.metrics["history"]:
        step = int(entry.get("step", 0))
        curves = {name: value for name, value in entry.items() if name != "step" and value is not None}
        run.metrics({f"training_{name}": value for name, value in curves.items()}, step=step)
    run.metrics({"training_s": record.metrics["seconds"], "n_train": record.metrics["n_train"]})
    run.tags({"chosen": record.metrics["chosen"], **_model_tags(record)})


def _model_tags(record: ModelRecord) -> dict[str, str]:
    return {"recipe": record.recipe, "model_id": record.identity.model_id, "base": record.identity.base}


def _columns(rows: list[dict[str, object]]) -> dict[str, list[object]]:
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}
