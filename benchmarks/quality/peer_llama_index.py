"""Train with one of LlamaIndex's own fine-tuning engines as its tutorial does, and embed the questions to evaluate on.

    PEERS/bin/python benchmarks/quality/peer_llama_index.py full|adapter TRAIN.json EVALUATION.json \\
        --base MODEL_FOLDER --out FOLDER

Runs in the peers' environment (`requirements.txt` beside this file); `peers.py` starts it and reads what it leaves in
FOLDER: `report.json`, `queries.npy` and `passages.npy` (L2-normalised, in the order of EVALUATION.json).

`full` is `SentenceTransformersFinetuneEngine` with its defaults, which are the tutorial's: batches of 10, 2 epochs.
`adapter` is `EmbeddingAdapterFinetuneEngine` as in the notebook: a linear adapter, batches of 10, 4 epochs. The
tutorial hands `full` the evaluation file too, stops to measure on it every 50 steps and keeps the checkpoint that does
best there; here the engine never sees that file: it loses no time and keeps its last step. `evaluation_steps` must be
0 for that, or sentence-transformers 6 refuses to train without an evaluator.

`seconds` is `engine.finetune()` alone; imports, loading the base and building the engine are not in it.
"""

import argparse
import hashlib
import json
import os
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "WANDB_MODE": "disabled", "DO_NOT_TRACK": "1"}

import numpy as np
import torch
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.embeddings.huggingface import HuggingFaceEmbedding
from llama_index.finetuning import (
    EmbeddingAdapterFinetuneEngine,
    EmbeddingQAFinetuneDataset,
    SentenceTransformersFinetuneEngine,
)
from sentence_transformers import SentenceTransformer

_PACKAGES = (
    "llama-index-finetuning",
    "llama-index-core",
    "llama-index-embeddings-huggingface",
    "llama-index-embeddings-adapter",
    "sentence-transformers",
    "transformers",
    "torch",
)
_SETTINGS: dict[str, dict[str, Any]] = {
    "full": {"batch_size": 10, "epochs": 2, "evaluation_steps": 0},
    "adapter": {"batch_size": 10, "epochs": 4, "bias": False},
}


def with_length(base: Path, max_seq_length: int, folder: Path) -> Path:
    """A copy of the base that takes texts of that length: the engines have no argument for it."""
    model = SentenceTransformer(str(base), device="cpu", local_files_only=True)
    model.max_seq_length = max_seq_length
    model.save(str(folder), create_model_card=False)
    return folder


def engine_of(name: str, train: EmbeddingQAFinetuneDataset, base: Path, out: Path) -> Any:
    """The engine, ready to train, and known to read whole passages."""
    if name == "full":
        return SentenceTransformersFinetuneEngine(
            train, model_id=str(base), model_output_path=str(out / "model"), device="cpu", **_SETTINGS[name]
        )
    return EmbeddingAdapterFinetuneEngine(
        train,
        HuggingFaceEmbedding(model_name=str(base), device="cpu"),
        model_output_path=str(out / "adapter"),
        device="cpu",
        **_SETTINGS[name],
    )


def length_of(engine: Any) -> int:
    """Tokens of a text that the engine's encoder reads."""
    if isinstance(engine, SentenceTransformersFinetuneEngine):
        return engine.model.max_seq_length
    return engine.embed_model.max_length


def embed(model: BaseEmbedding, evaluation: EmbeddingQAFinetuneDataset, out: Path) -> float:
    """Write the vectors of all questions and passages; the seconds that took."""
    started = time.monotonic()
    queries = [model.get_query_embedding(query) for query in evaluation.queries.values()]
    passages = model.get_text_embedding_batch(list(evaluation.corpus.values()))
    seconds = time.monotonic() - started
    np.save(out / "queries.npy", _unit(queries))
    np.save(out / "passages.npy", _unit(passages))
    return seconds


def _unit(vectors: list[list[float]]) -> np.ndarray:
    """LlamaIndex searches by cosine, and what an adapter gives has no length of 1."""
    matrix = np.array(vectors, np.float32)
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", choices=tuple(_SETTINGS))
    parser.add_argument("train", type=Path)
    parser.add_argument("evaluation", type=Path)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--max-seq-length", type=int, default=512)
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    train, evaluation = (
        EmbeddingQAFinetuneDataset.from_json(str(path.resolve())) for path in (arguments.train, arguments.evaluation)
    )
    train_sha256, evaluation_sha256 = (
        hashlib.sha256(path.read_bytes()).hexdigest() for path in (arguments.train, arguments.evaluation)
    )
    out = arguments.out.resolve()
    base = with_length(arguments.base, arguments.max_seq_length, out / "base")
    os.chdir(out)  # where sentence-transformers leaves its checkpoints
    torch.manual_seed(arguments.seed)
    started = time.monotonic()
    engine = engine_of(arguments.engine, train, base, out)
    built_s = time.monotonic() - started
    if length_of(engine) != arguments.max_seq_length:
        raise RuntimeError(f"the engine reads {length_of(engine)} tokens, not {arguments.max_seq_length}")
    started, cpu = time.monotonic(), time.process_time()
    engine.finetune()
    seconds, cpu_s = time.monotonic() - started, time.process_time() - cpu
    tuned = engine.get_finetuned_model()
    embed_s = embed(tuned, evaluation, out)
    report = {
        "engine": type(engine).__name__,
        "seconds": round(seconds, 1),
        "cpu_s": round(cpu_s, 1),
        "engine_built_s": round(built_s, 1),
        "embed_evaluation_s": round(embed_s, 1),
        "n_train": len(train.queries),
        "sha256": {"train": train_sha256, "evaluation": evaluation_sha256},
        "settings": {**_SETTINGS[arguments.engine], "max_seq_length": length_of(engine), "seed": arguments.seed},
        "versions": {name: version(name) for name in _PACKAGES},
        "threads": torch.get_num_threads(),
    }
    (out / "report.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
