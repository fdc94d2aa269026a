"""Runs whose process was killed: Dagster still calls them started, and they still hold their pools.

Without a daemon nobody notices, and the next run would wait for the pool for ever.
"""

import logging
import os
import socket

import dagster as dg
import psutil

PROCESS_TAG = "acronis_pipeline/process"
_log = logging.getLogger(__name__)


def process_tags() -> dict[str, str]:
    """Tags by which a later process recognises that the one of this run is gone."""
    return {PROCESS_TAG: _describe(os.getpid(), psutil.Process().create_time())}


def fail_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark runs of dead processes of this machine as failed and free what they held; returns their ids.

    Only runs that carry our process tag are judged: those of the daemon belong to the daemon.
    """
    unfinished = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING])
    dead = [run for run in instance.get_runs(unfinished) if _is_dead(run.tags.get(PROCESS_TAG))]
    for run in dead:
        _log.warning("run %s was killed; its finished steps stay, the rest is done again", run.run_id[:8])
        instance.report_run_failed(run, "The process of this run is gone; it was killed.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    alive = {run.run_id for run in instance.get_runs(unfinished)}
    if alive:
        held = ", ".join(sorted(run_id[:8] for run_id in alive))
        _log.warning("under way already: run %s; steps wait for the pools that it holds", held)
    return [run.run_id for run in dead]


def _describe(pid: int, created_s: float) -> str:
    # A pid alone may belong to another process by now.
    return f"{socket.gethostname()[:20]}.{pid}.{int(created_s)}"


def _is_dead(tag: str | None) -> bool:
    if tag is None:
        return False
    host, pid, created_s = tag.rsplit(".", 2)
    if host != socket.gethostname()[:20]:
        return False
    try:
        process = psutil.Process(int(pid))
        # A killed process stays in the table until its parent has asked for its exit status.
        return process.status() == psutil.STATUS_ZOMBIE or int(process.create_time()) != int(created_s)
    except psutil.NoSuchProcess:
        return True
