"""What the sensors know of the past: the cursor of `site_change_sensor`, and what became of the runs they asked for.

The cursor (`Memory`) has some kilobytes at most and may be lost. Runs are read from the instance at every tick.
"""

import datetime as dt
import itertools
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from acronis_pipeline.core.hashing import digest
from acronis_pipeline.crawl.probe import signature
from acronis_pipeline.defs.assets.raw_pages import raw_pages

MAX_TOKENS = 250
"""Differences remembered one by one; a larger set is remembered as a whole. 250 make a cursor of 10 kB at the most."""

_SETTLED_FOR_S = 24 * 3600.0
_LONGEST_PAUSE_S = 6 * 3600.0

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
_LONGEST_RETRY_PAUSE_S = 24 * 3600.0


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Outage(_Part):
    """Ticks in a row that got no answer; moments in seconds since the epoch."""

    since: float
    looks: int = Field(ge=1)
    next_at: float

    def __str__(self) -> str:
        looks = "1 look" if self.looks == 1 else f"{self.looks} looks"
        return f"no answer since {clock(self.since)} ({looks}); next look at {clock(self.next_at)}"


class Asked(_Part):
    """The difference that the last run was asked to take in."""

    signature: str
    tokens: tuple[str, ...] = ()


class Memory(_Part):
    """The cursor.

    `position` is where sampling goes on, `reported` the last version of the site that was recorded. `settled` are
    differences that a successful run left (a page that answers 500, say), with the moment until which they are not
    asked for again.
    """

    position: str = ""
    reported: str | None = None
    asked: Asked | None = None
    settled: dict[str, float] = {}
    outage: Outage | None = None

    @classmethod
    def parse(cls, cursor: str | None) -> "Memory":
        """One that cannot be read means that nothing is remembered: it costs at worst a run."""
        try:
            return cls.model_validate_json(cursor) if cursor else cls()
        except ValidationError:
            return cls()

    def dump(self) -> str:
        return self.model_dump_json(exclude_defaults=True)

    def with_silence(self, now: float, interval_s: float) -> "Memory":
        """The site did not answer: the pause doubles with every look."""
        looks = self.outage.looks + 1 if self.outage else 1
        pause_s = min(interval_s * 2 ** min(looks - 1, 20), max(_LONGEST_PAUSE_S, interval_s))
        since = self.outage.since if self.outage else now
        return self.model_copy(update={"outage": Outage(since=since, looks=looks, next_at=now + pause_s)})

    def with_answer(self, position: str, now: float) -> "Memory":
        settled = {token: until for token, until in self.settled.items() if until > now}
        return self.model_copy(update={"position": position, "settled": settled, "outage": None})

    def with_request(self, seen: Mapping[str, str]) -> "Memory":
        """A run was asked for because of these differences (address to what was seen there)."""
        tokens = tuple(_token(*item) for item in seen.items()) if len(seen) <= MAX_TOKENS else ()
        return self.model_copy(update={"asked": Asked(signature=signature(seen), tokens=tokens)})

    def with_finished_run(self, seen: Mapping[str, str], now: float, *, succeeded: bool) -> "Memory":
        """The run that was asked for is over. What still shows after a success will not go away by asking again."""
        forgotten = self.model_copy(update={"asked": None})
        if self.asked is None or not succeeded:
            return forgotten
        still = [token for item in seen.items() if (token := _token(*item)) in self.asked.tokens]
        if signature(self.unsettled(seen)) == self.asked.signature:
            still.append(self.asked.signature)
        settled = self.settled | dict.fromkeys(still, now + _SETTLED_FOR_S)
        # One more than a set's tokens: its signature stands beside them.
        return forgotten.model_copy(update={"settled": dict(list(settled.items())[-MAX_TOKENS - 1 :])})

    def unsettled(self, seen: Mapping[str, str]) -> dict[str, str]:
        """The differences worth a run."""
        rest = {url: what for url, what in seen.items() if _token(url, what) not in self.settled}
        return {} if signature(rest) in self.settled else rest


def clock(moment: float) -> str:
    return f"{dt.datetime.fromtimestamp(moment, dt.UTC):%Y-%m-%d %H:%M} UTC"


def _token(url: str, seen: str) -> str:
    return digest(url, seen)[:10]


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
    pause_s = min(_FIRST_PAUSE_S * 2 ** (len(failed) - 1), _LONGEST_RETRY_PAUSE_S)
    return Failure(run.run_id, run.tags[tag], _urls(run), len(failed), ended_at + pause_s)


def _urls(run: dg.DagsterRun) -> tuple[str, ...]:
    ops: Any = run.run_config.get("ops", {})
    return tuple(ops.get(raw_pages.op.name, {}).get("config", {}).get("urls", ()))
