"""Runs whose process was killed: recognised whoever launched them, failed, and their pools free again."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import psutil
import pytest
from dagster._core.test_utils import create_run_for_test

from acronis_pipeline.defs import instance as dagster_instance
from acronis_pipeline.defs.instance import PROCESS_TAG, process_tag

pytestmark = pytest.mark.server

# Run as a module by Dagster: one asset that holds a pool, needs the store as ours do, and never ends.
HANGING = """
import pathlib, time
import dagster as dg
from acronis_pipeline.defs.resources import StoreResource

@dg.asset(pool="site")
def hanging(store: StoreResource) -> None:
    pathlib.Path("started").touch()
    time.sleep(300)

defs = dg.Definitions(assets=[hanging], resources={"store": StoreResource(uri="db")}, executor=dg.EXECUTOR)
"""


@pytest.fixture
def instance(tmp_path):
    with dg.DagsterInstance.local_temp(str(tmp_path)) as temporary:
        yield temporary


def started(instance: dg.DagsterInstance, tag: str | None = None) -> str:
    """A run that holds a pool, and what it wrote down of its process."""
    run = create_run_for_test(instance, job_name="full_pipeline", status=dg.DagsterRunStatus.STARTED)
    if tag:
        instance.add_run_tags(run.run_id, {PROCESS_TAG: tag.format(run_id=run.run_id[:8])})
    instance.event_log_storage.set_concurrency_slots("site", 1)
    instance.event_log_storage.claim_concurrency_slot("site", run.run_id, "raw_pages")
    return run.run_id


def status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run
    return run.status


def n_claimed(instance: dg.DagsterInstance) -> int:
    return instance.event_log_storage.get_concurrency_info("site").active_slot_count


def tag_of(pid: int, *, off_by_s: int = 0) -> str:
    """What a run of another process of this machine would have written down."""
    machine = process_tag("x").split(".")[1]
    return f"{{run_id}}.{machine}.{pid}-{int(psutil.Process(pid).create_time()) - off_by_s}"


@pytest.mark.parametrize("executor", ["in_process_executor", "multiprocess_executor"])
def test_run_that_plain_dagster_launched_is_recognised_when_it_was_killed(tmp_path: Path, executor: str):
    (tmp_path / "hanging.py").write_text(HANGING.replace("EXECUTOR", executor))
    (tmp_path / "dagster.yaml").write_text("concurrency: {pools: {default_limit: 1}}\ntelemetry: {enabled: false}\n")
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "-m", "hanging", "--select", "hanging"]
    environment = {**os.environ, "DAGSTER_HOME": str(tmp_path)}
    child = subprocess.Popen(
        command, cwd=tmp_path, env=environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "started").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
            (run,) = instance.get_runs()
            assert dagster_instance.fail_dead_runs(instance) == []
            assert n_claimed(instance) == 1
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            while (
                not dagster_instance.fail_dead_runs(instance) and time.monotonic() < deadline
            ):  # a step's process ends later
                time.sleep(0.1)
            assert status(instance, run.run_id) == dg.DagsterRunStatus.FAILURE
            assert n_claimed(instance) == 0
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def test_run_that_begins_writes_down_its_process_and_ends_the_dead(instance):
    gone = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    dead = started(instance, tag_of(gone.pid))
    gone.kill()
    gone.communicate()
    run = create_run_for_test(instance, job_name="index_refresh", status=dg.DagsterRunStatus.STARTED)
    dagster_instance.begin(instance, run)
    (own,) = instance.get_runs(dg.RunsFilter(run_ids=[run.run_id]))
    assert f".{os.getpid()}-" in own.tags[PROCESS_TAG]
    assert len(own.tags[PROCESS_TAG]) <= 63
    assert own.status == dg.DagsterRunStatus.STARTED
    assert status(instance, dead) == dg.DagsterRunStatus.FAILURE


@pytest.mark.parametrize(
    "tag",
    [None, tag_of(os.getpid()), "{run_id}.elsewhere.1-1", "0000aaaa" + tag_of(os.getpid(), off_by_s=9)[8:], "{run_id}"],
    ids=["nothing known", "alive", "another machine", "inherited from the run before", "unreadable"],
)
def test_other_unfinished_runs_are_left_alone(instance, tag):
    run_id = started(instance, tag)
    assert dagster_instance.fail_dead_runs(instance) == []
    assert status(instance, run_id) == dg.DagsterRunStatus.STARTED
    assert n_claimed(instance) == 1


def test_killed_process_that_nobody_has_reaped_yet_counts_as_gone(instance):
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    run_id = started(instance, tag_of(sleeper.pid))
    assert dagster_instance.fail_dead_runs(instance) == []
    sleeper.kill()
    while psutil.Process(sleeper.pid).status() != psutil.STATUS_ZOMBIE:
        pass
    assert dagster_instance.fail_dead_runs(instance) == [run_id]
    sleeper.wait()


def test_another_process_with_the_same_number_does_not_count(instance):
    run_id = started(instance, tag_of(os.getpid(), off_by_s=1000))
    assert dagster_instance.fail_dead_runs(instance) == [run_id]


def test_run_lives_as_long_as_one_of_its_processes(instance):
    alive = tag_of(os.getpid()).rsplit(".", 1)[1]
    run_id = started(instance, f"{tag_of(os.getpid(), off_by_s=1000)}.{alive}")
    assert dagster_instance.fail_dead_runs(instance) == []
    assert status(instance, run_id) == dg.DagsterRunStatus.STARTED


def test_pool_of_a_run_that_ended_without_letting_go_is_freed(instance):
    run_id = started(instance)
    run = instance.get_run_by_id(run_id)
    assert run
    instance.report_run_failed(run)
    dagster_instance.fail_dead_runs(instance)
    assert n_claimed(instance) == 0


def test_step_that_waits_says_for_which_run_until_that_one_is_killed(instance, monkeypatch, caplog):
    monkeypatch.setattr(dagster_instance, "_WATCH_EVERY_S", 0.05)
    caplog.set_level("INFO", logger="acronis_pipeline")
    holder = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    held = started(instance, tag_of(holder.pid))
    later = create_run_for_test(instance, job_name="full_pipeline", status=dg.DagsterRunStatus.STARTED)
    instance.event_log_storage.claim_concurrency_slot("site", later.run_id, "raw_pages")
    said = f"raw_pages of run {later.run_id[:8]} waits for the pool site, held by run {held[:8]}"
    with dagster_instance.watching_pools(instance):
        deadline = time.monotonic() + 10
        while said not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.05)
        holder.kill()
        holder.communicate()
        while n_claimed(instance) and time.monotonic() < deadline:
            time.sleep(0.05)
    assert said in caplog.text
    assert status(instance, held) == dg.DagsterRunStatus.FAILURE
    assert n_claimed(instance) == 0
