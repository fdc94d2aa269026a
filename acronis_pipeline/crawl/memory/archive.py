"""What a crawl learns about each address, turned into table rows; and what it may build on from earlier ones.

What was known of every address before takes some hundred bytes each.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from acronis_pipeline import content
from acronis_pipeline.content import Content
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl.fetching.fetch import Answer, conditional
from acronis_pipeline.crawl.judging.verdict import Reading, Verdict
from acronis_pipeline.crawl.memory import records
from acronis_pipeline.crawl.memory.journal import Journal, Run
from acronis_pipeline.crawl.memory.plan import vouches
from acronis_pipeline.crawl.memory.records import Record, Row, Target, write
from acronis_pipeline.store import Store, is_in, tables, timestamp

BATCH_VISITS = 1_000
BATCH_CHARS = 8_000_000
"""So much is gathered before it is written: Lance makes a file and a version of each write."""
_SETTLED = frozenset({"page", "alias", "refused"})


class KeyedRows:
    """Rows by key: Arrow columns and one dictionary, where a dictionary per row would take ten times as much."""

    def __init__(self, store: Store, table: tables.Table) -> None:
        rows = store.read(table).combine_chunks()
        self._columns = {name: rows.column(name) for name in rows.column_names}
        self._index = {key: index for index, key in enumerate(rows.column(table.key).to_pylist())}

    def get(self, key: str) -> Row | None:
        index = self._index.get(key)
        return None if index is None else {name: column[index].as_py() for name, column in self._columns.items()}

    def value(self, key: str, column: str) -> Any:
        """One value of a known key."""
        return self._columns[column][self._index[key]].as_py()

    def __contains__(self, key: str) -> bool:
        return key in self._index

    def __iter__(self) -> Iterator[str]:
        return iter(self._index)

    def __len__(self) -> int:
        return len(self._index)


class Known:
    """Pages (tombstoned ones too) and visits as they were when it was made."""

    def __init__(self, store: Store) -> None:
        self.pages = KeyedRows(store, tables.PAGES)
        self.visits = KeyedRows(store, tables.VISITS)
        self.n_live = len(self.live())

    def page(self, url: str) -> Row | None:
        """A page that exists as far as we know."""
        return self.pages.get(url) if self.is_live(url) else None

    def is_live(self, url: str) -> bool:
        return url in self.pages and self.pages.value(url, "gone_at") is None

    def live(self) -> list[str]:
        return [url for url in self.pages if self.is_live(url)]

    def depth(self, url: str) -> int:
        """Of a known page."""
        return self.pages.value(url, "depth") or 0

    def validators(self, url: str) -> dict[str, str]:
        """Headers that ask for an address only if it changed since the last visit."""
        visit = self.visits.get(url) or {}
        return conditional(visit.get("etag"), visit.get("last_modified"))


@dataclass(frozen=True, slots=True)
class Recorded:
    """What an earlier visit found, and the id of the links to follow from there."""

    verdict: Verdict
    links_id: str | None


class Archive:
    """The memory of one crawl.

    Parameters
    ----------
    known
        What earlier crawls (or the killed part of this one) left.
    journal
        Takes every visit at once; batches of them go to the tables.
    lastmods
        What the sitemap says of each address.

    `confirmed` are the addresses that were there as pages in this crawl.
    """

    def __init__(
        self,
        store: Store,
        site: SiteSettings,
        known: Known,
        journal: Journal,
        run: Run,
        lastmods: Mapping[str, str | None],
    ) -> None:
        self.known = known
        self.confirmed: set[str] = set()
        self._store, self._journal, self._run, self._lastmods = store, journal, run, lastmods
        self._selector = site.content_selector
        self._extractor = extractor_of(site)
        self._afresh: set[str] = set()
        where = f"seen_at >= {timestamp(run.started_at)}"
        changes = store.read(tables.PAGE_CHANGES, columns=["url", "what"], where=where)
        self._earlier = dict(zip(*changes.to_pydict().values(), strict=True))

    # What to go by

    def validators(self, url: str) -> dict[str, str]:
        """Headers that make asking conditional: an answer of 304 must leave something to go by."""
        visit = self.known.visits.get(url)
        return self.known.validators(url) if visit and self._settled(url, visit) else {}

    def repeated(self, url: str) -> Recorded | None:
        """What a 304 repeats; None if nothing that it could repeat is on record."""
        visit = self.known.visits.get(url)
        return self._settled(url, visit) if visit else None

    def vouched_for(self, url: str) -> Recorded | None:
        """What the sitemap says is as it was at the last visit."""
        stands = self._lastmods.get(url)
        visit = self.known.visits.get(url) if stands else None
        if visit is None or visit["outcome"] not in _SETTLED:
            return None
        return self._settled(url, visit) if vouches(stands, visit["lastmod"], visit["asked_at"]) else None

    def no_page(self, url: str) -> Recorded | None:
        """That there was no page at the last visit, where the sitemap does not say that there may be one by now.

        Only of what the site said for good: an address that did not answer, or wants a login, may be one any day.
        """
        visit = self.known.visits.get(url)
        if visit is None or self.known.is_live(url) or visit["outcome"] == "page":
            return None
        if url in self._lastmods and not vouches(self._lastmods[url], visit["lastmod"], visit["asked_at"]):
            return None
        if visit["outcome"] in _SETTLED:
            return self._settled(url, visit)
        found = Verdict.of(visit)
        for_good = found.outcome == "redirect" or (found.outcome == "failed" and found.refuses_us)
        return Recorded(found, visit["links_id"]) if for_good and url not in self._afresh else None

    def answered(self, url: str) -> Recorded | None:
        """What this very crawl was answered before it was killed."""
        if not self._run.resumed:
            return None
        visit = self.known.visits.get(url)
        if visit is None or visit["asked_at"] < self._run.started_at:
            record = self._journal.parked(self._run, url)
            visit = record[tables.VISITS.name][0] if record else None
        if visit is None or url in self._afresh or not Verdict.of(visit).definite:
            return None
        return Recorded(Verdict.of(visit), visit["links_id"])

    def is_news(self, url: str) -> bool:
        """Whether the address was never asked for before this crawl."""
        if url in self.known.pages and self.what_happened(url) != "new":
            return False
        return url not in self.known.visits or self.answered(url) is not None

    def ask_afresh(self, url: str) -> None:
        """The recorded outcome does not do any more: the body is needed."""
        self._afresh.add(url)

    def _settled(self, url: str, visit: Row) -> Recorded | None:
        if url in self._afresh:
            return None
        if visit["outcome"] in {"alias", "refused"}:
            # Another extractor may find that it is a page after all.
            same = visit["extractor"] == self._extractor
            return Recorded(Verdict.of(visit), visit["links_id"]) if same else None
        return Recorded(Verdict("page", status=200), visit["links_id"]) if self.known.is_live(url) else None

    async def links(self, ids: Collection[str]) -> dict[str, list[str]]:
        """Lists of links by id."""
        lists = await asyncio.to_thread(self._store.read, tables.LINK_LISTS, where=is_in("links_id", ids))
        return dict(zip(*lists.to_pydict().values(), strict=True))

    # What became of a page

    def what_happened(self, url: str) -> str:
        """`new`, `changed` or `returned` if this crawl already saw that before it was killed, else `unchanged`."""
        return self._earlier.get(url, "unchanged")

    def same_but_for_extractor(self, url: str, reading: Reading, extracting: Callable[..., Content]) -> bool:
        """Whether a page that seems changed is only read differently. Reads the stored one again, in milliseconds."""
        before = self.known.page(url)
        if before is None or before["extractor"] == self._extractor or before["content_hash"] == reading.content_hash:
            return False
        stored = records.html_of(self._store, {url: before["content_hash"]}).get(url)
        if stored is None:
            return False
        return extracting(stored, url=url, selector=self._selector).content_hash == reading.content_hash

    # What to remember

    def confirm(self, target: Target, url: str, recorded: Verdict, answer: Answer) -> None:
        """An answer of 304 repeats what is on record."""
        record: Record = {tables.VISITS.name: [self._visit(url, recorded, answer)]}
        before = self.known.pages.get(url)
        if recorded.outcome == "page" and before:
            row = {**before, **records.found(target, before), **records.validators(answer, before)}
            record[tables.PAGES.name] = [{**row, "status": recorded.status, "fetched_at": records.now()}]
        self._journal.add(record)

    def page(self, target: Target, answer: Answer, reading: Reading, *, same: bool) -> Record:
        """Rows of a page that answered in full; a change among them unless it is unchanged.

        `same` means that it says what it said, although its hash differs.
        """
        url, now = answer.url, records.now()
        before = self.known.pages.get(url)
        identical = before is not None and before["content_hash"] == reading.content_hash
        row: Row = {
            "url": url,
            "final_url": url,
            "status": answer.status,
            "media_type": reading.media_type,
            **records.validators(answer, {}),
            "fetched_at": now,
            "changed_at": before["changed_at"] if before and (same or identical) else now,
            "content_hash": reading.content_hash,
            "extractor": self._extractor,
            "title": reading.title,
            "language": reading.language,
            **records.found(target, before or {}),
        }
        record: Record = {
            **self._link_list(url, reading.links),
            tables.PAGES.name: [row],
            tables.VISITS.name: [self._visit(url, Verdict("page", status=answer.status), answer, reading.links)],
        }
        if not identical:
            record[tables.PAGE_VERSIONS.name] = [records.content_version(row, reading.html)]
        if before is None:
            what = "new"
        elif before["gone_at"] is not None:
            what = "returned"
        else:
            what = "unchanged" if same or identical else "changed"
        if what != "unchanged":
            record[tables.PAGE_CHANGES.name] = [records.change(url, now, what, reading.content_hash)]
        return record

    def keep(self, url: str, record: Record) -> None:
        """Remember a page."""
        self.confirmed.add(url)
        self._journal.add(record)

    def note(self, url: str, verdict: Verdict, answer: Answer | None = None, links: tuple[str, ...] = ()) -> None:
        """Remember a visit that found no page of its own."""
        self._journal.add(
            {**self._link_list(url, links), tables.VISITS.name: [self._visit(url, verdict, answer, links)]}
        )

    def _visit(self, url: str, verdict: Verdict, answer: Answer | None, links: tuple[str, ...] = ()) -> Row:
        before = self.known.visits.get(url) or {}
        asked: Row = {
            "url": url,
            "asked_at": records.now(),
            "outcome": verdict.outcome,
            "reason": verdict.reason,
            "status": verdict.status,
            "target": verdict.target,
        }
        if verdict.outcome == "failed" and self.known.is_live(url) and before.get("outcome") in {"page", "failed"}:
            # What is held of the page is still what these belong to.
            return {**before, **asked}
        held = before if answer is not None and answer.status == 304 else {"links_id": records.links_id(links)}
        return {
            **asked,
            **(records.validators(answer, before) if answer and verdict.outcome != "failed" else {}),
            "lastmod": self._lastmods.get(url),
            "links_id": held["links_id"],
            "extractor": self._extractor,
        }

    def _link_list(self, url: str, links: tuple[str, ...]) -> Record:
        links_id = records.links_id(links)
        if links_id is None or (url in self.known.visits and self.known.visits.value(url, "links_id") == links_id):
            return {}
        return {tables.LINK_LISTS.name: [{"links_id": links_id, "links": list(links)}]}

    # Pages that name another address as theirs

    def park(self, url: str, record: Record, *, alias_of: str) -> None:
        """Keep a page at hand until it is known whether its canonical address is one."""
        links = {tables.LINK_LISTS.name: record[tables.LINK_LISTS.name]} if tables.LINK_LISTS.name in record else {}
        self._journal.add(links)
        visit = {**record[tables.VISITS.name][0], "outcome": "alias", "target": alias_of}
        self._journal.park(self._run, url, {**record, tables.VISITS.name: [visit]})

    def unpark(self, url: str, *, alias_of: str | None = None) -> Record | None:
        """The rows of a page that was parked and stands for itself; as an alias it is remembered here."""
        record = self._journal.parked(self._run, url)
        if record is None:
            return None
        visit = record[tables.VISITS.name][0]
        if alias_of:
            self._journal.add({tables.VISITS.name: [visit]})
        visit |= {"outcome": "page", "target": None}
        self._journal.unpark(self._run, url)
        return record

    # Writing

    async def save_if_due(self) -> None:
        """Write when enough has gathered."""
        if self._journal.pending >= BATCH_VISITS or self._journal.pending_chars >= BATCH_CHARS:
            await asyncio.to_thread(save, self._store, self._journal)


def save(store: Store, journal: Journal) -> None:
    """Write what waits in the journal to the tables."""
    until, waiting = journal.waiting()
    write(store, waiting)
    journal.written(until)


def extractor_of(site: SiteSettings) -> str:
    """Identifies what content hashes were made with."""
    return digest(content.VERSION, site.content_selector or "")[:16]
