"""Runs whose step was killed, which MLflow would call running for ever.

They are known by the tags with which a run names the run in Dagster that made it.
"""

import logging
from collections.abc import Callable

from acronis_pipeline.tracking.tracker import Tracker

DAGSTER_RUN = "dagster.run_id"
DAGSTER_URL = "dagster.run_url"


_log = logging.getLogger(__name__)


def kill_runs_without_process(tracker: Tracker, has_ended: Callable[[str], bool]) -> list[str]:
    """Mark unfinished MLflow runs as KILLED where the Dagster run has ended; returns their ids.

    A step closes its MLflow run before its Dagster run ends, so one that is still open then was never closed.
    `has_ended` is asked with a Dagster run id and says no for runs it does not know: on a shared server these may be
    another machine's, and alive.
    """
    open_runs = [run for run in tracker.find("attributes.status = 'RUNNING'") if DAGSTER_RUN in run.tags]
    ended = {run_id: has_ended(run_id) for run_id in {run.tags[DAGSTER_RUN] for run in open_runs}}
    dead = [run.run_id for run in open_runs if ended[run.tags[DAGSTER_RUN]]]
    for run_id in dead:
        tracker.kill(run_id)
    if dead:
        _log.warning("%d runs in MLflow were left open by killed processes; they are marked as killed", len(dead))
    return dead
