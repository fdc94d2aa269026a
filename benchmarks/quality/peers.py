"""LlamaIndex's fine-tuning engines as systems of our evaluation: trained in their own environment, judged by our
metrics.

`train` runs `peer_llama_index.py`, which leaves vectors of the questions and passages to evaluate on; `evaluate`
indexes those vectors as if a model of ours had made them, and gives a report as of one of our recipes: the engine's
dense ranking and its hybrids with BM25.

An engine has learned from all training questions, so there is none left to learn a fusion weight from, as ours do. Its
`hybrid` has the weight .5; `hybrid_best` has whichever weight of our grid does best on the very questions that are
reported, which flatters the engine and bounds what any way of choosing could give.
"""

import hashlib
import json
import logging
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from acronis_pipeline import index
from acronis_pipeline.core.dataset import RetrievalDataset
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.encoders import PACKAGED_BASE, Encoder, ModelIdentity, find_base
from acronis_pipeline.evaluate import Report
from acronis_pipeline.evaluate.evaluation import questions_id
from acronis_pipeline.evaluate.metrics import ndcg_at
from acronis_pipeline.evaluate.questions import EvalQuestion, from_pairs, ranked_units
from acronis_pipeline.evaluate.scoring import ResultRow, score_questions, summarize
from acronis_pipeline.evaluate.setup import EvaluationSetup, Rankings, read_corpus
from acronis_pipeline.evaluate.validation import GRID
from acronis_pipeline.index import IndexedModel
from acronis_pipeline.retrieve import System
from acronis_pipeline.retrieve.ranking import Pool
from acronis_pipeline.store import Store

ENGINES = ("full", "adapter")
_CHILD = Path(__file__).with_name("peer_llama_index.py")
_DEPTH = 200

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Files:
    """What the engines learn from and are evaluated on: LlamaIndex JSON files. They read so many tokens of a text."""

    train: Path
    evaluation: Path
    max_seq_length: int = 512

    @property
    def sha256(self) -> dict[str, str]:
        files = {"train": self.train, "evaluation": self.evaluation}
        return {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files.items()}


class GivenVectors(Encoder):
    """Hands out the vectors that a peer made."""

    def __init__(self, name: str, folder: Path, evaluation: Path) -> None:
        asked = json.loads(evaluation.read_text("utf-8"))
        queries, passages = (np.load(folder / f"{kind}.npy") for kind in ("queries", "passages"))
        fingerprints = [digest(name, matrix.tobytes().hex()) for matrix in (queries, passages)]
        super().__init__(ModelIdentity(name, *fingerprints, dimension=queries.shape[1], max_seq_length=0))
        self._queries = dict(zip(asked["queries"].values(), queries, strict=True))
        self._passages = dict(zip(asked["corpus"].values(), passages, strict=True))

    def encode_queries(self, queries: Sequence[str]) -> np.ndarray:
        return np.stack([self._queries[query] for query in queries])

    def encode_passages(self, passages: Sequence[str]) -> np.ndarray:
        return np.stack([self._passages[passage] for passage in passages])


def train(engine: str, files: Files, folder: Path, python: Path) -> dict[str, Any]:
    """Train an engine in a process of its own; its report, also left in `folder` with its vectors."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [python.absolute(), _CHILD, engine, files.train.resolve(), files.evaluation.resolve()]
    command += ["--base", find_base(PACKAGED_BASE), "--max-seq-length", files.max_seq_length, "--out", folder.resolve()]
    own = {"LLAMA_INDEX_CACHE_DIR": str(folder.resolve() / "cache")}
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    _log.info("LlamaIndex %s trains", engine)
    log = folder / "log.txt"
    with log.open("w") as output:
        done = subprocess.run(
            [str(part) for part in command], env=inherited | own, stdout=output, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode:
        raise RuntimeError(f"LlamaIndex {engine} failed; the end of {log}:\n{log.read_text('utf-8')[-2000:]}")
    return trained(files, folder)


def trained(files: Files, folder: Path) -> dict[str, Any]:
    """The report that a training left there.

    Raises
    ------
    RuntimeError
        If it was of other files or another length.
    """
    report = json.loads((folder / "report.json").read_text("utf-8"))
    if (report["sha256"], report["settings"]["max_seq_length"]) != (files.sha256, files.max_seq_length):
        raise RuntimeError(f"{folder} holds an engine trained on other files or another length; train it again")
    return report


def evaluate(
    engine: str, folder: Path, files: Files, testing: RetrievalDataset, store: Store
) -> tuple[Report, dict[str, list[ResultRow]]]:
    """A report of an engine's systems, and the result of every question by system."""
    given = GivenVectors(f"llama_index {engine}", folder, files.evaluation)
    indexed = IndexedModel(index.table_name(f"llama_index_{engine}", given.identity.model_id), given)
    index.refresh_from(store, indexed, index.passage_rows(testing.passages))
    setup = EvaluationSetup(testing.test, indexed)
    corpus = read_corpus(store, setup)
    asked = from_pairs(testing.test, corpus)
    batch = Rankings(store, setup, [question.query for question in asked], _DEPTH).batch(indexed)

    def ask(system: System) -> list[ResultRow]:
        return score_questions(system, asked, batch.rankings(system), corpus)

    hybrid = System("hybrid", "hybrid", indexed.table, 0.5)
    best = max(GRID, key=lambda weight: _mean_ndcg(batch.pools, weight, asked, corpus.cluster_of))
    systems = [
        System("fine_tuned", "dense", indexed.table),
        hybrid,
        replace(hybrid, name="hybrid_best", dense_weight=best),
    ]
    rows = {system.name: ask(system) for system in systems}
    scores = [summarize(system, given.identity.model_id, "synthetic", rows[system.name]) for system in systems]
    now = datetime.now(UTC).isoformat(timespec="seconds")
    name = f"llama_index {engine}"
    report = Report(digest(name, now)[:16], name, now, questions_id(store, setup, ()), tuple(scores))
    return report, rows


def _mean_ndcg(pools: Sequence[Pool], weight: float, asked: Sequence[EvalQuestion], units: Mapping[str, str]) -> float:
    found: list[float] = []
    for pool, question in zip(pools, asked, strict=True):
        best = ranked_units((chunk_id for chunk_id, _ in pool.mixed(weight)), question, units, limit=10)
        found.append(ndcg_at(list(best), set(question.relevant.values()), 10))
    return float(np.mean(found))


def machine() -> dict[str, Any]:
    """What a time was measured on, and how busy that is."""
    return {
        "cpus": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "python": platform.python_version(),
        "load_average": [round(value, 2) for value in os.getloadavg()],
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
