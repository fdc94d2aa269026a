"""Pages that were not there: which are missing, which are gone, and when so many at once are an outage instead."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl.judging.verdict import Verdict
from acronis_pipeline.crawl.memory import records
from acronis_pipeline.crawl.memory.archive import Known
from acronis_pipeline.crawl.memory.records import Record, Row
from acronis_pipeline.store import tables


@dataclass(frozen=True)
class Absences:
    """What a crawl concludes from absences.

    `record` are the rows to write, `gone` the pages that it tombstones, `missing` how many it counts without that.
    """

    record: Record
    gone: tuple[Row, ...]
    missing: int


@dataclass(frozen=True)
class Sightings:
    """Live pages that were not there: `missed` (not found), `forbidden` (by the site or the settings, a clear word)
    and `replaced` (moved to a page that was there, which is no loss)."""

    missed: Collection[str] = ()
    forbidden: Collection[str] = ()
    replaced: Collection[str] = ()


class Watch:
    """What a walk sees of addresses that are no pages (now): it knows nothing of what was there before.

    `unseen` are those that were not shown to us, `moved` lead to another address for good.
    """

    def __init__(self) -> None:
        self.missed: set[str] = set()
        self.forbidden: set[str] = set()
        self.unseen: set[str] = set()
        self.moved: dict[str, str] = {}

    def note(self, url: str, found: Verdict) -> None:
        if found.forbidden:
            self.forbidden.add(url)
        elif found.absent:
            self.missed.add(url)
        elif found.moved_for_good and found.target:
            self.moved[url] = found.target
        else:
            self.unseen.add(url)

    def sightings(self, known: Known, confirmed: Collection[str]) -> Sightings:
        """Of the live pages, those that were not there; nothing is said of those that moved out of sight."""

        def absent(urls: Iterable[str]) -> set[str]:
            return {url for url in urls if known.is_live(url) and url not in confirmed}

        forbidden = absent(self.forbidden)
        moved = {url: target for url, target in self.moved.items() if target not in self.unseen}
        replaced = absent(url for url, target in moved.items() if target in confirmed) - forbidden
        return Sightings(absent(self.missed | moved.keys()) - forbidden - replaced, forbidden, replaced)


def outage(sightings: Sightings, site: SiteSettings, n_live: int) -> str | None:
    """Why so many absences at once are not believed, or None if they are few enough."""
    vanished = len(sightings.missed) + len(sightings.forbidden)
    if vanished <= site.max_vanishing_share * n_live:
        return None
    how = [f"{len(sightings.missed)} not found"] if sightings.missed else []
    how += [f"{len(sightings.forbidden)} forbidden by the site or outside the settings"] if sightings.forbidden else []
    return (
        f"{vanished} of {n_live} pages vanished at once ({', '.join(how)}), more than site.max_vanishing_share; "
        "nothing was counted: if the site did shrink, or the settings are meant so, crawl once with accept_vanished"
    )


def count(sightings: Sightings, known: Known, *, gone_after: int) -> Absences:
    """Count a sighting of absence for each page; what is forbidden goes at once."""
    now = records.now()
    absent: list[Row] = []
    gone: list[Row] = []
    for url in sorted({*sightings.missed, *sightings.forbidden, *sightings.replaced}):
        row = known.page(url)
        if row is None:
            continue
        row["missing_count"] = (row["missing_count"] or 0) + 1
        if url in sightings.forbidden or row["missing_count"] >= gone_after:
            row["gone_at"] = now
            gone.append(row)
        absent.append(row)
    events = [records.change(row["url"], now, "gone", row["content_hash"]) for row in gone]
    return Absences({tables.PAGES.name: absent, tables.PAGE_CHANGES.name: events}, tuple(gone), len(absent) - len(gone))
