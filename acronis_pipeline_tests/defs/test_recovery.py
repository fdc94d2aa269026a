import os
import subprocess
import sys

import dagster as dg
import psutil
import pytest
from dagster._core.test_utils import create_run_for_test

from acronis_pipeline.defs import recovery


@pytest.fixture
def instance(tmp_path):
    with dg.DagsterInstance.local_temp(str(tmp_path)) as temporary:
        yield temporary


def started(instance: dg.DagsterInstance, tags: dict[str, str]) -> str:
    run = create_run_for_test(instance, job_name="full_pipeline", status=dg.DagsterRunStatus.STARTED, tags=tags)
    instance.event_log_storage.set_concurrency_slots("site", 1)
    instance.event_log_storage.claim_concurrency_slot("site", run.run_id, "raw_pages")
    return run.run_id


def status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run
    return run.status


def test_run_of_a_killed_process_is_failed_and_its_pool_is_free_again(instance):
    script = "from acronis_pipeline.defs import recovery; print(recovery.process_tags()[recovery.PROCESS_TAG])"
    tag = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.strip()
    run_id = started(instance, {recovery.PROCESS_TAG: tag})
    assert recovery.fail_dead_runs(instance) == [run_id]
    assert status(instance, run_id) == dg.DagsterRunStatus.FAILURE
    assert instance.event_log_storage.get_concurrency_info("site").active_slot_count == 0


@pytest.mark.parametrize("tags", [{}, recovery.process_tags()], ids=["the daemon's", "of this process"])
def test_other_unfinished_runs_are_left_alone(instance, tags):
    run_id = started(instance, tags)
    assert recovery.fail_dead_runs(instance) == []
    assert status(instance, run_id) == dg.DagsterRunStatus.STARTED


def test_killed_process_that_nobody_has_reaped_yet_counts_as_gone(instance):
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    host = recovery.process_tags()[recovery.PROCESS_TAG].split(".")[0]
    tag = f"{host}.{sleeper.pid}.{int(psutil.Process(sleeper.pid).create_time())}"
    run_id = started(instance, {recovery.PROCESS_TAG: tag})
    assert recovery.fail_dead_runs(instance) == []
    sleeper.kill()
    while psutil.Process(sleeper.pid).status() != psutil.STATUS_ZOMBIE:
        pass
    assert recovery.fail_dead_runs(instance) == [run_id]
    sleeper.wait()


def test_another_process_with_the_same_number_does_not_count(instance):
    host, pid, created_s = recovery.process_tags()[recovery.PROCESS_TAG].rsplit(".", 2)
    assert int(pid) == os.getpid()
    assert int(created_s) == int(psutil.Process().create_time())
    run_id = started(instance, {recovery.PROCESS_TAG: f"{host}.{pid}.{int(created_s) - 1000}"})
    assert recovery.fail_dead_runs(instance) == [run_id]
