"""Latency of one question through `Retriever.retrieve`, and recall of its vector search, at several table sizes.

    python benchmarks/query_latency.py --sizes 10000,100000,1000000 --out benchmarks/results/query-latency.json

Passages are synthetic: clustered 384-dimensional vectors and forty words from a Zipf vocabulary of 50,000. A question
lies near one passage (cosine .78) and shares three of its six words with it. The encoder is a look-up, so that what is
measured is the search; what the packaged model takes to encode a question stands beside it (`encode_ms`). recall@10 is
that of the dense system against exact search in numpy, in the same run; the table has the index that the pipeline
gives a table of its size. Each size runs in a process of its own, in a folder that is deleted (5 GB for a million).
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from acronis_pipeline.core.settings import IndexSettings
from acronis_pipeline.encoders import PACKAGED_BASE, Encoder, ModelIdentity, PassageVectors, load_base, vector_cache
from acronis_pipeline.index import excerpts, lance_indexes, search_options
from acronis_pipeline.index.rows import marked
from acronis_pipeline.retrieve import Filters, Retriever, System
from acronis_pipeline.store import Store, tables

_TABLE = "passages_synthetic"
_DIMENSION, _WORDS, _VOCABULARY = 384, 40, 50_000
_PER_CLUSTER, _SPREAD = 200, 0.7
_QUESTION_DISTANCE = 0.8
_BATCH = 20_000
_SECTIONS = 20
_K = 10


class KnownQuestions(Encoder):
    """An encoder that knows the vectors of a few questions and takes no time."""

    def __init__(self, known: dict[str, np.ndarray]) -> None:
        super().__init__(ModelIdentity("synthetic", "questions", "passages", _DIMENSION, 256))
        self._known = known

    def encode_queries(self, queries: Sequence[str]) -> np.ndarray:
        return np.stack([self._known[query] for query in queries])

    def encode_passages(self, passages: Sequence[str]) -> np.ndarray:
        raise NotImplementedError("only questions are asked")


class World:
    """Passages and questions about them, the same for the same size."""

    def __init__(self, n_passages: int) -> None:
        self._random = np.random.default_rng(0)
        self._centres = _normal(self._random, (max(50, n_passages // _PER_CLUSTER), _DIMENSION))
        self._cumulated = np.cumsum(1 / np.arange(1, _VOCABULARY + 1))
        self.vectors = np.empty((n_passages, _DIMENSION), np.float32)
        self.words = np.empty((n_passages, _WORDS), np.uint16)
        for start in range(0, n_passages, _BATCH):
            part = slice(start, min(start + _BATCH, n_passages))
            self.vectors[part], self.words[part] = self._passages(part.stop - start)

    def _passages(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        centres = self._centres[self._random.integers(len(self._centres), size=n)]
        made = centres + _SPREAD * _normal(self._random, (n, _DIMENSION))
        return made / np.linalg.norm(made, axis=1, keepdims=True), self._zipf((n, _WORDS))

    def _zipf(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.searchsorted(self._cumulated, self._random.random(shape) * self._cumulated[-1]).astype(np.uint16)

    def rows(self, start: int, stop: int) -> pa.Table:
        ids = [f"{row:032x}" for row in range(start, stop)]
        texts = [text(words) for words in self.words[start:stop]]
        n, contract = stop - start, tables.passages(_TABLE, _DIMENSION)
        columns = {
            "chunk_id": ids,
            "url": [f"https://docs.test/section{row % _SECTIONS}/{row}" for row in range(start, stop)],
            "title": ["Title"] * n,
            "heading_path": [["Heading"]] * n,
            "anchor": ["anchor"] * n,
            "ordinal": [0] * n,
            "text": texts,
            "passage": texts,
            "n_tokens": [_WORDS] * n,
            "cluster_id": ids,
            "language": ["en"] * n,
            "vector": vector_cache.as_column(PassageVectors.single(self.vectors[start:stop]), contract.schema),
        }
        return contract.cast(pa.table(columns))

    def questions(self, n: int) -> dict[str, np.ndarray]:
        """Vectors by question, the questions in the order of the dictionary."""
        near = self._random.integers(len(self.vectors), size=n)
        noise = _normal(self._random, (n, _DIMENSION))
        noise *= _QUESTION_DISTANCE / np.linalg.norm(noise, axis=1, keepdims=True)
        asked = self.vectors[near] + noise
        asked /= np.linalg.norm(asked, axis=1, keepdims=True)
        shared = np.take_along_axis(self.words[near], self._random.integers(_WORDS, size=(n, 3)), axis=1)
        words = np.concatenate([shared, self._zipf((n, 3))], axis=1)
        return {text(words[row]): asked[row] for row in range(n)}


def text(words: np.ndarray) -> str:
    return " ".join(f"word{word}" for word in words)


def _normal(random: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return random.standard_normal(shape, dtype=np.float32)


def build(store: Store, world: World) -> dict[str, Any]:
    """Write the table as a refresh would leave it."""
    table = store.create(marked(tables.passages(_TABLE, _DIMENSION), KnownQuestions({}).identity))
    started = time.perf_counter()
    for start in range(0, len(world.vectors), _BATCH):
        rows = world.rows(start, min(start + _BATCH, len(world.vectors)))
        store.append(tables.excerpts(_TABLE), excerpts.rows_of(rows))
        table.add(rows)
    written = time.perf_counter()
    lance_indexes.bring_up_to_date(store, _TABLE, IndexSettings())  # pyright: ignore[reportCallIssue]
    return {
        "write_s": round(written - started, 1),
        "index_s": round(time.perf_counter() - written, 1),
        "search": asdict(search_options(table)),
    }


def timed(ask: Callable[[str], Any], questions: Sequence[str]) -> tuple[dict[str, float], list[Any]]:
    """Percentiles in ms over all questions but the first, which opens files, and what was answered."""
    answers, spent_ms = [], []
    for question in questions:
        started = time.perf_counter()
        answers.append(ask(question))
        spent_ms.append((time.perf_counter() - started) * 1000)
    p50, p95 = np.percentile(spent_ms[1:], [50, 95])
    return {"first_ms": round(spent_ms[0], 1), "p50_ms": round(p50, 2), "p95_ms": round(p95, 2)}, answers


def measure(n_passages: int, n_questions: int) -> dict[str, Any]:
    """One size, in this process."""
    world = World(n_passages)
    questions = world.questions(n_questions)
    asked = list(questions)
    section = Filters.named(["https://docs.test/section7/"])
    systems = [
        System("bm25", "bm25", _TABLE),
        System("dense", "dense", _TABLE),
        System("hybrid", "hybrid", _TABLE, 0.5),
    ]
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        result: dict[str, Any] = {"n_passages": n_passages, "n_questions": n_questions, "build": build(store, world)}
        nearest: list[Any] = []
        for system in systems:
            retriever = Retriever(store, system, KnownQuestions(questions))
            result[system.name], hits = timed(lambda question, r=retriever: r.retrieve(question, _K), asked)
            result[f"{system.name}_in_one_section"], _ = timed(
                lambda question, r=retriever: r.retrieve(question, _K, where=section), asked
            )
            nearest = hits if system.name == "dense" else nearest
        table = store.open(_TABLE)
        result["size_bytes"] = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
        del table
    truth: list[set[str]] = []

    def exact(question: str) -> None:
        similarity = world.vectors @ questions[question]
        truth.append({f"{row:032x}" for row in np.argpartition(-similarity, _K)[:_K]})

    result["numpy_exact"], _ = timed(exact, asked)
    found = [{hit.chunk_id for hit in hits} for hits in nearest]
    result["recall_at_10"] = round(
        float(np.mean([len(got & true) / _K for got, true in zip(found, truth, strict=True)])), 4
    )
    result["peak_memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return result


def encode_ms() -> dict[str, float]:
    """What the packaged model takes for one question of eight words."""
    encoder = load_base(PACKAGED_BASE, max_seq_length=256, device="cpu")
    return timed(
        lambda question: encoder.encode_queries([question]),
        [f"How do I restore file {n} from a backup?" for n in range(60)],
    )[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10000,100000,1000000", help="passages, comma-separated")
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one, arguments.questions)))
        return
    sizes = []
    for size in arguments.sizes.split(","):
        command = [sys.executable, __file__, "--one", size, "--questions", str(arguments.questions)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        sizes.append(json.loads(done.stdout.splitlines()[-1]))
        print(json.dumps(sizes[-1]), flush=True)
    result = {"encode_ms": encode_ms(), "sizes": sizes}
    print(json.dumps(result["encode_ms"]))
    if arguments.out:
        arguments.out.write_text(json.dumps(result, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
