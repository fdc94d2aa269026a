"""The addresses that gave no page when they were last asked for, by reason."""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass

from acronis_pipeline import schemas
from acronis_pipeline.crawl.memory.tables import PAGES, VISITS
from acronis_pipeline.store import Store


@dataclass(frozen=True)
class Failure:
    """An address and when it was last asked for; `held` if it is a live page, which stays as it was."""

    url: str
    asked_at: dt.datetime
    held: bool


@dataclass(frozen=True)
class Failures:
    """Addresses that failed, or were refused as no page of ours, for the same reason; in alphabetical order."""

    outcome: str
    reason: str
    addresses: tuple[Failure, ...]


def failures(store: Store) -> list[Failures]:
    """What failed and what was refused, the most frequent reason first, failures before refusals."""
    columns = ["outcome", "reason", "url", "asked_at"]
    where = "outcome IN ('failed', 'refused')"
    visits = store.read(VISITS, schemas.VISITS, columns=columns, where=where)
    live = store.read(PAGES, schemas.PAGES, columns=["url"], where="gone_at IS NULL")
    held = set(live.column("url").to_pylist())
    found: dict[tuple[str, str], list[Failure]] = defaultdict(list)
    for visit in visits.to_pylist():
        url = visit["url"]
        found[visit["outcome"], visit["reason"] or "no reason"].append(Failure(url, visit["asked_at"], url in held))
    groups = [
        Failures(outcome, reason, tuple(sorted(addresses, key=lambda failure: failure.url)))
        for (outcome, reason), addresses in found.items()
    ]
    return sorted(groups, key=lambda group: (group.outcome, -len(group.addresses), group.reason))
