"""What reports say, worked out in one place: the terminal, the page, MLflow and Dagster show it, each in its own form.

The comparison table has the same rows as plain text, as Markdown and as values.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from acronis_pipeline.core.errors import counted
from acronis_pipeline.evaluate import Report, SystemScore, question_results
from acronis_pipeline.evaluate.setup import CHAMPION
from acronis_pipeline.reporting.verdict import Verdict, verdict
from acronis_pipeline.store import Store

_CUTOFFS = (1, 3, 5, 10)
"""Of the hit rates shown; the table must fit a terminal."""
_COLUMNS = ("recipe", "system", "set", *(f"hit@{k}" for k in _CUTOFFS), "MRR@10", "nDCG@10", "95 % interval", "n", "ms")
_TEXTUAL = 3
"""Columns aligned left; numbers follow."""


def table_rows(reports: Sequence[Report]) -> list[dict[str, Any]]:
    """One row per system and question set, with full precision.

    BM25 and the base stand in every report; of equal rows only the first is kept, under recipe "-". A base that is
    another one, such as the same model with windows, is named by the first recipe that starts from it.
    """
    found: dict[tuple[object, ...], dict[str, Any]] = {}
    first: set[tuple[str, str]] = set()
    for report in reports:
        for score in sorted(report.scores, key=lambda score: score.question_set != "synthetic"):
            name = score.system.name
            shared = name in ("bm25", "base", "hybrid_base", CHAMPION) or name.startswith("external:")
            place = (score.question_set, name)
            row = _row("-" if shared and place not in first else report.recipe, score)
            key = ("" if shared else report.recipe, *place, score.model_id, row["ndcg_at_10"], row["n"])
            if key not in found:
                found[key] = row
                first.add(place)
    return sorted(found.values(), key=lambda row: row["question_set"] != "synthetic")


def table_as_text(reports: Sequence[Report]) -> str:
    """Columns aligned by spaces, for a terminal; caveats below."""
    cells = [_COLUMNS, *(_cells(row) for row in table_rows(reports))]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_COLUMNS))]
    lines = ["  ".join(_aligned(line, widths)).rstrip() for line in cells]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*lines, *_caveats(reports)])


def table_as_markdown(reports: Sequence[Report]) -> str:
    """A Markdown table; caveats below as a list."""
    lines = [
        _COLUMNS,
        [":--"] * _TEXTUAL + ["--:"] * (len(_COLUMNS) - _TEXTUAL),
        *(_cells(r) for r in table_rows(reports)),
    ]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    caveats = "\n".join(f"- {caveat}" for caveat in _caveats(reports))
    return f"{table}\n\n{caveats}".rstrip()


def _row(recipe: str, score: SystemScore) -> dict[str, Any]:
    primary = score.metrics["ndcg_at_10"]
    return {
        "recipe": recipe,
        "system": score.system.name,
        "question_set": score.question_set,
        **{name: interval.mean for name, interval in score.metrics.items()},
        "ndcg_at_10_low": primary.low,
        "ndcg_at_10_high": primary.high,
        "n": score.n,
        "n_groups": score.n_groups,
        "dense_weight": score.system.dense_weight,
        "latency_p50_ms": score.latency.p50_ms if score.latency else None,
    }


def _cells(row: dict[str, Any]) -> list[str]:
    weight = "" if row["dense_weight"] is None else f" ({row['dense_weight']:.2f})"
    metrics = [f"{row[name]:.3f}" for name in (*(f"hit_rate_at_{k}" for k in _CUTOFFS), "mrr_at_10", "ndcg_at_10")]
    interval = f"[{row['ndcg_at_10_low']:.3f}, {row['ndcg_at_10_high']:.3f}]"
    latency = "" if row["latency_p50_ms"] is None else f"{row['latency_p50_ms']:.0f}"
    named = [row["recipe"], row["system"] + weight, row["question_set"]]
    return [*named, *metrics, interval, str(row["n"]), latency]


def _aligned(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    left = [cell.ljust(width) for cell, width in zip(line[:_TEXTUAL], widths, strict=False)]
    return left + [cell.rjust(width) for cell, width in zip(line[_TEXTUAL:], widths[_TEXTUAL:], strict=True)]


def _caveats(reports: Sequence[Report]) -> list[str]:
    caveats = [caveat for report in reports for caveat in report.caveats]
    caveats += [caveat for report in reports for caveat in _of_the_models(report)]
    caveats += [f"Not answerable, counted apart: {question}" for report in reports for question in report.unanswerable]
    caveats += [f"Scored on the other expected pages: {q}" for report in reports for q in report.partly_answerable]
    unscored = dict.fromkeys(question for report in reports for question in report.unscored)
    if unscored:
        caveats.append(f"Asked but not scored, for want of expected pages: {counted(len(unscored), 'human question')}.")
    return list(dict.fromkeys(caveats))


def _of_the_models(report: Report) -> list[str]:
    """What was found of a recipe's models away from the site."""
    probes = [
        f"{report.recipe} away from the site ({probe.probe}, {probe.n} questions): "
        f"nDCG@10 {probe.base.mean:.3f} before and {probe.fine_tuned.mean:.3f} after training."
        for probe in report.forgetting
    ]
    return probes + [
        f"{report.recipe}, {found.system}: Spearman {found.spearman.mean:.3f} "
        f"[{found.spearman.low:.3f}, {found.spearman.high:.3f}] with {found.n} similarities of {found.file}."
        for found in report.correlations
    ]


@dataclass(frozen=True)
class ReportView:
    """A report of a store, and what is read and worked out of it once, when it is first asked for."""

    store: Store
    report: Report

    @cached_property
    def results(self) -> pa.Table:
        """Its rows of `question_results`."""
        return question_results(self.store, [self.report.report_id])

    @cached_property
    def verdict(self) -> Verdict:
        """By its own figures and today's champion."""
        return verdict(self.store, self.report, self.results)

    @property
    def comparison(self) -> str:
        """The comparison as a Markdown table with its caveats."""
        return table_as_markdown([self.report])
