"""The query side: one `Retriever` that evaluation, the command line and the API share."""

from acronis_pipeline.retrieve.filters import Filters
from acronis_pipeline.retrieve.ranking import Ranking
from acronis_pipeline.retrieve.reorder import Reranker
from acronis_pipeline.retrieve.retriever import Batch, Hit, Retriever
from acronis_pipeline.retrieve.system import System, open_checked

__all__ = [
    "Batch",
    "Filters",
    "Hit",
    "Ranking",
    "Reranker",
    "Retriever",
    "System",
    "open_checked",
]
