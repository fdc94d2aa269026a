"""The chunks table, brought up to date page by page; near-duplicates and repeated paragraphs are found over all.

`ChunkResult` says in figures what a refresh found and did, `Health` whether the chunks are fit to work with: how many
an encoder would cut, and how many pages gave none.
"""

import time
from collections import Counter as Tally
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from acronis_pipeline import content
from acronis_pipeline.chunk import anchor_texts, near_duplicates, repeated
from acronis_pipeline.chunk.packing import TooCostlyError
from acronis_pipeline.chunk.pages import NOTHING_OF_ITS_OWN, TOO_COSTLY, Reader, refusal
from acronis_pipeline.chunk.repeated import PageText, Repeated
from acronis_pipeline.chunk.splitter import chunk_page
from acronis_pipeline.content import Content
from acronis_pipeline.core.errors import EmptyCorpusError, SettingsError
from acronis_pipeline.core.hashing import digest, digest_rows
from acronis_pipeline.core.settings import ENV_PREFIX, ChunkSettings
from acronis_pipeline.crawl.lookup import forwarding
from acronis_pipeline.encoders import TokenCounter
from acronis_pipeline.store import Store, tables

Row = dict[str, Any]
VERSION = "4"
"""Raise it when splitting changes what comes out: every page is then chunked again."""
_SHOWN_REPEATED = 10
MAX_CUT_SHARE = 0.01
MAX_DROPPED_SHARE = 0.1


@dataclass(frozen=True)
class ChunkResult:
    """What a refresh found and did.

    `added`, `removed` and `kept` count chunk ids against the table before; `dropped` live pages without a passage by
    reason, those seen in earlier runs included; `n_clusters` near-duplicate clusters of any size, `duplicates` chunks
    that share theirs with another, `exact_duplicates` chunks whose passage stands under another id as well (questions
    are asked of one of them). `repeated` are paragraphs on too many pages, with examples; `repeated_removed` how often
    one was taken out. `data_version` changes if and only if something that matters downstream did.
    """

    strategy: str
    n_pages: int
    n_chunks: int
    pages_chunked: int
    added: int
    removed: int
    kept: int
    dropped: dict[str, int]
    n_clusters: int
    duplicates: int
    exact_duplicates: int
    largest_clusters: list[Row]
    repeated: list[Row]
    n_repeated: int
    repeated_removed: int
    anchor_texts: int
    languages: dict[str, int]
    tokens: list[int]
    table_version: int
    data_version: str
    examples: list[Row] = field(default_factory=list)
    duration_s: float = 0.0

    @property
    def mean_tokens(self) -> float:
        return sum(self.tokens) / len(self.tokens)

    @property
    def max_tokens(self) -> int:
        return max(self.tokens)


def of_rows(rows: Mapping[str, Row], before: Mapping[str, Row]) -> dict[str, Any]:
    """The fields of a result that the rows of the table tell, now and before."""
    clusters = Tally(row["cluster_id"] for row in rows.values())
    passages = Tally((row["title"], tuple(row["heading_path"]), row["text"]) for row in rows.values())
    in_order = sorted(rows.values(), key=lambda row: (row["url"], row["ordinal"]))
    return {
        "n_chunks": len(rows),
        "added": len(rows.keys() - before.keys()),
        "removed": len(before.keys() - rows.keys()),
        "kept": len(rows.keys() & before.keys()),
        "n_clusters": len(clusters),
        "duplicates": sum(size for size in clusters.values() if size > 1),
        "exact_duplicates": sum(size - 1 for size in passages.values()),
        "largest_clusters": _largest(rows, clusters),
        "languages": dict(Tally(row["language"] for row in rows.values())),
        "tokens": [row["n_tokens"] for row in in_order],
        "data_version": digest_rows((row["chunk_id"], row["passage"], row["cluster_id"]) for row in rows.values()),
        "examples": _spread(in_order, ("url", "anchor", "heading_path", "n_tokens", "text")),
    }


def _spread(in_order: Sequence[Row], shown: Sequence[str], count: int = 8) -> list[Row]:
    """Rows evenly spread over the corpus."""
    return [{name: row[name] for name in shown} for row in in_order[:: max(1, len(in_order) // count)][:count]]


def _largest(rows: Mapping[str, Row], clusters: Tally[str], count: int = 5) -> list[Row]:
    largest = sorted(
        ((size, cluster) for cluster, size in clusters.items() if size > 1), key=lambda one: (-one[0], one[1])
    )
    return [{"chunks": size, "url": rows[c]["url"], "text": rows[c]["text"]} for size, c in largest[:count]]


@dataclass
class _Chunked:
    """What splitting the stale pages gave: rows by id, without clusters; links; pages without a passage by reason."""

    rows: dict[str, Row] = field(default_factory=dict)
    links: list[Row] = field(default_factory=list)
    dropped: Tally[str] = field(default_factory=Tally)
    n_pages: int = 0


def refresh(
    store: Store,
    options: ChunkSettings,
    counter: TokenCounter,
    *,
    selector: str | None = None,
    encoder_tokens: int | None = None,
) -> ChunkResult:
    """Bring the chunks table up to date with the live pages, as one version, or none if nothing changed.

    The tables `page_blocks` and `anchor_texts` follow. They are written first: a page whose chunks are up to date has
    them too, whenever a run is killed.

    Parameters
    ----------
    selector
        CSS selector of the main content (`site.content_selector`).
    encoder_tokens
        Longest input of the encoder; None if its files do not say.

    Raises
    ------
    EmptyCorpusError
        If no live page yields a passage; the table keeps what it had.
    SettingsError
        If `selector` is not a CSS selector, or passages may become longer than what the encoder reads.
    """
    _refuse_what_would_be_cut(options, encoder_tokens)
    started = time.monotonic()
    before = {row["chunk_id"]: row for row in store.read(tables.CHUNKS).to_pylist()}
    reader = Reader(store, selector)
    on_pages = _page_blocks(store, reader, selector)
    found = repeated.find(on_pages, options.repeated_share)
    doomed = repeated.to_remove(on_pages, found)
    keys = _page_keys(reader.live, doomed, options, counter, selector)
    known = {(row["url"], row["page_key"]) for row in before.values()}
    unchanged = {url for url, key in keys.items() if (url, key) in known}
    stale = [url for url in keys if url not in unchanged]
    new = _chunked(store, reader, stale, doomed, keys, options, counter)
    rows = {chunk_id: row for chunk_id, row in before.items() if row["url"] in unchanged} | new.rows
    if not rows:
        raise EmptyCorpusError(_nothing_found(len(keys), new.dropped))
    rows = _with_clusters(rows, before, options.duplicate_threshold)
    anchor_texts.update(store, reader.live, stale, new.links)
    changed = [row for chunk_id, row in rows.items() if before.get(chunk_id) != row]
    gone = before.keys() - rows.keys()
    written = store.upsert(tables.CHUNKS, tables.CHUNKS.rows(changed), delete_keys=gone)
    return ChunkResult(
        strategy=options.strategy,
        n_pages=len(keys),
        pages_chunked=new.n_pages,
        dropped=dict(new.dropped),
        repeated=_shown(found, reader),
        n_repeated=len(found),
        repeated_removed=sum(map(len, doomed.values())),
        anchor_texts=store.count(tables.ANCHOR_TEXTS),
        table_version=written.version,
        duration_s=time.monotonic() - started,
        **of_rows(rows, before),
    )


def _refuse_what_would_be_cut(options: ChunkSettings, encoder_tokens: int | None) -> None:
    if options.strategy != "page" and encoder_tokens and options.max_tokens > encoder_tokens:
        raise SettingsError(
            f"chunk.max_tokens = {options.max_tokens}: the base model reads {encoder_tokens} tokens and would cut the "
            f"rest in silence; set {ENV_PREFIX}CHUNK__MAX_TOKENS to at most {encoder_tokens}, or another "
            f"{ENV_PREFIX}MODEL__BASE"
        )


def _page_blocks(store: Store, reader: Reader, selector: str | None) -> dict[str, PageText]:
    """Language and paragraphs of every live page; those of new and changed pages are read, the others remembered."""
    known = {row["url"]: row for row in store.read(tables.PAGE_BLOCKS).to_pylist()}
    method = (content.VERSION, repeated.VERSION, selector or "")
    wanted = {url: digest(content_hash, *method) for url, content_hash in reader.live.items()}
    stale = [url for url, key in wanted.items() if url not in known or known[url]["blocks_key"] != key]
    fresh = [
        {"url": url, "blocks_key": wanted[url], "language": page.language or "", "blocks": repeated.keys(page)}
        for url, page in reader.read_ahead(stale)
    ]
    rows = tables.PAGE_BLOCKS.rows(fresh)
    store.upsert(tables.PAGE_BLOCKS, rows, delete_keys=known.keys() - wanted.keys())
    current = {**known, **{row["url"]: row for row in fresh}}
    return {url: (current[url]["language"], current[url]["blocks"]) for url in wanted}


def _page_keys(
    live: Mapping[str, str],
    doomed: Mapping[str, Iterable[str]],
    options: ChunkSettings,
    counter: TokenCounter,
    selector: str | None,
) -> dict[str, str]:
    """Live pages with what their chunks depend on; an unchanged key means unchanged chunks."""
    method = (content.VERSION, VERSION, options.model_dump_json(), counter.fingerprint, selector or "")
    return {url: digest(content_hash, *method, *sorted(doomed.get(url, ()))) for url, content_hash in live.items()}


def _chunked(
    store: Store,
    reader: Reader,
    stale: Sequence[str],
    doomed: Mapping[str, frozenset[str]],
    keys: Mapping[str, str],
    options: ChunkSettings,
    counter: TokenCounter,
) -> _Chunked:
    done = _Chunked()
    forwarded = forwarding(store) if stale else {}
    for url, page in reader.read(stale, doing="split"):
        outcome = _rows(page, url, doomed.get(url, frozenset()), options, counter)
        if isinstance(outcome, str):
            done.dropped[outcome] += 1
            continue
        done.n_pages += 1
        done.rows |= {row["chunk_id"]: {**row, "page_key": keys[url]} for row in outcome}
        done.links += anchor_texts.rows(page, url, forwarded)
    return done


def _rows(
    page: Content, url: str, doomed: frozenset[str], options: ChunkSettings, counter: TokenCounter
) -> list[Row] | str:
    """Rows of a page, without key and cluster, or the reason why it has none."""
    if reason := refusal(page):
        return reason
    own = repeated.without(page, doomed) if doomed else page
    if doomed and refusal(own):
        return NOTHING_OF_ITS_OWN
    language = page.language or _guessed_language(own.markdown)
    try:
        chunks = chunk_page(own, url, options, counter)
    except TooCostlyError:
        return TOO_COSTLY
    rows = [{**asdict(chunk), "heading_path": list(chunk.heading_path), "language": language} for chunk in chunks]
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


def _shown(found: Sequence[Repeated], reader: Reader) -> list[Row]:
    """The most frequent repeated paragraphs, with what they say."""
    shown = found[:_SHOWN_REPEATED]
    said: dict[str, str] = {}
    for _, page in reader.read(sorted({one.kept_on for one in shown}), doing="read"):
        said |= repeated.texts(page, {one.key for one in shown})
    return [{"pages": one.n_pages, "text": said.get(one.key, ""), "kept_on": one.kept_on} for one in shown]


def _nothing_found(n_pages: int, dropped: Mapping[str, int]) -> str:
    if not n_pages:
        return "chunks: there is no live page to split; crawl the site first (raw_pages)"
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(dropped.items()))
    return (
        f"chunks: none of {n_pages} live pages has any text to split ({reasons}); "
        "set site.content_selector to the element that holds the content, or check what was crawled"
    )


@dataclass(frozen=True)
class Health:
    """`problems` are empty as long as what is cut and dropped stays below the shares above."""

    summary: str
    problems: tuple[str, ...]


def health(store: Store, encoder_tokens: int | None) -> Health:
    """Look at the stored chunks and pages.

    Parameters
    ----------
    encoder_tokens
        Longest input of the encoder; None if its files do not say.
    """
    rows = store.read(tables.CHUNKS, columns=["url", "n_tokens"]).to_pylist()
    live = store.count(tables.PAGES, "gone_at IS NULL")
    n_cut = sum(row["n_tokens"] > encoder_tokens for row in rows) if encoder_tokens else 0
    n_dropped = max(0, live - len({row["url"] for row in rows}))
    limit = f"{encoder_tokens} tokens" if encoder_tokens else "an unknown length"
    problems: list[str] = []
    if n_cut > MAX_CUT_SHARE * len(rows):
        problems.append(
            f"{n_cut} of {len(rows)} passages are longer than the {limit} that the encoder reads: their ends are "
            "found by full-text search only; lower chunk.max_tokens, or use chunk.strategy headings"
        )
    if n_dropped > MAX_DROPPED_SHARE * live:
        problems.append(
            f"{n_dropped} of {live} live pages have no passage; see pages_without_chunks of the last "
            "materialization, and site.content_selector"
        )
    summary = f"{n_cut} of {len(rows)} passages over {limit}; {n_dropped} of {live} live pages without a passage"
    return Health(summary, tuple(problems))
