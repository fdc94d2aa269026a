"""chunks: the passages of every live page."""

import dagster as dg

from acronis_pipeline import chunk, content, schemas
from acronis_pipeline.defs import reporting
from acronis_pipeline.defs.raw_pages import raw_pages
from acronis_pipeline.defs.resources import StoreResource
from acronis_pipeline.embedding import TokenCounter, find_base
from acronis_pipeline.settings import Settings


@dg.asset(
    deps=[raw_pages],
    group_name="corpus",
    kinds={"python", "lancedb"},
    owners=reporting.OWNERS,
    code_version=f"{content.VERSION}.{chunk.VERSION}",
    pool="lancedb_writer",
)
def chunks(store: StoreResource, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """Passages of every live page: main content only, split at headings within the embedder's token budget.

    Each carries its breadcrumb, its anchor for citations, and the cluster of its near-duplicates. Only pages whose
    content changed are split again.
    """
    counter = TokenCounter(find_base(settings.model.base))
    refreshed = chunk.refresh(store.open(), settings.chunk, counter, selector=settings.site.content_selector)
    metadata = {
        "chunks": refreshed.n_chunks,
        "pages": refreshed.n_pages,
        "pages_chunked": refreshed.pages_chunked,
        "added": refreshed.added,
        "removed": refreshed.removed,
        "kept": refreshed.kept,
        "clusters": refreshed.n_clusters,
        "near_duplicates": refreshed.duplicates,
        "mean_tokens": round(refreshed.mean_tokens, 1),
        "max_tokens": refreshed.max_tokens,
        "pages_without_chunks": reporting.counts(refreshed.dropped, "reason"),
        "duration_s": round(refreshed.duration_s, 2),
        "table_version": refreshed.table_version,
        "examples": reporting.table(refreshed.examples),
    }
    return reporting.result(refreshed.data_version, metadata, changed=refreshed.added + refreshed.removed > 0)


@dg.asset_check(asset=chunks, blocking=True)
def passages_fit_the_encoder(store: StoreResource, settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
    """No passage is empty, over the token budget (the encoder would cut it in silence), or without a cluster."""
    rows = (
        store.open()
        .read(chunk.TABLE, schemas.CHUNKS, columns=["chunk_id", "text", "n_tokens", "cluster_id"])
        .to_pylist()
    )
    budget = settings.chunk.max_tokens
    problems = [
        f"{row['chunk_id']}: {row['n_tokens']} tokens"
        for row in rows
        if not row["text"].strip() or row["n_tokens"] > budget or not row["cluster_id"]
    ]
    return reporting.check(bool(rows) and not problems, f"{len(rows)} passages, budget {budget} tokens", problems)
