"""One crawl in a process of its own, measured: `measured` starts it, `main` is what runs there.

The child crawls with the function that the asset and the command line call, and prints its result with the seconds and
CPU seconds of the crawl alone, the processes that read its pages included (`readers_cpu_s` of it); its peak memory is
that of the whole process, imports included, without those readers (up to two).
"""

import argparse
import dataclasses
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_KIB = 1024  # ru_maxrss is in KiB on Linux


@dataclass(frozen=True)
class Measured:
    """What a process took, start to end, and what it printed."""

    wall_s: float
    cpu_s: float
    peak_rss_mb: float
    output: str


def run(command: Sequence[str | os.PathLike[str]], env: dict[str, str] | None = None) -> Measured:
    """Run a command to its end; its error output goes to ours.

    Raises
    ------
    RuntimeError
        If it fails.
    """
    with tempfile.TemporaryFile("w+") as output:
        started = time.monotonic()
        process = subprocess.Popen(command, stdout=output, env={**os.environ, **(env or {})})
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode:
        raise RuntimeError(f"{command[0]} ended with code {process.returncode}: {text[-2_000:]}")
    cpu_s = usage.ru_utime + usage.ru_stime
    return Measured(round(wall_s, 2), round(cpu_s, 2), round(usage.ru_maxrss * _KIB / 1e6, 1), text)


def measured(url: str, data: Path, *, concurrency: int = 8, full: bool = False) -> dict[str, Any]:
    """One crawl of ours: the counts of its result, and what it took."""
    full_option = ["--full"] if full else []
    command = [sys.executable, __file__, url, str(data), "--concurrency", str(concurrency), *full_option]
    process = run(command)
    told = json.loads(process.output.splitlines()[-1])
    return {**told, "process_s": process.wall_s, "process_cpu_s": process.cpu_s, "peak_rss_mb": process.peak_rss_mb}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("data", type=Path)
    parser.add_argument("--concurrency", type=int, required=True)
    parser.add_argument("--full", action="store_true")
    options = parser.parse_args()
    from acronis_pipeline.core.settings import load_settings
    from acronis_pipeline.crawl import crawl
    from acronis_pipeline.store import Store

    site = {"url": options.url, "concurrency": options.concurrency, "max_pages": 100_000}
    settings = load_settings(options.data, site={**site, "full_sweep_days": 0} if options.full else site)
    store = Store(settings.store_uri)
    started, before_s = time.monotonic(), _cpu_s(resource.RUSAGE_SELF)
    result = crawl(store, settings.site, journal_dir=settings.crawl_dir)
    readers_cpu_s = _cpu_s(resource.RUSAGE_CHILDREN)
    took = {
        "crawl_s": round(time.monotonic() - started, 2),
        "crawl_cpu_s": round(_cpu_s(resource.RUSAGE_SELF) - before_s + readers_cpu_s, 2),
        "readers_cpu_s": round(readers_cpu_s, 2),
    }
    counts = {name: value for name, value in dataclasses.asdict(result).items() if name != "examples"}
    print(json.dumps({**took, **counts}))


def _cpu_s(whose: int) -> float:
    usage = resource.getrusage(whose)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
