"""Seconds from a clone to a working environment, with uv and with pip, one after the other.

    python benchmarks/setup.py --out benchmarks/results/setup.json [--caches cold,warm]

Each is what `make setup` runs (`.ci/setup.py`), into an environment of its own and with a download cache of its own:
`cold` starts with an empty one, `warm` with what `cold` left there. pip compiles every module to bytecode when it
installs, uv leaves that to the first import, so the first import of the large libraries is timed beside it. Both must
have installed the same packages, or the script fails. Needs uv on PATH, 8 GB of disk, and as much as pip takes.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FIRST_IMPORT = "import dagster, lancedb, mlflow, sentence_transformers"
LISTING = (
    "import importlib.metadata as m; print('\\n'.join(sorted(f'{d.name}=={d.version}' for d in m.distributions())))"
)


def timed(command: list[str | Path], environment: dict[str, str]) -> tuple[dict[str, float], str]:
    """Wall-clock and CPU seconds of a command with all its processes, and what it printed."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, env=environment, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    wall_s, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_s": round(wall_s, 1), "cpu_s": round(cpu_s, 1)}, done.stdout


def set_up(installer: str, cache: str, folder: Path) -> tuple[dict[str, Any], list[str]]:
    venv = folder / f"{installer}-{cache}"
    caches = {f"{name.upper()}_CACHE_DIR": str(folder / f"cache-{name}") for name in ("uv", "pip")}
    environment = dict(os.environ) | caches
    load = os.getloadavg()[0]
    seconds, printed = timed([sys.executable, ".ci/setup.py", venv, "--installer", installer], environment)
    python = venv / "bin" / "python"
    first, _ = timed([python, "-c", FIRST_IMPORT], environment)
    _, packages = timed([python, "-c", LISTING], environment)
    shutil.rmtree(venv)
    row = {"installer": installer, "cache": cache, **seconds, "first_import_s": first["wall_s"], "load_before": load}
    return row | {"said": printed.splitlines()[-1]}, packages.split()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--caches", default="cold,warm")
    options = parser.parse_args()
    version = subprocess.run(["uv", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    rows, packages = [], []
    with tempfile.TemporaryDirectory(prefix="setup-") as folder:
        for cache in options.caches.split(","):
            for installer in ("uv", "pip"):
                row, installed = set_up(installer, cache, Path(folder))
                print(row, flush=True)
                rows.append(row)
                packages.append(installed)
    if any(installed != packages[0] for installed in packages):
        raise SystemExit("The environments differ: " + str(set().union(*packages) - set(packages[0])))
    seconds = {(row["installer"], row["cache"]): row["wall_s"] for row in rows}
    share = {cache: round(seconds["uv", cache] / seconds["pip", cache], 3) for cache in options.caches.split(",")}
    result = {
        "uv": version,
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "n_packages": len(packages[0]),
        "uv_share_of_pip": share,
        "each": rows,
    }
    options.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
