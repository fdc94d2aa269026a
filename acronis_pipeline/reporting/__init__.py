"""What a report says (`ReportView`, `Verdict`), the table in the terminal, and the page from which a person can decide.

The page is one self-contained HTML file. Its figures are drawn as SVG and not by matplotlib, which draws those for
MLflow and Dagster: on a page they follow its light and dark colours, tell their values under the pointer, and cost a
few kilobytes.
"""

from acronis_pipeline.reporting.page import Links, publish, render, report_file
from acronis_pipeline.reporting.verdict import Verdict, verdict
from acronis_pipeline.reporting.view import ReportView

__all__ = ["Links", "ReportView", "Verdict", "publish", "render", "report_file", "verdict"]
