"""The query side: one `Retriever` that evaluation, the command line and the API share."""

from acronis_pipeline.retrieve.filters import Filters
from acronis_pipeline.retrieve.ranking import Ranking
from acronis_pipeline.retrieve.reorder import Reranker, reranker
from acronis_pipeline.retrieve.retriever import Batch, Hit, Retriever
from acronis_pipeline.retrieve.system import Fusion, Mode, System, Tables, open_checked

__all__ = [
    "Batch",
    "Filters",
    "Fusion",
    "Hit",
    "Mode",
    "Ranking",
    "Reranker",
    "Retriever",
    "System",
    "Tables",
    "open_checked",
    "reranker",
]
