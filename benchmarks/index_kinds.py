"""Exact search against each kind of approximate index: recall@10, latency, size and build time by number of passages.

    python benchmarks/index_kinds.py --rows 10000,100000,1000000 --out benchmarks/results/index-kinds.json

Vectors are made from real ones (sentences of the sample site through the packaged MiniLM): mixtures of two of them plus
noise with their covariance. Queries are such mixtures too, half of them drawn anew, half of them rows of the table. The
index is built, measured and searched by the product's own code, ten and two hundred neighbours deep.
"""

import argparse
import json
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

_BLOCK = 100_000
_N_QUERIES = 100
_KINDS = ("float32", "int8", "int4", "binary")


def real_vectors() -> np.ndarray:
    """Shape (n_sentences, 384) float32, L2-normalised."""
    from acronis_pipeline import sample_site
    from acronis_pipeline.encoders import PACKAGED_BASE, load_base

    pages = sorted((Path(sample_site.__file__).parent / "pages").rglob("*.html"))
    text = " ".join(re.sub(r"<[^>]+>", " ", page.read_text("utf-8")) for page in pages)
    sentences = sorted({s.strip() for s in re.split(r"[.!?]\s", text) if len(s.strip()) > 30})
    return load_base(PACKAGED_BASE, max_seq_length=128).encode_passages(sentences)


def made_from(real: np.ndarray, n: int, draw: np.random.Generator) -> np.ndarray:
    """Shape (n, dimension) float32, L2-normalised."""
    _, spread, directions = np.linalg.svd(real - real.mean(axis=0), full_matrices=False)
    share = draw.uniform(0.55, 1, size=(n, 1)).astype(np.float32)
    mixed = share * real[draw.integers(len(real), size=n)] + (1 - share) * real[draw.integers(len(real), size=n)]
    noise = (draw.normal(size=(n, len(spread))) * spread / len(real) ** 0.5) @ directions
    found = (mixed + 0.5 * noise).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def measure(real: np.ndarray, n_rows: int) -> dict[str, Any]:
    from acronis_pipeline.core.settings import IndexSettings
    from acronis_pipeline.encoders import PassageVectors, vector_cache
    from acronis_pipeline.index import lance_indexes
    from acronis_pipeline.index.lance_indexes import EXACT
    from acronis_pipeline.store import Store, tables

    draw = np.random.default_rng(0)
    dimension = real.shape[1]
    columns = tables.passages("", dimension).schema
    contract = tables.Table("passages", pa.schema([columns.field("chunk_id"), columns.field("vector")]))
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        store, queries = Store(folder), [made_from(real, _N_QUERIES // 2, draw)]
        for start in range(0, n_rows, _BLOCK):
            block = made_from(real, min(_BLOCK, n_rows - start), draw)
            ids = pa.array([f"c{row}" for row in range(start, start + len(block))])
            vectors = vector_cache.as_column(PassageVectors.single(block), contract.schema)
            store.append(contract, pa.table([ids, vectors], schema=contract.schema))
            if start == 0:
                queries.append(block[: _N_QUERIES // 2])
        table, asked = store.open("passages"), np.concatenate(queries)
        exact = [lance_indexes._ten_nearest(table, query, EXACT) for query in asked]
        found["exact"] = timed(table, asked, EXACT)
        for kind in _KINDS:
            settings = IndexSettings(ann_min_rows=256, vectors=kind, recall=0.98, keep_models=1)
            started = time.monotonic()
            options = lance_indexes.index_vectors(table, settings, written=True)
            index = lance_indexes.vector_index(table)
            assert index
            found[kind] = {
                "built_and_measured_s": round(time.monotonic() - started, 1),
                "size_bytes": index.size_bytes,
                "nprobes": options.nprobes,
                "re_ranked": options.n_refined,
                "recall_at_10_noted": options.recall_at_10,
                "recall_at_10": round(lance_indexes.recall(table, options, asked, exact), 4),
                **timed(table, asked, options),
            }
            print(n_rows, kind, found[kind], flush=True)
    return found


def timed(table: Any, queries: np.ndarray, options: Any) -> dict[str, float]:
    """Milliseconds of a search, median and 95th percentile, at two depths."""
    found: dict[str, float] = {}
    for depth in (10, 200):
        times = []
        for query in queries:
            started = time.perf_counter()
            search = table.search(query, vector_column_name="vector").distance_type("cosine")
            options.apply(search, depth).select(["chunk_id", "_distance"]).to_arrow()
            times.append(1000 * (time.perf_counter() - started))
        p50, p95 = np.percentile(times, [50, 95])
        found |= {f"p50_ms_{depth}": round(float(p50), 1), f"p95_ms_{depth}": round(float(p95), 1)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="10000,100000,1000000")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    real = real_vectors()
    found = {rows: measure(real, int(rows)) for rows in asked.rows.split(",")}
    text = json.dumps({"queries": _N_QUERIES, "rows": found}, indent=1)
    print(text)
    if asked.out:
        asked.out.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
