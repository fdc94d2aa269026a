"""What a person sees in a browser: the lineage in Dagster, the comparison of systems in MLflow."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from acronis_pipeline_tests.defs.test_full_run import ASSETS
from acronis_pipeline_tests.e2e.browsing import IN_A_BROWSER, await_answer, open_page
from acronis_pipeline_tests.finished_run import RECIPE, FinishedRun, free_port

_START_S, _STOP_S = 120, 60

pytestmark = IN_A_BROWSER


@dataclass(frozen=True)
class Ui:
    process: subprocess.Popen[str]
    dagster: str
    mlflow: str
    finished: FinishedRun


@pytest.fixture(scope="module")
def ui(finished_once: FinishedRun, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    """`acronis-pipeline ui` as a process, on a copy of the finished run."""
    folder = tmp_path_factory.mktemp("ui")
    copy = finished_once.copied_to(folder)
    dagster_port, mlflow_port = free_port(), free_port()
    with pytest.MonkeyPatch.context() as monkeypatch:
        copy.enter(monkeypatch, working_dir=folder)
        program = [str(Path(sys.executable).parent / "acronis-pipeline"), "ui", "--data", str(copy.data_dir)]
        ports = ["--port", str(dagster_port), "--mlflow-port", str(mlflow_port)]
        with (folder / "console.log").open("w") as console:
            process = subprocess.Popen(program + ports, stdout=console, stderr=console, text=True)
        started = Ui(process, f"http://127.0.0.1:{dagster_port}", f"http://127.0.0.1:{mlflow_port}", copy)
        try:
            for address in (f"{started.dagster}/server_info", f"{started.mlflow}/health"):
                await_answer(address, process, folder / "console.log", within_s=_START_S)
            yield started
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait(_STOP_S)


@pytest.fixture(scope="module")
def page(ui: Ui):
    with open_page() as page:
        yield page


def descendants(pid: int) -> set[int]:
    """Processes below one, by Linux's own list."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    children: dict[int, set[int]] = {}
    for line in listed.splitlines():
        child, parent = map(int, line.split())
        children.setdefault(parent, set()).add(child)
    found, waiting = set(), [pid]
    while waiting:
        below = children.get(waiting.pop(), set()) - found
        found |= below
        waiting += below
    return found


def test_lineage_graph_shows_every_asset_at_once(ui: Ui, page):
    page.goto(f"{ui.dagster}/asset-groups")
    for asset in (*ASSETS, "website"):
        page.get_by_text(asset, exact=True).first.wait_for()


def test_asset_page_shows_what_it_is_and_what_its_last_run_left(ui: Ui, page):
    page.goto(f"{ui.dagster}/assets/chunks")
    page.get_by_text("Passages of every live page").first.wait_for()
    page.get_by_text("near_duplicates").first.wait_for()


def test_mlflow_compares_two_systems_by_hit_rate_and_mrr(ui: Ui, page):
    tracker = ui.finished.tracker
    children = tracker.client.search_runs([tracker.experiment_id], "tags.stage = 'eval_report' AND tags.system != ''")
    run_ids = [run.info.run_id for run in children if run.data.tags["system"] in ("bm25", "hybrid")]
    assert len(run_ids) == 2
    path = tracker.comparison_url(run_ids).partition("/#/")[2]
    page.goto(f"{ui.mlflow}/#/{path}")
    for name in ("hit_rate_at_5", "mrr_at_10", f"{RECIPE} · hybrid"):
        page.get_by_text(name).first.wait_for()


def test_mlflow_opens_the_experiment_on_its_training_runs(ui: Ui, page):
    page.goto(f"{ui.mlflow}/{ui.finished.tracker.runs_page}")
    for name in ("hit_rate_at_5", "mrr_at_10", f"train {RECIPE}"):
        page.get_by_text(name).first.wait_for()


def test_interrupt_ends_both_uis_and_all_their_children(ui: Ui):
    children = descendants(ui.process.pid)
    assert len(children) >= 3
    ui.process.send_signal(signal.SIGINT)
    assert ui.process.wait(_STOP_S) == 0
    deadline = time.monotonic() + 10
    while (left := {pid for pid in children if Path(f"/proc/{pid}").exists() and not is_zombie(pid)}) and (
        time.monotonic() < deadline
    ):
        time.sleep(0.2)
    assert left == set()


def is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
