"""chunks: every live page as passages, split along its headings within the embedding model's token budget.

Only pages whose content, or whose way of being split, changed are split again; near-duplicates are found over all.
"""

from acronis_pipeline.chunk.splitter import PageChunk, chunk_page
from acronis_pipeline.chunk.table import VERSION, ChunkResult, Health, health, refresh

__all__ = ["VERSION", "ChunkResult", "Health", "PageChunk", "chunk_page", "health", "refresh"]
