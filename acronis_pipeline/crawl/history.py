"""What became of a page over time: when it changed, what was kept of it, and how two of its versions differ."""

import datetime as dt
import difflib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from acronis_pipeline.content import extract
from acronis_pipeline.core.errors import UnknownPageError
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl.lookup import Addresses
from acronis_pipeline.store import Store, quoted, tables, timestamp


@dataclass(frozen=True)
class Change:
    """Something that happened to a page: it was `new`, `changed`, `gone` or `returned` when seen at `seen_at` (UTC)."""

    url: str
    seen_at: dt.datetime
    what: str
    content_hash: str

    @property
    def has_content(self) -> bool:
        """Whether the page said something from then on."""
        return self.what != "gone"


@dataclass(frozen=True)
class Version:
    """A change as part of its page's history, `number` 1 being the oldest; None where the page was gone.

    `n_words` of the extracted text, None where the content is not kept any more (`site.keep_versions`) or the page
    was gone.
    """

    number: int | None
    change: Change
    n_words: int | None


@dataclass(frozen=True)
class Diff:
    """A unified diff of the text of two versions of a page, title included; no lines where they say the same."""

    url: str
    older: Change
    newer: Change
    lines: tuple[str, ...]


def find_page(store: Store, asked: str, site: SiteSettings) -> str:
    """The address under which a page is held, from one that a person pasted.

    Any spelling of it will do, and redirects and aliases met by a crawl lead to their page (see `lookup`).

    Raises
    ------
    UnknownPageError
        Names the nearest address that is held.
    """
    addresses = Addresses.of(store, site, live_only=False)
    if not addresses:
        raise UnknownPageError(f"no page is held yet, so not {asked!r}; crawl first: acronis-pipeline crawl run")
    if found := addresses.page(asked):
        return found
    held = store.read(tables.PAGES, columns=["url"]).column("url").to_pylist()
    nearest = difflib.get_close_matches(asked, held, n=1, cutoff=0.0)
    raise UnknownPageError(f"{asked!r} is not held; the nearest address that is: {nearest[0]}")


def versions(store: Store, url: str, *, selector: str | None = None) -> list[Version]:
    """Everything that happened to a page, oldest first.

    Parameters
    ----------
    url
        As `find_page` gives it.
    selector
        `site.content_selector`.
    """
    texts = _texts(store, url, selector)
    changes = _changes(store, f"url = {quoted(url)}")
    numbers = itertools.count(1)
    return [
        Version(next(numbers) if change.has_content else None, change, _n_words(change, texts)) for change in changes
    ]


def diff(
    store: Store, url: str, older: str | None = None, newer: str | None = None, *, selector: str | None = None
) -> Diff:
    """How the text of a page differs between two versions, by default the last two that say different things.

    Parameters
    ----------
    older, newer
        The number of a version as `versions` counts them, or an ISO date or time (UTC unless it says otherwise) at
        which the version stood; a date alone means the end of that day. `older` is by default the last before `newer`
        that says something else, and `newer` the last.

    Raises
    ------
    UnknownPageError
        If there is no such version, or its content is not kept any more.
    """
    changes = [change for change in _changes(store, f"url = {quoted(url)}") if change.has_content]
    if not changes:
        raise UnknownPageError(f"{url} has nothing on record to compare")
    texts = _texts(store, url, selector)
    last = _chosen(newer, changes, url) if newer else changes[-1]
    first = _chosen(older, changes, url) if older else _last_different(changes[: changes.index(last)], last)
    before, after = (_text(change, changes, texts) for change in (first, last))
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), _label(first, changes), _label(last, changes), lineterm=""
    )
    return Diff(url, first, last, tuple(lines))


def changes_since(store: Store, since: dt.datetime | None = None) -> list[Change]:
    """What changed on the whole site, newest first; everything on record if `since` is None."""
    where = f"seen_at >= {timestamp(since)}" if since else None
    return _changes(store, where)[::-1]


def moment(text: str) -> dt.datetime:
    """An ISO date or time as a person writes it, UTC unless it says otherwise; raises UnknownPageError for others."""
    try:
        parsed = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise UnknownPageError(f"{text!r} is no date; write it as 2026-11-21 or 2026-11-21T03:00") from error
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=dt.UTC)


def _changes(store: Store, where: str | None) -> list[Change]:
    columns = ["url", "seen_at", "what", "content_hash"]
    rows = store.read(tables.PAGE_CHANGES, columns=columns, where=where).to_pylist()
    return [Change(**row) for row in sorted(rows, key=lambda row: (row["seen_at"], row["url"]))]


def _texts(store: Store, url: str, selector: str | None) -> dict[str, str]:
    """What a page said, by content hash, of all versions that are kept."""
    columns = ["content_hash", "html"]
    where = f"url = {quoted(url)}"
    rows = store.read(tables.PAGE_VERSIONS, columns=columns, where=where).to_pylist()
    texts = {}
    for row in rows:
        content = extract(row["html"], url=url, selector=selector)
        texts[row["content_hash"]] = f"{content.title}\n\n{content.markdown}"
    return texts


def _n_words(change: Change, texts: dict[str, str]) -> int | None:
    text = texts.get(change.content_hash) if change.has_content else None
    return None if text is None else len(text.split())


def _last_different(changes: Sequence[Change], newer: Change) -> Change:
    for change in reversed(changes):
        if change.content_hash != newer.content_hash:
            return change
    raise UnknownPageError(f"{newer.url} has no two versions to compare; it has not changed since it was first seen")


def _chosen(which: str, changes: Sequence[Change], url: str) -> Change:
    if which.isdecimal() and len(which) < 4:  # a year alone would be no date either
        if not 1 <= int(which) <= len(changes):
            raise UnknownPageError(f"{url} has no version {which}; its history ends at {len(changes)}")
        return changes[int(which) - 1]
    until = moment(which)
    if "T" not in which and " " not in which.strip():
        until += dt.timedelta(days=1)
    seen = [change for change in changes if change.seen_at < until]
    if not seen:
        first = f"{changes[0].seen_at:%Y-%m-%d %H:%M}" if changes else "never"
        raise UnknownPageError(f"{url} was not held yet at {which}; first seen: {first} UTC")
    return seen[-1]


def _text(change: Change, changes: Sequence[Change], texts: dict[str, str]) -> str:
    text = texts.get(change.content_hash)
    if text is None:
        kept = [str(n) for n, each in enumerate(changes, 1) if each.content_hash in texts]
        raise UnknownPageError(
            f"version {changes.index(change) + 1} of {change.url} is not kept any more (site.keep_versions); "
            f"kept: {', '.join(kept) or 'none'}"
        )
    return text


def _label(change: Change, changes: Sequence[Change]) -> str:
    return f"version {changes.index(change) + 1}, {change.what} {change.seen_at:%Y-%m-%d %H:%M} UTC"
