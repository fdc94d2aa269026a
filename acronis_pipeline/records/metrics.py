"""A report's figures under the names they have in MLflow."""

from collections.abc import Iterator
from pathlib import PurePath

from acronis_pipeline.evaluate import Report, SystemScore
from acronis_pipeline.evaluate.metrics import PRIMARY

OWN = "fine_tuned"
"""The system that shows what a recipe is worth; the others share its report to compare with."""
_HEADLINE = (
    *("hit_rate_at_1", "hit_rate_at_5", "hit_rate_at_10", "mrr_at_10", PRIMARY),
    *("human_hit_rate_at_5", "human_mrr_at_10", f"human_{PRIMARY}"),
    *(f"{PRIMARY}_minus_base", f"{PRIMARY}_minus_bm25"),
)


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
