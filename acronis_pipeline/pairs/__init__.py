"""synthetic_pairs: questions with the passages that answer them, made from the site's own pages.

Generators propose, filters judge, pages decide the split. `refresh` is the stage; `load_dataset` is what training and
evaluation take in; `interchange` reads and writes other tools' files.
"""

from acronis_pipeline.pairs.refresh import Example, PairsResult, refresh
from acronis_pipeline.pairs.splits import load_dataset

VERSION = "1"
"""Raise it when the stage gives something else for the same chunks."""

__all__ = ["VERSION", "Example", "PairsResult", "load_dataset", "refresh"]
