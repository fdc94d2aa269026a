"""Seconds and CPU seconds of commands, of this tree and of another one side by side, in turns.

    python benchmarks/speed/startup.py OTHER_CHECKOUT DATA_FOLDER --out benchmarks/results/startup.json

The other checkout has an environment of its own in `.venv`. DATA_FOLDER, in which `demo` or `run` has finished, is
copied for each, so that neither writes into it. Medians of `--rounds` runs; the first of a command is not counted.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import acronis_pipeline

HERE = Path(acronis_pipeline.__file__).parent.parent
QUESTION = "Can I restore to different hardware?"


def measured(command: list[str], folder: Path) -> tuple[float, float]:
    """Wall and CPU seconds of a command and its children."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - started, cpu_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="a checkout with its environment in .venv")
    parser.add_argument("data", type=Path, help="a finished data folder")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    trees = {"before": (asked.other, asked.other / ".venv" / "bin" / "python"), "now": (HERE, Path(sys.executable))}
    found: dict[str, dict[str, list[tuple[float, float]]]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for tree in trees:
            shutil.copytree(asked.data, Path(temporary, tree))
        for turn in range(asked.rounds + 1):
            for tree, (folder, python) in trees.items():
                data = ["--data", str(Path(temporary, tree))]
                for name, arguments in {
                    "--help": ["--help"],
                    "ask": ["ask", QUESTION, *data],
                    "champion history": ["champion", "history", *data],
                }.items():
                    result = measured([str(python), "-m", "acronis_pipeline.cli", *arguments], folder.resolve())
                    if turn:
                        found.setdefault(name, {}).setdefault(tree, []).append(result)
    medians = {
        name: {
            tree: {
                "wall_s": round(statistics.median(wall_s for wall_s, _ in runs), 2),
                "cpu_s": round(statistics.median(cpu_s for _, cpu_s in runs), 2),
            }
            for tree, runs in of_tree.items()
        }
        for name, of_tree in found.items()
    }
    text = json.dumps({"rounds": asked.rounds, "cpus": os.cpu_count(), "commands": medians}, indent=2)
    print(text)
    if asked.out:
        asked.out.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
