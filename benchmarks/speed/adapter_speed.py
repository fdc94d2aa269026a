"""Seconds that `query_adapter` trains on so many pairs from cached vectors, and whether it leaves passages alone.

    python benchmarks/speed/adapter_speed.py 10000 --out benchmarks/results/adapter-speed.json

Vectors are made up: passages in a few random directions, and questions that are their passage under a random linear
map, with noise. Training is the method's own, with the packaged recipe's values; the clock runs from cached vectors to
the map. What came out is published on the packaged encoder, and its passage vectors are compared with the
encoder's bit by bit.
"""

import argparse
import json
import logging
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from sentence_transformers import SentenceTransformer

from acronis_pipeline import encoders
from acronis_pipeline.encoders import PACKAGED_BASE, PassageVectors, TorchEncoder
from acronis_pipeline.finetune import load_recipe
from acronis_pipeline.finetune.examples import Examples, Questions
from acronis_pipeline.finetune.method import Task
from acronis_pipeline.finetune.methods import query_adapter
from acronis_pipeline.store import Store

_MEANINGS = 32
"""Directions in which passages differ: few enough that some are confused."""
_VALIDATION_SHARE = 0.1
_TEXTS = [f"Step {n}: restore {what} from the backup." for n in range(50) for what in ("files", "a disk", "mail")]


@dataclass(frozen=True)
class Result:
    """What a run found.

    `train_s` is the time from cached vectors to the trained map, `cpu_s` what of it the processors worked. nDCG@10 is
    of a sample of the validation questions, over a sample of the passages.
    """

    n_pairs: int
    n_passages: int
    n_validation: int
    dimension: int
    train_s: float
    cpu_s: float
    chosen: str
    steps: int
    ndcg_base: float
    ndcg_best: float
    passages_bit_identical: bool
    cpus: int


class CachedEncoder(TorchEncoder):
    """Gives questions their vectors from memory."""

    def __init__(self, base: TorchEncoder, vectors: dict[str, np.ndarray]) -> None:
        super().__init__(base.model, base.identity)
        self._vectors = vectors

    def encode_queries(self, queries: Sequence[str]) -> np.ndarray:
        return np.stack([self._vectors[query] for query in queries])


def made_up(base: TorchEncoder, store: Store, n_pairs: int, pairs_each: int, seed: int) -> Task:
    """A task of `n_pairs` training questions, `pairs_each` about a passage."""
    rng, dimension = np.random.default_rng(seed), base.identity.dimension
    n_passages = n_pairs // pairs_each
    meanings = rng.standard_normal((n_passages, _MEANINGS)) @ rng.standard_normal((_MEANINGS, dimension))
    passages = _unit(meanings)
    turn = np.eye(dimension) + rng.standard_normal((dimension, dimension)) / np.sqrt(dimension)
    about = np.arange(n_pairs) % n_passages
    n_validation = round(n_pairs * _VALIDATION_SHARE)
    about = np.concatenate([about, rng.integers(n_passages, size=n_validation)])
    noise = rng.standard_normal((len(about), dimension)) / np.sqrt(dimension)
    queries = _unit(passages[about] @ turn.T + 8.0 * noise).astype(np.float32)
    names = [f"question {index}" for index in range(len(about))]
    examples = Examples(
        tuple(f"passage {index}" for index in range(n_passages)),
        _questions(names[:n_pairs], about[:n_pairs]),
        _questions(names[n_pairs:], about[n_pairs:]),
    )
    cached = CachedEncoder(base, dict(zip(names, queries, strict=True)))
    return Task(examples, cached, PassageVectors.single(passages.astype(np.float32)), lambda: base, seed, store=store)


def measure(n_pairs: int, pairs_each: int, seed: int) -> Result:
    """Train once, publish, compare."""
    base = encoders.load_base(PACKAGED_BASE, max_seq_length=256, device="cpu")
    before = base.encode_passages(_TEXTS)
    with tempfile.TemporaryDirectory() as folder:
        task = made_up(base, Store(f"{folder}/lancedb"), n_pairs, pairs_each, seed)
        started, cpu = time.monotonic(), time.process_time()
        fitted = query_adapter.fit(task, load_recipe("query_adapter").parameters)  # pyright: ignore[reportArgumentType]
        train_s, cpu_s = time.monotonic() - started, time.process_time() - cpu
        fitted.model.save_pretrained(folder, create_model_card=False)
        published = SentenceTransformer(folder, device="cpu")
        after = TorchEncoder(published, base.identity).encode_passages(_TEXTS)
    looks = [entry["ndcg_at_10"] for entry in fitted.history]
    return Result(
        n_pairs=n_pairs,
        n_passages=len(task.examples.passages),
        n_validation=len(task.examples.validation),
        dimension=base.identity.dimension,
        train_s=round(train_s, 2),
        cpu_s=round(cpu_s, 2),
        chosen=fitted.chosen,
        steps=int(fitted.history[-1]["step"]),
        ndcg_base=round(looks[0], 4),
        ndcg_best=round(max(looks), 4),
        passages_bit_identical=before.tobytes() == after.tobytes(),
        cpus=len(os.sched_getaffinity(0)),
    )


def _questions(names: list[str], about: np.ndarray) -> Questions:
    rows = about.tolist()
    return Questions(tuple(names), tuple(((row,),) for row in rows), tuple(rows), ("question",) * len(names))


def _unit(matrix: np.ndarray) -> np.ndarray:
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="?", type=int, default=10_000)
    parser.add_argument("--pairs-each", type=int, default=2, help="questions about one passage")
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    result = measure(arguments.pairs, arguments.pairs_each, arguments.seed)
    print(json.dumps(asdict(result), indent=1))
    if arguments.out:
        arguments.out.write_text(json.dumps(asdict(result), indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
