"""chunks: the passages of every live page."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from acronis_pipeline import chunk, content
from acronis_pipeline.core import figures
from acronis_pipeline.core.settings import Settings
from acronis_pipeline.defs import display
from acronis_pipeline.defs.assets.raw_pages import raw_pages
from acronis_pipeline.defs.resources import StoreResource
from acronis_pipeline.encoders import find_base, position_limit
from acronis_pipeline.stages import split_pages
from acronis_pipeline.store import tables


@dg.asset(
    deps=[raw_pages],
    group_name=display.GROUP,
    kinds={"python", "lancedb"},
    owners=display.OWNERS,
    code_version=f"{content.VERSION}.{chunk.VERSION}",
    pool="lancedb_writer",
)
def chunks(store: StoreResource, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """Passages of every live page: main content only, split at headings within the encoder's token budget.

    Each carries its breadcrumb, its anchor for citations, and the cluster of its near-duplicates. Only pages whose
    content changed are split again. The words on links between pages go to the table `anchor_texts`.
    """
    refreshed = split_pages(store.open(), settings)
    changed = refreshed.added + refreshed.removed > 0
    return display.result(refreshed.data_version, _metadata(refreshed), changed=changed)


def _metadata(refreshed: chunk.ChunkResult) -> dict[str, Any]:
    return {
        "strategy": refreshed.strategy,
        "chunks": refreshed.n_chunks,
        "pages": refreshed.n_pages,
        "pages_chunked": refreshed.pages_chunked,
        "added": refreshed.added,
        "removed": refreshed.removed,
        "kept": refreshed.kept,
        "tokens": display.plot(figures.histograms({"tokens of a passage": refreshed.tokens})),
        "mean_tokens": round(refreshed.mean_tokens, 1),
        "max_tokens": refreshed.max_tokens,
        "languages": display.counts(refreshed.languages, "language"),
        "pages_without_chunks": display.counts(refreshed.dropped, "reason"),
        "clusters": refreshed.n_clusters,
        "near_duplicates": refreshed.duplicates,
        "exact_duplicates": refreshed.exact_duplicates,
        "largest_clusters": display.table(refreshed.largest_clusters),
        "repeated_paragraphs": refreshed.n_repeated,
        "repeated_paragraphs_removed": refreshed.repeated_removed,
        "repeated_examples": display.table(refreshed.repeated),
        "anchor_texts": refreshed.anchor_texts,
        "duration_s": round(refreshed.duration_s, 2),
        "table_version": refreshed.table_version,
        "examples": display.table(refreshed.examples),
    }


@dg.asset_check(asset=chunks, blocking=True)
def passages_fit_the_encoder(store: StoreResource, settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
    """No passage is empty, over the token budget or what the encoder reads of it, or without a cluster.

    Whole pages (`chunk.strategy: page`) have no budget; `little_is_cut_or_dropped` tells how many are cut.
    """
    rows = store.open().read(tables.CHUNKS, columns=["chunk_id", "text", "n_tokens", "cluster_id"]).to_pylist()
    limit = position_limit(find_base(settings.model.base)) or settings.chunk.max_tokens
    budget = None if settings.chunk.strategy == "page" else min(settings.chunk.max_tokens, limit)
    problems = [f"{row['chunk_id']}: {row['n_tokens']} tokens" for row in rows if not _fits(row, budget)]
    told = f"{len(rows)} passages, {f'budget {budget} tokens' if budget else 'no budget'}"
    return display.check(bool(rows) and not problems, told, problems)


def _fits(row: Mapping[str, Any], budget: int | None) -> bool:
    return bool(row["text"].strip() and row["cluster_id"]) and (budget is None or row["n_tokens"] <= budget)


@dg.asset_check(asset=chunks)
def little_is_cut_or_dropped(store: StoreResource, settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
    """Few passages are longer than what the base encoder reads, and few live pages have no passage at all."""
    health = chunk.health(store.open(), position_limit(find_base(settings.model.base)))
    return display.check(not health.problems, health.summary, health.problems, warn=True)
