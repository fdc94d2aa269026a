"""Passages per second by engine and precision against plain `SentenceTransformer.encode`, and what precision costs.

    python benchmarks/speed/embedding_speed.py --markdown DOCS --calibration FILE --questions FILE [FILE …] \\
        --out benchmarks/results/embedding-speed.json

Passages are a Markdown folder's text cut to about 128 tokens of the packaged MiniLM. All ways run in turn in one
process, for several rounds; a way's figure is the median of its rounds' ratios to plain encode of the same round, so
that what else the machine does weighs on both. Plain encode is what a user gets who knows nothing of ours: fp32,
batches of 32, torch's own settings. Vectors are compared with its vectors. Retrieval (nDCG@10 over all passages of a
LlamaIndex or BEIR set) is compared with the float32 model's, question by question.
"""

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

_TOKENS = 128
_SEED = 0


def passages(folder: Path, n: int) -> list[str]:
    """About 128 tokens each, shuffled."""
    import semchunk

    from acronis_pipeline.encoders import PACKAGED_BASE, TokenCounter, find_base

    chunk = semchunk.chunkerify(TokenCounter(find_base(PACKAGED_BASE)).count, _TOKENS)
    texts: list[str] = []
    for file in sorted(folder.rglob("*.md")):
        cut = chunk(file.read_text("utf-8"))
        texts += [str(part) for part in cut]
    full = [text for text in texts if len(text) > 3 * _TOKENS]  # the last of a page is short
    random.Random(_SEED).shuffle(full)
    return full[:n]


def ways(work: Path, calibration: Path) -> tuple[dict[str, Any], Callable[[list[str]], np.ndarray]]:
    """Encoders by name, float32 first, and plain encode."""
    import torch
    from sentence_transformers import SentenceTransformer

    from acronis_pipeline import encoders
    from acronis_pipeline.core.settings import ModelSettings
    from acronis_pipeline.encoders import running
    from acronis_pipeline.export import export
    from acronis_pipeline.pairs import labelled_datasets

    folder = encoders.find_base(encoders.PACKAGED_BASE)
    identity = encoders.describe(folder, base=encoders.PACKAGED_BASE, max_seq_length=256)
    exact = encoders.load(folder, identity, device="cpu")
    openvino = ModelSettings.model_validate({"backend": "openvino", "cache_dir": work / "encoders"})
    _, dataset = labelled_datasets.load(None, calibration)
    int8 = export(exact, dataset, work / "int8", "openvino-int8", max_loss=1.0)
    found = {
        "torch float32": exact,
        "OpenVINO float32": running(folder, identity, openvino),
        "OpenVINO int8": running(int8.folder, int8.identity, openvino),
    }
    if "avx512_bf16" in Path("/proc/cpuinfo").read_text("utf-8"):
        for name, precision in (("torch bfloat16", "bfloat16 in torch"), ("OpenVINO bfloat16", "bfloat16")):
            found[name] = running(folder, encoders.in_precision(identity, precision), openvino)
    plain = SentenceTransformer(str(folder), device="cpu", model_kwargs={"dtype": torch.float32})
    plain.max_seq_length = 256

    def encode(texts: list[str]) -> np.ndarray:
        fast = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("highest")
        try:
            return plain.encode(texts, batch_size=32, normalize_embeddings=True, show_progress_bar=False)
        finally:
            torch.set_float32_matmul_precision(fast)

    return found, encode


def speeds(
    encoders: dict[str, Any], plain: Callable[[list[str]], np.ndarray], texts: list[str], rounds: int
) -> list[dict[str, Any]]:
    """Wall and CPU ratios of every way to plain encode."""
    runs: dict[str, Callable[[list[str]], np.ndarray]] = {"plain encode": plain}
    runs |= {name: encoder.encode_passages for name, encoder in encoders.items()}
    expected = plain(texts)
    wall: dict[str, list[float]] = {name: [] for name in runs}
    cpu: dict[str, list[float]] = {name: [] for name in runs}
    cosine: dict[str, float] = {}
    for number in range(rounds + 1):
        for name, run in runs.items():
            started, cpu_started = time.perf_counter(), time.process_time()
            vectors = run(texts if number else texts[:32])  # round 0 warms up
            if number:
                wall[name].append(time.perf_counter() - started)
                cpu[name].append(time.process_time() - cpu_started)
                cosine[name] = float((vectors * expected).sum(axis=1).min())
    return [
        {
            "way": name,
            "passages_per_s": round(len(texts) / statistics.median(wall[name]), 1),
            "times_plain": _ratios(wall["plain encode"], wall[name]),
            "times_plain_cpu": _ratios(cpu["plain encode"], cpu[name]),
            "least_cosine": round(cosine[name], 6),
        }
        for name in runs
    ]


def _ratios(plain: list[float], other: list[float]) -> dict[str, float]:
    ratios = [a / b for a, b in zip(plain, other, strict=True)]
    return {
        "median": round(statistics.median(ratios), 2),
        "least": round(min(ratios), 2),
        "most": round(max(ratios), 2),
    }


def losses(encoders: dict[str, Any], questions: Path) -> list[dict[str, Any]]:
    """nDCG@10 of every way on a set of questions, and the paired difference from torch's float32."""
    from acronis_pipeline.evaluate.significance import paired_difference
    from acronis_pipeline.export import ndcg_by_question
    from acronis_pipeline.pairs import labelled_datasets

    _, dataset = labelled_datasets.load(None, questions)
    texts = [passage.text for passage in dataset.passages]
    values = {name: ndcg_by_question(encoder, dataset, texts) for name, encoder in encoders.items()}
    exact = values["torch float32"]
    groups = [question.group for question in dataset.test]
    return [
        {
            "questions": f"{questions.parent.name}/{questions.name}",
            "way": name,
            "ndcg_at_10": round(float(np.mean(found)), 4),
            **{key: round(value, 4) for key, value in vars(paired_difference(found, exact, groups)).items()},
        }
        for name, found in values.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markdown", type=Path, required=True, help="folder of Markdown files to cut passages from")
    parser.add_argument("--questions", type=Path, nargs="*", default=[], help="labelled sets for the loss of precision")
    parser.add_argument("--calibration", type=Path, required=True, help="labelled set whose passages calibrate int8")
    parser.add_argument("--passages", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    texts = passages(given.markdown, given.passages)
    with tempfile.TemporaryDirectory() as work:
        encoders, plain = ways(Path(work), given.calibration)
        result = {
            "n_passages": len(texts),
            "rounds": given.rounds,
            "threads": os.environ.get("OMP_NUM_THREADS", str(os.cpu_count())),
            "speed": speeds(encoders, plain, texts, given.rounds),
            "retrieval": [row for questions in given.questions for row in losses(encoders, questions)],
        }
    given.out.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
