"""The Dagster instance of a data folder: where it is, and that killed runs do not hold it up.

Its home and configuration are made from the settings (`prepare_home`). A run whose process was killed is still called
started by Dagster and still holds its pools; without a daemon nobody notices, and the next run would wait for ever. So
every run writes down its process when it begins, whoever launched it, and looks whether that of any other run is gone.
"""

import logging
import multiprocessing
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import psutil
import yaml
from dagster._utils.concurrency import ConcurrencyKeyInfo

from acronis_pipeline.core.files import write_text
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.core.settings import ENV_PREFIX, Settings
from acronis_pipeline.tracking import Tracker, kill_runs_without_process

_log = logging.getLogger(__name__)
PROCESS_TAG = "acronis_pipeline/process"
_UNDER_WAY = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
_WATCH_EVERY_S = 20.0
_PACKAGE = Path(__file__).resolve().parent.parent


def prepare_home(settings: Settings) -> Path:
    """Make `<data folder>/dagster` a DAGSTER_HOME and select it, with this data folder, for child processes too.

    Dagster reads `dagster.yaml` only from DAGSTER_HOME once that is set, hence the copy. In a checkout the original
    stands at the top, in an installed wheel beside the package.
    """
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    original = next(path for path in (_PACKAGE.parent / "dagster.yaml", _PACKAGE / "dagster.yaml") if path.exists())
    config = yaml.safe_load(original.read_text("utf-8"))
    for entry in ("storage", "local_artifact_storage"):  # below DAGSTER_HOME by default
        config.pop(entry, None)
    target = home / "dagster.yaml"
    text = "# Copied from the project's dagster.yaml at every start; edit that one.\n" + yaml.safe_dump(config)
    if not target.exists() or target.read_text("utf-8") != text:
        write_text(target, text)
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ[f"{ENV_PREFIX}DATA_DIR"] = str(settings.data_dir)
    return home


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The instance in which runs of this data folder are recorded; the UI shows the same one."""
    prepare_home(settings)
    return dg.DagsterInstance.get()


def begin(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Write down the process of a run that begins, and end those whose process is gone."""
    tag = process_tag(run.run_id)
    if run.tags.get(PROCESS_TAG) != tag:
        instance.add_run_tags(run.run_id, {PROCESS_TAG: tag})
    fail_dead_runs(instance)


def process_tag(run_id: str) -> str:
    """By which a later process recognises that the one of this run is gone.

    The run is part of it because a run that is executed anew inherits the tags of the one before.
    """
    # With `executor: multiprocess` this process is that of a step, and the run lives on in the one that started it.
    parent = multiprocessing.parent_process()
    pids = [os.getpid(), *([parent.pid] if parent and parent.pid else [])]
    # A pid alone may belong to another process by now.
    created = [f"{pid}-{int(psutil.Process(pid).create_time())}" for pid in pids if psutil.pid_exists(pid)]
    return ".".join([_of_this_machine(run_id), *created])


def fail_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark runs of dead processes of this machine as failed and free what ended runs held; returns the ids of the dead.

    A run counts as dead when none of the processes is left that it has last written down.
    """
    dead = [run for run in instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY)) if _is_dead(run)]
    for run in dead:
        _log.warning("run %s was killed; its finished steps stay, the rest is done again", run.run_id[:8])
        instance.report_run_failed(run, "The process of this run is gone; it was killed.")
    for run_id in {part.run_id for pool in _pools(instance) for part in (*pool.claimed_slots, *pool.pending_steps)}:
        holder = instance.get_run_by_id(run_id)
        if holder is None or holder.is_finished:
            instance.event_log_storage.free_concurrency_slots_for_run(run_id)
    return [run.run_id for run in dead]


def kill_dead_mlflow_runs(instance: dg.DagsterInstance, tracker: Tracker) -> list[str]:
    """End the MLflow runs that killed runs of this instance have left open; returns their ids."""
    fail_dead_runs(instance)

    def has_ended(run_id: str) -> bool:
        run = instance.get_run_by_id(run_id)
        return run is not None and run.is_finished

    return kill_runs_without_process(tracker, has_ended)


@contextmanager
def watching_pools(instance: dg.DagsterInstance) -> Iterator[None]:
    """While the block runs: end runs that are killed meanwhile, and say which steps wait for whom."""
    ended = threading.Event()

    def watch() -> None:
        started = time.monotonic()
        while not ended.wait(_WATCH_EVERY_S):
            fail_dead_runs(instance)
            for line in waiting(instance):
                _log.info("%s, %.0f s after the start", line, time.monotonic() - started)

    watcher = threading.Thread(target=watch, name="pools", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def waiting(instance: dg.DagsterInstance) -> list[str]:
    """A sentence for every step that waits for a pool: which step, which pool, and the runs that hold it."""
    return [
        f"{step.step_key} of run {step.run_id[:8]} waits for the pool {pool.concurrency_key}, held by run "
        f"{', '.join(sorted(run_id[:8] for run_id in pool.active_run_ids))}"
        for pool in _pools(instance)
        for step in pool.pending_steps
        if step.assigned_timestamp is None and pool.active_run_ids
    ]


def _pools(instance: dg.DagsterInstance) -> list[ConcurrencyKeyInfo]:
    storage = instance.event_log_storage
    return [storage.get_concurrency_info(pool) for pool in sorted(storage.get_concurrency_keys())]


def _of_this_machine(run_id: str) -> str:
    return f"{run_id[:8]}.{digest(socket.gethostname())[:8]}"


def _is_dead(run: dg.DagsterRun) -> bool:
    ours, _, processes = run.tags.get(PROCESS_TAG, "").partition(f"{_of_this_machine(run.run_id)}.")
    return not ours and bool(processes) and not any(map(_is_alive, processes.split(".")))


def _is_alive(described: str) -> bool:
    pid, _, created_s = described.partition("-")
    try:
        process = psutil.Process(int(pid))
        # A killed process stays in the table until its parent has asked for its exit status.
        return process.status() != psutil.STATUS_ZOMBIE and int(process.create_time()) == int(created_s)
    except psutil.NoSuchProcess:
        return False
