"""What became of the runs that the sensors asked for, read from the instance at every tick."""

import datetime as dt
import itertools
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import dagster as dg

from acronis_pipeline.defs.raw_pages import raw_pages

CHANGES_TAG = "acronis_pipeline/site_changes"
"""On runs of `site_change_sensor`: the signature of the differences that they were asked to take in."""

_ACTIVE = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_FAILED = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_DEAD_AFTER = dt.timedelta(days=1)
"""A run that has not ended by then was killed with nobody left to notice."""
_REMEMBERED = 20
_FIRST_PAUSE_S = 900.0
_LONGEST_PAUSE_S = 24 * 3600.0


def active_run(instance: dg.DagsterInstance, assets: Collection[dg.AssetKey] = (raw_pages.key,)) -> str | None:
    """A run, whoever started it, that makes one of `assets` now or soon: what is due may be done when it ends.

    By default one that crawls the site.
    """
    filters = dg.RunsFilter(statuses=_ACTIVE, created_after=dt.datetime.now(dt.UTC) - _DEAD_AFTER)
    for run in instance.get_runs(filters):
        if run.asset_selection is None or not run.asset_selection.isdisjoint(assets):
            return run.run_id
    return None


def has_succeeded(instance: dg.DagsterInstance, signature: str) -> bool:
    """Whether the newest run for these differences succeeded."""
    records = instance.get_run_records(dg.RunsFilter(tags={CHANGES_TAG: signature}), limit=1)
    return bool(records) and records[0].dagster_run.status == dg.DagsterRunStatus.SUCCESS


@dataclass(frozen=True)
class Failure:
    """Runs of a sensor that failed, so many `times` in a row; `urls` is what the last was to fetch (none: all)."""

    run_id: str
    signature: str
    urls: tuple[str, ...]
    times: int
    retry_at: float


def last_failure(instance: dg.DagsterInstance, job: str, tag: str = CHANGES_TAG) -> Failure | None:
    """The failure of the newest run with this tag, if no run of the job has succeeded since, whoever started it."""
    records = instance.get_run_records(dg.RunsFilter(job_name=job), limit=_REMEMBERED)
    since_success = itertools.takewhile(
        lambda record: record.dagster_run.status != dg.DagsterRunStatus.SUCCESS, records
    )
    failed = [r for r in since_success if r.dagster_run.status in _FAILED and tag in r.dagster_run.tags]
    if not failed:
        return None
    run = failed[0].dagster_run
    ended_at = failed[0].end_time or failed[0].update_timestamp.timestamp()
    pause_s = min(_FIRST_PAUSE_S * 2 ** (len(failed) - 1), _LONGEST_PAUSE_S)
    return Failure(run.run_id, run.tags[tag], _urls(run), len(failed), ended_at + pause_s)


def _urls(run: dg.DagsterRun) -> tuple[str, ...]:
    ops: Any = run.run_config.get("ops", {})
    return tuple(ops.get(raw_pages.op.name, {}).get("config", {}).get("urls", ()))
