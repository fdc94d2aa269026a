"""chunks: every live page as passages, split along its headings within the embedding model's token budget.

Only pages whose content, or whose way of being split, changed are split again; near-duplicates are found over all.
"""

import logging
import time
from collections import Counter as Tally
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import pyarrow as pa

from acronis_pipeline import content, schemas
from acronis_pipeline.chunk import near_duplicates
from acronis_pipeline.chunk.refusal import refusal
from acronis_pipeline.chunk.splitter import PageChunk, chunk_page
from acronis_pipeline.crawl.page_versions import html_of
from acronis_pipeline.embedding import TokenCounter
from acronis_pipeline.errors import EmptyCorpusError
from acronis_pipeline.fingerprint import digest, digest_rows
from acronis_pipeline.settings import ChunkSettings
from acronis_pipeline.store import Store

__all__ = ["TABLE", "VERSION", "ChunkResult", "PageChunk", "chunk_page", "refresh"]

VERSION = "1"
"""Raise it when splitting changes what comes out: every page is then chunked again."""
TABLE = "chunks"

_log = logging.getLogger(__name__)
_SLICE = 100
"""Pages whose HTML is in memory at once."""
_LOG_EVERY_S = 5.0

Row = dict[str, Any]


@dataclass(frozen=True)
class ChunkResult:
    """What a refresh found and did.

    `added`, `removed` and `kept` count chunk ids against the table before; `dropped` pages without a passage by reason;
    `n_clusters` near-duplicate clusters of any size, `duplicates` chunks that share theirs with another.
    `data_version` changes if and only if something that matters downstream did.
    """

    n_pages: int
    n_chunks: int
    pages_chunked: int
    added: int
    removed: int
    kept: int
    dropped: dict[str, int]
    n_clusters: int
    duplicates: int
    mean_tokens: float
    max_tokens: int
    table_version: int
    data_version: str
    examples: list[Row] = field(default_factory=list)
    duration_s: float = 0.0


def refresh(store: Store, options: ChunkSettings, counter: TokenCounter, *, selector: str | None = None) -> ChunkResult:
    """Bring the chunks table up to date with the live pages, as one version, or none if nothing changed.

    Parameters
    ----------
    selector
        CSS selector of the main content (`site.content_selector`).

    Raises
    ------
    EmptyCorpusError
        If no live page yields a passage; the table keeps what it had.
    SettingsError
        If `selector` is not a CSS selector.
    """
    started = time.monotonic()
    before = {row["chunk_id"]: row for row in store.read(TABLE, schemas.CHUNKS).to_pylist()}
    live = _live(store)
    keys = _page_keys(live, options, counter, selector)
    known = {(row["url"], row["page_key"]) for row in before.values()}
    unchanged = {url for url, key in keys.items() if (url, key) in known}
    rows = {chunk_id: row for chunk_id, row in before.items() if row["url"] in unchanged}
    dropped: Tally[str] = Tally()
    chunked = 0
    stale = {url: content_hash for url, content_hash in live.items() if url not in unchanged}
    for url, outcome in _chunked(store, stale, options, counter, selector):
        if isinstance(outcome, str):
            dropped[outcome] += 1
            continue
        chunked += 1
        rows.update({row["chunk_id"]: {**row, "page_key": keys[url]} for row in outcome})
    if not rows:
        raise EmptyCorpusError(_nothing_found(len(keys), dropped))
    rows = _with_clusters(rows, before, options.duplicate_threshold)
    changed = [row for chunk_id, row in rows.items() if before.get(chunk_id) != row]
    gone = before.keys() - rows.keys()
    written = store.upsert(TABLE, schemas.CHUNKS, pa.Table.from_pylist(changed, schemas.CHUNKS), delete_keys=gone)
    result = _summary(rows, before, dropped)
    return replace(
        result,
        n_pages=len(keys),
        pages_chunked=chunked,
        table_version=written.version,
        duration_s=time.monotonic() - started,
    )


def _live(store: Store) -> dict[str, str]:
    """Content hash of each live page by address, sorted."""
    live = store.read("pages", schemas.PAGES, columns=["url", "content_hash"], where="gone_at IS NULL")
    return dict(sorted(zip(*live.to_pydict().values(), strict=True)))


def _page_keys(
    live: Mapping[str, str], options: ChunkSettings, counter: TokenCounter, selector: str | None
) -> dict[str, str]:
    """Live pages with what their chunks depend on; an unchanged key means unchanged chunks."""
    method = (content.VERSION, VERSION, options.model_dump_json(), counter.fingerprint, selector or "")
    return {url: digest(content_hash, *method) for url, content_hash in live.items()}


def _chunked(
    store: Store, pages: Mapping[str, str], options: ChunkSettings, counter: TokenCounter, selector: str | None
) -> Iterator[tuple[str, list[Row] | str]]:
    """For each page (address to content hash) its rows, without key and cluster, or the reason why it has none."""
    started = last_said = time.monotonic()
    urls = list(pages)
    for start in range(0, len(urls), _SLICE):
        part = urls[start : start + _SLICE]
        html = html_of(store, {url: pages[url] for url in part})
        for done, url in enumerate(part, start=start + 1):
            yield url, _rows(html.get(url, ""), url, options, counter, selector)
            now = time.monotonic()
            if now - last_said > _LOG_EVERY_S:
                last_said, rate = now, done / (now - started)
                _log.info("split %d of %d pages, %.0f/s, %.0f s left", done, len(urls), rate, (len(urls) - done) / rate)


def _rows(html: str, url: str, options: ChunkSettings, counter: TokenCounter, selector: str | None) -> list[Row] | str:
    page = content.extract(html, url=url, selector=selector)
    if reason := refusal(page):
        return reason
    language = page.language or _guessed_language(page.markdown)
    rows = [
        {**asdict(chunk), "heading_path": list(chunk.heading_path), "language": language}
        for chunk in chunk_page(page, url, options, counter)
    ]
    return rows or "empty"


def _guessed_language(text: str) -> str:
    import py3langid

    return py3langid.classify(text)[0]


def _with_clusters(rows: Mapping[str, Row], before: Mapping[str, Row], threshold: float) -> dict[str, Row]:
    """Rows with the cluster of each; if no text is other than before, neither is any cluster."""
    if rows.keys() == before.keys() and all(before[chunk_id] is row for chunk_id, row in rows.items()):
        return dict(rows)
    texts = {chunk_id: (row["text"], row["passage"]) for chunk_id, row in rows.items()}
    clusters = near_duplicates.clusters(texts, threshold)
    return {chunk_id: {**row, "cluster_id": clusters[chunk_id]} for chunk_id, row in rows.items()}


def _summary(rows: Mapping[str, Row], before: Mapping[str, Row], dropped: Mapping[str, int]) -> ChunkResult:
    sizes = Tally(row["cluster_id"] for row in rows.values())
    tokens = [row["n_tokens"] for row in rows.values()]
    in_order = sorted(rows.values(), key=lambda row: (row["url"], row["ordinal"]))
    shown = ("url", "heading_path", "n_tokens", "text")
    return ChunkResult(
        n_pages=0,
        n_chunks=len(rows),
        pages_chunked=0,
        added=len(rows.keys() - before.keys()),
        removed=len(before.keys() - rows.keys()),
        kept=len(rows.keys() & before.keys()),
        dropped=dict(dropped),
        n_clusters=len(sizes),
        duplicates=sum(size for size in sizes.values() if size > 1),
        mean_tokens=sum(tokens) / len(tokens),
        max_tokens=max(tokens),
        table_version=0,
        data_version=digest_rows((row["chunk_id"], row["passage"], row["cluster_id"]) for row in rows.values()),
        examples=[{name: row[name] for name in shown} for row in in_order[:: max(1, len(in_order) // 5)][:5]],
    )


def _nothing_found(n_pages: int, dropped: Mapping[str, int]) -> str:
    if not n_pages:
        return "chunks: there is no live page to split; crawl the site first (raw_pages)"
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(dropped.items()))
    return (
        f"chunks: none of {n_pages} live pages has any text to split ({reasons}); "
        "set site.content_selector to the element that holds the content, or check what was crawled"
    )
