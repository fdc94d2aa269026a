"""What several vectors a passage gain without any training, and how long windows should be.

    python benchmarks/quality/windows.py --choose train_dataset.json mtrag=human_questions.json \\
        product_docs=questions.json annual_report=val_dataset.json --out benchmarks/results/windows.json

The packaged MiniLM, 512 tokens. On the set `--choose`, which is evaluated on nowhere else, every length of windows
meets every share of the whole passage in a window's vector. The other sets (NAME=PATH, LlamaIndex JSON or BEIR folders)
are asked with one vector a passage and with the windows of the packaged recipes, and the two are compared question by
question. nDCG@10 by exact search, near-duplicates as one.
"""

import argparse
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from acronis_pipeline import encoders
from acronis_pipeline.core.dataset import RetrievalDataset, gold_clusters
from acronis_pipeline.encoders import PACKAGED_BASE, Encoder, PassageVectors, Windows
from acronis_pipeline.encoders.windows import mixed
from acronis_pipeline.evaluate.metrics import ndcg_at
from acronis_pipeline.evaluate.significance import mean_interval, paired_difference
from acronis_pipeline.finetune import load_recipe
from acronis_pipeline.pairs import labelled_datasets

_LENGTHS = ((32, 16), (64, 32), (128, 64))
_SHARES = (0.0, 0.3, 0.5, 0.7)
_DEPTH = 50
"""Passages ranked for ten that are no near-duplicates."""
_log = logging.getLogger(__name__)


def encoder_with(windows: Windows | None) -> Encoder:
    folder = encoders.find_base(PACKAGED_BASE)
    identity = encoders.describe(folder, base=PACKAGED_BASE, max_seq_length=512, windows=windows)
    return encoders.load(folder, identity, device="cpu")


def ndcg(vectors: PassageVectors, queries: np.ndarray, dataset: RetrievalDataset) -> list[float]:
    """nDCG@10 of every question."""
    clusters, by_id = [passage.cluster_id for passage in dataset.passages], dataset.by_id
    values = []
    for question, scores in zip(dataset.test, vectors.similarities(queries), strict=True):
        ranked = dict.fromkeys(clusters[row] for row in np.argsort(-scores, kind="stable")[:_DEPTH])
        values.append(ndcg_at(list(ranked), gold_clusters(question, by_id), 10))
    return values


def grid(dataset: RetrievalDataset, lengths: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
    """Mean nDCG@10 of every length and share; the first row is of one vector a passage."""
    texts, queries = [passage.text for passage in dataset.passages], [question.query for question in dataset.test]
    plain = encoder_with(None)
    asked, whole = plain.encode_queries(queries), plain.encode_passages(texts)
    rows = [{"ndcg_at_10": round(float(np.mean(ndcg(PassageVectors.single(whole), asked, dataset))), 4)}]
    for tokens, overlap in lengths:
        cut = encoder_with(Windows(tokens, overlap, 0.0))
        started = time.monotonic()
        own = cut.encode_windows(texts)
        seconds = time.monotonic() - started
        for share in _SHARES:
            blocks = [own.of(row) if len(own.of(row)) > 1 else own.of(row)[:0] for row in range(len(own))]
            found = ndcg(mixed(whole, blocks, share), asked, dataset)
            rows.append({
                "tokens": tokens, "overlap": overlap, "whole_share": share,
                "ndcg_at_10": round(float(np.mean(found)), 4),
                "vectors_a_passage": round(len(own.matrix) / len(own), 1), "embedding_s": round(seconds, 1),
            })  # fmt: skip
            _log.info("%s", rows[-1])
    return rows


def gain(dataset: RetrievalDataset, windows: Windows) -> dict[str, Any]:
    """One vector a passage against windows, on the same questions."""
    texts, queries = [passage.text for passage in dataset.passages], [question.query for question in dataset.test]
    groups = [question.group for question in dataset.test]
    values = {}
    for name, encoder in (("one vector", encoder_with(None)), ("windows", encoder_with(windows))):
        values[name] = ndcg(encoder.encode_windows(texts), encoder.encode_queries(queries), dataset)
    found = {name: asdict(mean_interval(value, groups)) for name, value in values.items()}
    difference = asdict(paired_difference(values["windows"], values["one vector"], groups))
    return {"n_questions": len(queries), "n_passages": len(texts), **found, "difference": difference}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="*", metavar="NAME=PATH")
    parser.add_argument("--choose", type=Path, help="the set on which length and share are looked at")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("sentence_transformers").setLevel(logging.WARNING)
    windows = load_recipe("query_adapter").cutting
    assert windows is not None  # the packaged recipe has some
    results: dict[str, Any] = {"windows": asdict(windows)}
    for name, path in (argument.split("=", 1) for argument in given.datasets):
        results[name] = gain(labelled_datasets.load(None, Path(path))[1], windows)
        _log.info("%s: %s", name, results[name])
    if given.choose:
        results["grid"] = grid(labelled_datasets.load(None, given.choose)[1], _LENGTHS)
    if given.out:
        given.out.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
