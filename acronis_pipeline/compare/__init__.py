"""`acronis-pipeline compare`: reports side by side, with the figures that MLflow shows.

`select` finds what a person names; `compare` sets it beside the first: differences, and paired tests where the same
questions were asked.
"""

from acronis_pipeline.compare.selection import Selected, select
from acronis_pipeline.compare.side_by_side import Row, SideBySide, compare

__all__ = ["Row", "Selected", "SideBySide", "compare", "select"]
