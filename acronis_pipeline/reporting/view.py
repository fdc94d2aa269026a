"""What a report says, worked out once: the page, MLflow and Dagster show it, each in its own form."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from acronis_pipeline.evaluate import Report, question_results
from acronis_pipeline.reporting import plots, table
from acronis_pipeline.reporting.verdict import Verdict, verdict
from acronis_pipeline.store import Store


@dataclass(frozen=True)
class ReportView:
    """A report with its rows of `question_results` and what it comes to."""

    report: Report
    results: pa.Table
    verdict: Verdict

    @classmethod
    def of(cls, store: Store, report: Report) -> "ReportView":
        """Judged by its own figures and today's champion."""
        results = question_results(store, [report.report_id])
        return cls(report, results, verdict(store, report, results))

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The comparison as values, a row a system and set."""
        return table.rows([self.report])

    @property
    def comparison(self) -> str:
        """The comparison as a Markdown table with its caveats."""
        return table.as_markdown([self.report])

    def plot(self) -> bytes:
        """nDCG@10 of every system with its 95 % interval, as PNG."""
        return plots.ndcg_with_intervals(self.report)

    def differences_plot(self) -> bytes:
        """Paired differences of nDCG@10 with their 95 % intervals, as PNG."""
        return plots.differences(self.report)
