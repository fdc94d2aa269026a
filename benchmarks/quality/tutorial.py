"""Our recipes beside LlamaIndex's own fine-tuning engines: one base, one data set, one machine, one run.

    python3.11 -m venv .peers-llama && .peers-llama/bin/pip install -r benchmarks/quality/requirements.txt
    python benchmarks/quality/tutorial.py TRAIN.json VAL.json --peers .peers-llama/bin/python \\
        --recipes query_adapter,full --keep FOLDER --out benchmarks/results/tutorial.json

The files are those of LlamaIndex's fine-tuning tutorial. All start from the packaged MiniLM at 512 tokens. The engines
learn from all of TRAIN, with the tutorial's settings (`peer_llama_index.py`); ours give a tenth of it to choosing
checkpoints and fusion weights, as `acronis-pipeline bench` does. VAL chooses nothing, but for the engines'
`hybrid_best` (`peers.py`).

Prints the table of all systems with 95 % intervals, the seconds of training, and the paired differences in nDCG@10 of
each of our recipes to each engine. Seconds of the engines are those of `engine.finetune()`; those of ours run from the
embedded corpus to the published model, choosing included. OUT is written after each training. With `--keep`, what was
trained from the same data is not trained again; the engines are, unless `--skip-peers` takes them from there.
"""

import argparse
import json
import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import peers
from question_rows import Rows, rows_of

from acronis_pipeline.cli import terminal
from acronis_pipeline.core.settings import load_settings
from acronis_pipeline.evaluate import Report, scoring
from acronis_pipeline.evaluate.bench import BenchResult, bench
from acronis_pipeline.pairs import labelled_datasets
from acronis_pipeline.reporting import view
from acronis_pipeline.store import Store

_AGAINST = (("fine_tuned", "fine_tuned"), ("hybrid", "hybrid"), ("hybrid", "hybrid_best"), ("hybrid", "fine_tuned"))
"""Which system of a recipe is compared with which of an engine."""


@dataclass
class Found:
    """What a run has found so far."""

    started: dict[str, Any]
    engines: dict[str, dict[str, Any]] = field(default_factory=dict)
    engine_reports: dict[str, Report] = field(default_factory=dict)
    engine_rows: dict[str, Rows] = field(default_factory=dict)
    results: dict[str, BenchResult] = field(default_factory=dict)
    rows: dict[str, Rows] = field(default_factory=dict)

    @property
    def ours(self) -> BenchResult:
        """All recipes as one benchmark."""
        return BenchResult(
            tuple(report for result in self.results.values() for report in result.reports),
            {name: seconds for result in self.results.values() for name, seconds in result.training_s.items()},
            {name: chosen for result in self.results.values() for name, chosen in result.chosen.items()},
        )

    @property
    def reports(self) -> tuple[Report, ...]:
        return (*self.ours.reports, *self.engine_reports.values())

    def comparisons(self) -> Iterator[dict[str, Any]]:
        """Paired differences of nDCG@10, ours minus the engine's."""
        for recipe, ours in self.rows.items():
            for engine, theirs in self.engine_rows.items():
                for a, b in _AGAINST:
                    compared = scoring.compare("synthetic", ours[a], theirs[b])
                    yield {
                        "recipe": recipe,
                        "system": a,
                        "engine": engine,
                        "engine_system": b,
                        "metric": compared.metric,
                        **asdict(compared.difference),
                    }

    def as_json(self) -> dict[str, Any]:
        return {
            **terminal.bench_as_json(self.ours),
            "table": view.table_rows(self.reports),
            "peers": self.engines,
            "against_peers": list(self.comparisons()),
            "machine": {"start": self.started, "end": peers.machine()},
        }

    def as_markdown(self) -> str:
        seconds = {f"llama_index {name}": found["seconds"] for name, found in self.engines.items()}
        lines = [view.table_as_markdown(self.reports), "", "| training | seconds | chosen |", "|:--|--:|:--|"]
        lines += [
            f"| {name} | {taken:.0f} | {self.ours.chosen.get(name, 'last step')} |"
            for name, taken in (self.ours.training_s | seconds).items()
        ]
        lines += ["", "| ours | of LlamaIndex | nDCG@10 | 95 % interval | p |", "|:--|:--|--:|--:|--:|"]
        lines += [
            f"| {c['recipe']} {c['system']} | {c['engine']} {c['engine_system']} | {c['mean']:+.3f} "
            f"| [{c['low']:+.3f}, {c['high']:+.3f}] | {c['p_value']:.4f} |"
            for c in self.comparisons()
        ]
        return "\n".join(lines)


def measure(arguments: argparse.Namespace, folder: Path) -> Found:
    """Engines first, then recipe after recipe; the result so far is written after each."""
    settings = load_settings(folder, recipes_dir=arguments.recipes_dir)
    store = Store(str(folder / "lancedb"))
    files = peers.Files(arguments.train, arguments.evaluation, arguments.max_seq_length)
    _, testing = labelled_datasets.load(arguments.train, arguments.evaluation)
    found = Found(peers.machine())
    for engine in _names(arguments.engines):
        place = folder / "llama_index" / engine
        if not arguments.skip_peers:
            peers.train(engine, files, place, arguments.peers)
        found.engines[engine] = peers.trained(files, place)
        report, rows = peers.evaluate(engine, place, files, testing, store)
        found.engine_reports[engine], found.engine_rows[engine] = report, rows
        _write(found, arguments.out)
    for recipe in _names(arguments.recipes):
        result = bench(arguments.train, arguments.evaluation, [recipe], settings=settings, keep_in=folder)
        found.results[recipe] = result
        found.rows[recipe] = rows_of(result.reports[0], testing, store, settings)
        _write(found, arguments.out)
    return found


def _names(listed: str) -> Sequence[str]:
    return [name.strip() for name in listed.split(",") if name.strip()]


def _write(found: Found, out: Path | None) -> None:
    if out:
        out.write_text(json.dumps(found.as_json(), indent=1) + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path)
    parser.add_argument("evaluation", type=Path)
    parser.add_argument("--peers", type=Path, help="python of the peers' virtual environment")
    parser.add_argument("--skip-peers", action="store_true", help="take the engines that --keep holds as they are")
    parser.add_argument("--engines", default=",".join(peers.ENGINES), help="comma-separated; none for ours alone")
    parser.add_argument("--max-seq-length", type=int, default=512, help="of the engines; recipes have their own")
    parser.add_argument("--recipes", default="query_adapter,full", help="comma-separated")
    parser.add_argument("--recipes-dir", type=Path, help="folder with recipes of your own")
    parser.add_argument("--keep", type=Path, help="folder for vectors and models, reused by the next run")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    if arguments.skip_peers and not arguments.keep:
        parser.error("--skip-peers needs the --keep folder of the run that trained them")
    if not arguments.skip_peers and not arguments.peers and arguments.engines:
        parser.error("--peers is missing: name the python that has the engines, or --skip-peers")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with ExitStack() as stack:
        folder = arguments.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        found = measure(arguments, folder)
    print(found.as_markdown())


if __name__ == "__main__":
    main()
