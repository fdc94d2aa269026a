"""Turns a product's website into a retrieval model and index, without labelled data, and keeps both fresh.

Domain packages follow the lineage and know no orchestrator::

    content, crawl -> chunk -> pairs -> finetune -> index -> retrieve -> evaluate -> answer

`acronis_pipeline.defs` wraps them as Dagster assets; `acronis_pipeline.cli` calls the same functions.
"""

__version__ = "0.1.0"
