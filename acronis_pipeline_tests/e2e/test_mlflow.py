"""Two materializations beside each other in MLflow's own pages, driven in a browser."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from acronis_pipeline.evaluate import Report, question_results
from acronis_pipeline.reporting import Links, ReportView, render, verdict
from acronis_pipeline.store import Store
from acronis_pipeline.tracking import Tracker, compared_with_previous, record_report
from acronis_pipeline_tests.e2e.browsing import IN_A_BROWSER, await_answer, open_page
from acronis_pipeline_tests.finished_run import free_port
from acronis_pipeline_tests.records.kept import keep, model_record, questions

_START_S, _STOP_S = 90, 20

pytestmark = IN_A_BROWSER


@dataclass(frozen=True)
class Recorded:
    """Two reports of one recipe, their runs, the page on which MLflow compares these, and the second's
    verdict and page."""

    folder: Path
    reports: tuple[Report, Report]
    run_ids: tuple[str, str]
    comparison: str
    badge: str
    artifact: str


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory, port: int) -> Recorded:
    folder = tmp_path_factory.mktemp("mlflow")
    store = Store(str(folder / "lancedb"))
    tracker = Tracker(f"sqlite:///{folder / 'mlflow.db'}", "experiment", "model", f"http://127.0.0.1:{port}")
    bm25, human = questions(n=9, n_bad=2), questions("h", n=4)
    first = keep(store, "full", {"bm25": bm25 | human, "fine_tuned": questions(n=9, bad=7, n_bad=4) | human})
    second = keep(store, "full", {"bm25": bm25 | human, "fine_tuned": questions(n=9, bad=3, n_bad=1) | human}, minute=1)
    runs = [
        record_report(tracker, view, model=model_record("full"), tags={}, page=partial(html_of, view))
        for view in (ReportView(store, first), ReportView(store, second))
    ]
    comparison = compared_with_previous(tracker, store, second)
    assert comparison
    badge = verdict(store, second, question_results(store, [second.report_id])).badge
    artifact = tracker.artifact_url(runs[1], "report.html")
    return Recorded(folder, (first, second), (runs[0], runs[1]), comparison, badge, artifact)


def html_of(view: ReportView, links: Links) -> str:
    return render(view, links=links)


@pytest.fixture(scope="module")
def server(recorded: Recorded, port: int) -> Iterator[str]:
    """`mlflow server` on the database, ended with its workers."""
    folder = recorded.folder
    command = [sys.executable, "-W", "ignore", "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    store = ["--workers", "1", "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    artifacts = ["--default-artifact-root", (folder / "mlartifacts").as_uri()]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            command + store + artifacts, stdout=log, stderr=log, env=environment, cwd=folder, start_new_session=True
        )
    try:
        await_answer(f"http://127.0.0.1:{port}/health", process, folder / "server.log", within_s=_START_S)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(_STOP_S)
        with suppress(ProcessLookupError):  # as it should be: nothing is left of its group
            os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def page(server: str):
    with open_page() as page:
        yield page


def values_beside(page, metric: str) -> list[float]:
    """Numbers on the line of a metric; MLflow places the cells of a line one by one."""
    name = page.get_by_role("link", name=metric, exact=True)
    name.wait_for()
    texts = name.evaluate(
        """link => {
            const middle = element => { const box = element.getBoundingClientRect(); return box.top + box.height / 2 }
            const beside = element => !element.children.length && Math.abs(middle(element) - middle(link)) < 10
            return [...document.querySelectorAll("*")].filter(beside).map(element => element.textContent.trim())
        }"""
    )
    return [float(text) for text in texts if text.replace(".", "", 1).isdigit()]


def test_comparison_of_two_materializations_shows_hit_rate_and_mrr_of_both(recorded: Recorded, page):
    page.goto(recorded.comparison)
    for metric in ("hit_rate_at_5", "mrr_at_10"):
        shown = values_beside(page, metric)
        expected = [score.metrics[metric].mean for r in recorded.reports if (score := r.score("fine_tuned"))]
        assert shown == pytest.approx(expected, abs=1e-3)
        assert shown[0] != shown[1]


def test_description_of_a_run_leads_to_the_comparison_with_the_one_before(recorded: Recorded, page, server: str):
    page.goto(f"{server}/#/experiments/1/runs/{recorded.run_ids[1]}")
    link = page.get_by_role("link", name="compared with the recipe's report before")
    link.wait_for()
    assert link.get_attribute("href") == recorded.comparison
    page.get_by_text(recorded.badge).first.wait_for()


def test_link_to_a_report_s_page_opens_it_within_mlflow(recorded: Recorded, page):
    page.goto(recorded.artifact)
    shown = page.frame_locator("iframe").first
    shown.locator(".verdict").wait_for()
    assert recorded.badge in shown.locator(".verdict").inner_text()
    shown.get_by_role("link", name="Worst misses").click()
    assert shown.locator("h2#misses").is_visible()
