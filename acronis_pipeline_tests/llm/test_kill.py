"""What a SIGKILL at any moment costs: nothing that was finished."""

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from acronis_pipeline.store import Store, tables
from acronis_pipeline_tests.llm import fake_openai as fake
from acronis_pipeline_tests.llm.builders import ask_about_node, generate, number_of
from acronis_pipeline_tests.pairs.builders import site

pytestmark = pytest.mark.server

N_CHUNKS = 40
KILLED_RUN = textwrap.dedent(
    """
    import sys
    from acronis_pipeline.store import Store
    from acronis_pipeline_tests.pairs.builders import site
    from acronis_pipeline_tests.llm.builders import generate
    generate(Store(sys.argv[1]), site(int(sys.argv[3]), chunks_per_page=1), sys.argv[2], concurrency=4, timeout_s=0.7)
    """
)


def troublesome(body: dict[str, Any], nth: int) -> fake.Answer:
    """Latency, 429s, 500s, broken JSON and hangs, each met once by some chunks; one answers nonsense for good."""
    number = int(number_of(body))
    time.sleep(0.02)
    if nth == 1 and number % 10 == 1:
        return fake.error(429, headers={"Retry-After": "0.1"})
    if nth == 1 and number % 10 == 2:
        return 200, '{"choices": [{"mess'
    if nth == 1 and number == 13:
        time.sleep(1.0)
    return fake.completion("nonsense") if number == 7 else ask_about_node(body, nth)


def test_a_killed_run_goes_on_where_it_was_and_ends_in_the_same_questions(tmp_path: Path):
    chunks = site(N_CHUNKS, chunks_per_page=1)
    with fake.serving(troublesome) as server:
        undisturbed, _ = generate(Store(str(tmp_path / "whole")), chunks, server.url, timeout_s=0.7)
    killed = tmp_path / "killed"
    root = Path(__file__).parents[2]
    with fake.serving(troublesome) as server:
        command = [sys.executable, "-c", KILLED_RUN, str(killed), server.url, str(N_CHUNKS)]
        process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(root)}, cwd=root)
        wanted = random.randint(1, N_CHUNKS - 5)
        deadline = time.monotonic() + 20
        while len(server.answered) < wanted and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        time.sleep(0.1)  # what was under way at the server ends there
        store = Store(str(killed))
        stored = store.count(tables.LLM_ANSWERS, "content <> 'nonsense'")
        asked_before = len(server.requests)
        resumed, usage = generate(store, chunks, server.url, timeout_s=0.7)
        again = {number_of(body) for body in server.requests[asked_before:]}
    assert len(server.answered) >= wanted
    assert resumed.candidates == undisturbed.candidates, f"killed after {wanted}"
    assert resumed.failures == undisturbed.failures == {"malformed answer": 1}
    assert (usage.cached, usage.requests) == (stored, N_CHUNKS - stored)
    assert len(again) == N_CHUNKS - stored, json.dumps(sorted(again))
