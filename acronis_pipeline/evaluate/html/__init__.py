"""A report as one self-contained HTML page, from which a person can decide in a minute."""

from acronis_pipeline.evaluate.html.files import publish, report_file
from acronis_pipeline.evaluate.html.page import Links, render
from acronis_pipeline.evaluate.html.verdict import Verdict, verdict

__all__ = ["Links", "Verdict", "publish", "render", "report_file", "verdict"]
