"""What each lever does to the cost of one training step of method `full`, and whether the step stays the same.

    python benchmarks/speed/levers.py train_dataset.json --rounds 5 --steps 1 --out benchmarks/results/levers.json

The packaged MiniLM at 512 tokens, the recipe's batches of 16 passages with up to 4 questions each; a step is gradients,
clipping and AdamW, at a learning rate of 0 so that all ways meet the same weights. The baseline does what the trainer
of sentence-transformers does: one encoding of a passage per question, one padded batch a side, dropout on, float32
products at "highest". "Ours" encodes a passage once, in mini-batches within `mini_batch_tokens`, dropout off, products
at what the product chose for this processor. Each lever is switched on alone, and what is not among ours also on top of
ours; the packaged recipe is ours and the closest window.

All ways take the same batches in turn in one process, for several rounds; a way's figure is the median of its rounds'
ratios to the baseline (`times_baseline`) or to ours (`times_ours`), more than 1 if it is cheaper. Two threads on two
processors are the baseline again: that row is the noise. `tokenising cached` is the way it stands on, less the time
that its tokenising took within its steps.

`same_gradients` compares loss and gradient of one step with the baseline's, dropout off in both; for `dropout off` it
compares the baseline with dropout and without. Frozen weights count as a gradient of zero. A passage that was encoded
several times stands in the loss as the mean of its vectors, so that it is the same loss. `peak_mb` is the most memory
that a gradient takes beyond what was there before it, itself included (Linux with glibc only).

Needs an idle machine: where a thread must wait for a processor the other one spins, and a step that took .8 s took 8 s
of wall and of CPU. With OMP_WAIT_POLICY=passive, which the result notes, threads sleep instead.
"""

import argparse
import json
import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from training_step import Bench, Cost, Gradient, Way, now

from acronis_pipeline import encoders
from acronis_pipeline.encoders import PACKAGED_BASE, TorchEncoder
from acronis_pipeline.encoders.identity import BFLOAT16
from acronis_pipeline.encoders.windows import Windows
from acronis_pipeline.finetune.contrast import Shown, shown_of
from acronis_pipeline.finetune.examples import Examples, PassageBatches, prepare
from acronis_pipeline.finetune.method import Task
from acronis_pipeline.finetune.methods.encoder import FullParameters as Parameters
from acronis_pipeline.pairs import labelled_datasets
from acronis_pipeline.store import Store

_DROPOUT_OFF = "dropout off"
_SAME_COSINE = 0.9999
_SAME_LOSS = 1e-3
_WORDS = (".word_embeddings.",)
_LOWER = (".embeddings.", ".layer.0.", ".layer.1.", ".layer.2.")


def ways(tokens: int, matmul: str, has_bfloat16: bool) -> list[Way]:
    """The baseline, each lever alone, ours, and each further lever on top of ours."""
    own = {
        "passages once": {"once": True},
        f"mini-batches of {tokens} tokens": {"tokens": tokens},
        _DROPOUT_OFF: {"dropout": False},
    }
    further = {
        'products at "medium"': {"matmul": "medium"},
        **({"bfloat16 autocast": {"precision": BFLOAT16}} if has_bfloat16 else {}),
        "gradient cache": {"cached": True},
        "frozen word embeddings": {"frozen": _WORDS},
        "frozen embeddings and lower 3 layers": {"frozen": _LOWER},
        "static shapes": {"fixed": True},
        "1 thread": {"threads": 1},
        "2 threads": {"threads": 2},
        "closest 64-token window": {"windows": True},
    }
    ours = Way("ours", once=True, tokens=tokens, dropout=False, matmul=matmul)
    return [
        Way("baseline"),
        *(Way(name, **changes) for name, changes in (own | further).items()),
        ours,
        *(replace(ours, name=f"ours, {name}", **changes) for name, changes in further.items()),
    ]


def checked(bench: Bench, way: Way, batch: Sequence[int], expected: Gradient) -> dict[str, Any]:
    """Memory of a way's step, and its loss and gradient beside the expected; also warms it up."""
    found = bench.gradient(way, batch)
    peak_mb = found.peak_mb
    compared = replace(way, dropout=way.name == _DROPOUT_OFF)
    if compared != way:
        found = bench.gradient(compared, batch)
    off = found.loss - expected.loss
    cosine = float(torch.nn.functional.cosine_similarity(found.flat.double(), expected.flat.double(), dim=0))
    return {
        "same_gradients": cosine >= _SAME_COSINE and abs(off) <= _SAME_LOSS,
        "gradient_cosine": round(cosine, 6),
        "loss_difference": round(off, 5),
        "peak_mb": peak_mb,
    }


def measured(bench: Bench, all_ways: list[Way], batches: list[list[int]], rounds: int) -> Iterator[dict[str, Any]]:
    """A row of the result for each way."""
    expected = bench.gradient(Way("baseline", dropout=False), batches[0])
    checks = {way.name: checked(bench, way, batches[0], expected) for way in all_ways}
    logging.info("compared %d ways", len(checks))
    spent: dict[str, list[Cost]] = {way.name: [] for way in all_ways}
    for number in range(1, rounds + 1):
        for way in all_ways:
            spent[way.name].append(sum((bench.step(way, batch) for batch in batches), Cost()))
        logging.info("round %d of %d", number, rounds)
    for name, on in (("tokenising cached", "baseline"), ("ours, tokenising cached", "ours")):
        spent[name] = [Cost(cost.total - cost.tokenising) for cost in spent[on]]
        checks[name] = checks[on]
    for name, costs in spent.items():
        yield {"way": name, **speed(costs, spent["baseline"], spent["ours"], len(batches)), **checks[name]}


def speed(costs: list[Cost], baseline: list[Cost], ours: list[Cost], steps: int) -> dict[str, Any]:
    """What a way's rounds took, by itself and beside the others' of the same round."""
    wall_s, cpu_s = np.median([cost.total for cost in costs], axis=0) / steps
    return {
        "step_s": round(wall_s, 3),
        "step_cpu_s": round(cpu_s, 3),
        **ratios("times_baseline", baseline, costs),
        **ratios("times_ours", ours, costs),
        "tokenising_share": round(float(np.median([(cost.tokenising / cost.total)[0] for cost in costs])), 4),
    }


def ratios(name: str, plain: list[Cost], other: list[Cost]) -> dict[str, dict[str, float]]:
    """Median, least and most of wall and CPU ratios."""
    by_clock = np.array([a.total / b.total for a, b in zip(plain, other, strict=True)]).T
    return {
        key: {"median": round(float(np.median(r)), 2), "least": round(r.min(), 2), "most": round(r.max(), 2)}
        for key, r in zip((name, f"{name}_cpu"), by_clock, strict=True)
    }


def of_batches(examples: Examples, batches: list[list[int]]) -> tuple[Examples, list[list[int]]]:
    """Only the questions and passages of the batches, and the batches over these."""
    questions = sorted({question for batch in batches for question in batch})
    train = examples.train.take(questions)
    rows = sorted({row for q in range(len(train)) for row in (train.origins[q], *train.relevant(q))})
    train = train.within(np.array(rows))
    place = {question: index for index, question in enumerate(questions)}
    texts = tuple(examples.passages[row] for row in rows)
    return Examples(texts, train, train), [[place[question] for question in batch] for batch in batches]


def windows_of(base: TorchEncoder, examples: Examples) -> tuple[Shown, dict[str, Any]]:
    """The closest windows, and what finding them took: nearly all of it vectors that the index needs anyway."""
    started = now()
    with tempfile.TemporaryDirectory() as folder:
        vectors = base.encode_windows(examples.passages)
        shown = shown_of(Task(examples, base, vectors, lambda: base, 0, Store(folder)))
    assert shown
    wall_s, cpu_s = now() - started
    counts = {
        "n_passages": len(examples.passages),
        "n_windows": len(vectors.matrix),
        "n_questions": len(examples.train),
    }
    return shown, {**counts, "seconds": round(wall_s, 2), "cpu_s": round(cpu_s, 2)}


def measure(file: Path, rounds: int, steps: int, passages: int) -> dict[str, Any]:
    _, dataset = labelled_datasets.load(None, file)
    everything = prepare(replace(dataset, train=dataset.test, validation=dataset.test))
    parameters = Parameters()
    each = parameters.questions_per_passage
    made = PassageBatches(everything.train, passages=passages, questions_each=each, seed=13)
    examples, batches = of_batches(everything, list(made.take(steps)))
    cutting = Windows(tokens=64, overlap=32, whole_share=0.5)  # the packaged recipe's
    folder = encoders.find_base(PACKAGED_BASE)
    identity = encoders.describe(folder, base=PACKAGED_BASE, max_seq_length=512, windows=cutting)
    base = encoders.load(folder, identity, device="cpu")
    matmul = torch.get_float32_matmul_precision()
    shown, finding = windows_of(base, examples)
    flags = Path("/proc/cpuinfo").read_text("utf-8").split() if Path("/proc/cpuinfo").exists() else []
    bfloat16 = [flag for flag in ("avx512_bf16", "amx_bf16") if flag in flags]
    started = {"threads": torch.get_num_threads(), "load_average_before": round(os.getloadavg()[0], 2)}
    bench = Bench(base, examples, shown, parameters)
    rows = list(measured(bench, ways(parameters.mini_batch_tokens, matmul, bool(bfloat16)), batches, rounds))
    return {
        "rounds": rounds,
        "steps": len(batches),
        "questions_and_passages": [[len(b), len({examples.train.origins[q] for q in b})] for b in batches],
        **started,
        "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY", ""),
        "load_average_after": round(os.getloadavg()[0], 2),
        "bfloat16": bfloat16 or "not measured: the processor has neither avx512_bf16 nor amx_bf16",
        "products_of_ours": matmul,
        "finding_windows": finding,
        "ways": rows,
    }


def as_text(result: dict[str, Any]) -> str:
    lines = [f"{'':44}   wall    cpu  same  cosine    tokenising  MB"]
    for row in result["ways"]:
        wall, cpu = row["times_baseline"]["median"], row["times_baseline_cpu"]["median"]
        same = "yes" if row["same_gradients"] else "no"
        lines.append(
            f"{row['way']:44} {wall:6.2f} {cpu:6.2f}  {same:4} {row['gradient_cosine']:.6f}"
            f"  {row['tokenising_share']:10.1%}  {row['peak_mb']}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="questions with their passages, as LlamaIndex saves them")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=1, help="batches, each one step of every way in a round")
    parser.add_argument("--passages", type=int, default=16, help="of a batch")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    result = measure(given.file, given.rounds, given.steps, given.passages)
    print(as_text(result))
    if given.out:
        given.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
