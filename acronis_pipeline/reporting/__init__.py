"""A report as one self-contained HTML page, from which a person can decide in a minute."""

from acronis_pipeline.reporting.page import Links, publish, render, report_file
from acronis_pipeline.reporting.verdict import Verdict, verdict

__all__ = ["Links", "Verdict", "publish", "render", "report_file", "verdict"]
