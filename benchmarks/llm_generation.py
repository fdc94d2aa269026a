"""Question generation against a badly behaved language model: throughput, and what a kill costs.

The server (`llm_server.py`) and every generation run in processes of their own. Throughput is measured on a server
that only takes its time and on one with faults: the share of the slots' time in which a request was under way, so that
1.0 is latency divided by concurrency. Then generation is killed at random moments and run again: the questions must be
those of an unkilled run, and no chunk that was finished may be asked again.

    python benchmarks/llm_generation.py --out benchmarks/results/llm-generation.json
"""

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acronis_pipeline.store import tables

HERE = Path(__file__).parent
TIMEOUT_S = 3.0


@dataclass(frozen=True)
class Load:
    """What is generated, and how."""

    n_chunks: int
    concurrency: int
    latency_s: float


def generate(url: str, folder: Path, load: Load, out: Path) -> None:
    """The measured process: make questions for `n_chunks` chunks and write them and the seconds down."""
    from acronis_pipeline.core.settings import LlmSettings
    from acronis_pipeline.llm import LlmSession
    from acronis_pipeline.pairs.generator import Chunk
    from acronis_pipeline.pairs.generators.language_model import LlmGenerator
    from acronis_pipeline.store import Store

    chunks = []
    for number in range(load.n_chunks):
        text = f"Collector {number} keeps its summaries in vault {number * 7 % 1000}. " * 20
        chunks.append(Chunk(f"c{number}", f"https://x/{number}", "Collectors", (), 0, text, text, f"c{number}", "en"))
    asked = {"base_url": url, "model": "m", "concurrency": load.concurrency, "timeout_s": TIMEOUT_S}
    settings = LlmSettings.model_validate(asked)
    session = LlmSession(settings, Store(str(folder)))
    started = time.time()
    generation = LlmGenerator(session).generate(chunks)
    usage = session.usage
    result = {
        "started": started,
        "seconds": time.time() - started,
        "questions": sorted(candidate.pair_id for candidate in generation.candidates),
        "failures": dict(generation.failures),
        "requests": usage.requests,
        "cached": usage.cached,
        "retries": usage.retries,
    }
    out.write_text(json.dumps(result))


@contextmanager
def serving(log: Path, load: Load, *, faults: bool) -> Iterator[str]:
    """The server in a process of its own; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, HERE / "llm_server.py", "--port", port, "--log", log, "--latency", load.latency_s]
    server = subprocess.Popen([*map(str, command), *(["--faults"] if faults else [])])
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait()


def start(url: str, folder: Path, load: Load, out: Path) -> subprocess.Popen[bytes]:
    arguments = ["--generate", url, folder, out, "--chunks", load.n_chunks, "--concurrency", load.concurrency]
    environment = os.environ | {"PYTHONPATH": str(HERE.parent)}
    return subprocess.Popen([sys.executable, __file__, *map(str, arguments)], env=environment)


def run(url: str, folder: Path, load: Load, out: Path) -> dict[str, Any]:
    process = start(url, folder, load, out)
    if process.wait() != 0:
        raise SystemExit("generation failed")
    return json.loads(out.read_text())


def entries(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def throughput(work: Path, load: Load, *, faults: bool) -> dict[str, Any]:
    """Slots' time in which a request was under way, as a share; a hang is under way until it times out."""
    log = work / f"throughput-{faults}.jsonl"
    with serving(log, load, faults=faults) as url:
        result = run(url, work / f"store-{faults}", load, work / "result.json")
    noted = entries(log)
    answered = [entry["took_s"] for entry in noted if entry["what"] != "came"]
    hangs = sum(entry["what"] == "came" for entry in noted) - len(answered)
    under_way_s = sum(answered) + hangs * TIMEOUT_S
    return {
        "seconds": round(result["seconds"], 2),
        "ideal_s": round(under_way_s / load.concurrency, 2),
        "share_of_ideal": round(under_way_s / load.concurrency / result["seconds"], 3),
        "requests_sent": len(answered) + hangs,
        "hangs": hangs,
        "retries": result["retries"],
        "failures": result["failures"],
        "n_questions": len(result["questions"]),
        "questions": result["questions"],
    }


def kill_and_resume(work: Path, load: Load, expected: list[str], moment: float, number: int) -> dict[str, Any]:
    """Kill a run when that share of its answers has come, run it again, and look at what was asked twice."""
    log, folder, out = work / f"kill-{number}.jsonl", work / f"killed-{number}", work / f"killed-{number}.json"
    with serving(log, load, faults=True) as url:
        process = start(url, folder, load, out)
        while sum(entry["what"] == "answered" for entry in entries(log)) < moment * load.n_chunks:
            time.sleep(0.01)
        killed_at = time.time()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        stored = _n_stored(folder)
        result = run(url, folder, load, out)
    noted = entries(log)
    answered = {e["passage"]: e["at"] for e in noted if e["what"] == "answered" and e["at"] < killed_at}
    asked_after = {e["passage"] for e in noted if e["what"] == "came" and e["at"] > killed_at}
    lost_s = [killed_at - answered[passage] for passage in answered.keys() & asked_after]
    return {
        "killed_at_share": round(moment, 3),
        "answered_before": len(answered),
        "stored_before": stored,
        "asked_after": result["requests"],
        "finished_and_asked_again": result["requests"] - (load.n_chunks - stored),
        "answered_but_not_yet_stored": len(lost_s),
        "oldest_of_these_s": round(max(lost_s, default=0.0), 3),
        "same_questions": result["questions"] == expected,
    }


def _n_stored(folder: Path) -> int:
    """Answers that can be used: the server's malformed ones are asked for again."""
    from acronis_pipeline.store import Store

    return Store(str(folder)).count(tables.LLM_ANSWERS, "content LIKE '{%'")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=1200)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--latency", type=float, default=0.5, help="mean seconds to an answer")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=None, help="of the moments of the kills; random by default")
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--generate", nargs=3, metavar=("URL", "STORE", "OUT"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    load = Load(given.chunks, given.concurrency, given.latency)
    if given.generate:
        url, folder, out = given.generate
        generate(url, Path(folder), load, Path(out))
        return
    seed = given.seed if given.seed is not None else random.randrange(10**6)
    moments = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="llm-generation-") as temporary:
        work = Path(temporary)
        calm, rough = (throughput(work, load, faults=faults) for faults in (False, True))
        kills = [
            kill_and_resume(work, load, rough["questions"], moments.uniform(0.05, 0.95), number)
            for number in range(given.kills)
        ]
    for part in (calm, rough):
        del part["questions"]
    measured = vars(load) | {"timeout_s": TIMEOUT_S, "seed": seed, "cores": os.cpu_count()}
    report = {"load": measured, "well_behaved": calm, "with_faults": rough, "kills": kills}
    text = json.dumps(report, indent=1)
    print(text)
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
