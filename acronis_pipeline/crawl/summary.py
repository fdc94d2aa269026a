"""A crawl in sentences, for the terminal and for the Dagster UI, and a picture of what crawls found."""

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from typing import Any

from acronis_pipeline.core.addresses import path_of
from acronis_pipeline.core.figures import canvas, png
from acronis_pipeline.crawl.history import changes_since
from acronis_pipeline.crawl.memory.plan import CrawlResult, History
from acronis_pipeline.crawl.status import past_crawls
from acronis_pipeline.store import Store

DAYS = 60
"""Shown at most: what is older says little about whether crawling goes well now."""

_COLOURS = {"new": "#2e7d4f", "changed": "#1f5fa8", "returned": "#7a5ea8", "gone": "#b3413a"}
_MODES = {
    "sweep": "every known address was asked",
    "incremental": "only what the sitemap does not vouch for was asked",
    "changes": "only what was seen to have changed was asked",
}
_MODES_OF_A_FOLDER = {
    "sweep": "every file was looked at",
    "incremental": "only files with another time of change were looked at",
    "changes": "only files that were seen to have changed were looked at",
}
_BROKEN_LINKS = frozenset({"HTTP 404", "HTTP 410"})
_REASONS = 6
"""Named in a sentence, at most; all of them are in the counts."""


def changes_over_time(store: Store) -> bytes:
    """How many pages were live after each crawl, and how many were new, changed, returned or gone on each day.

    The pages of a first crawl, and of any other that more than doubled what there was, are not among the bars, which
    they would dwarf; a line above these says how many there are. Raises ValueError if there was no crawl yet.
    """
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    crawls = past_crawls(History.of(store))
    if not crawls:
        raise ValueError("there was no crawl yet")
    end, first_done = crawls[0].finished_at, crawls[-1].finished_at
    begin = max(first_done, end - dt.timedelta(days=DAYS))
    shown = [crawl for crawl in crawls if crawl.finished_at >= begin]
    days = [begin.date() + dt.timedelta(days=n) for n in range((end.date() - begin.date()).days + 1)]
    figure, (pages, bars) = canvas(9.5, 3.2, columns=2)
    pages.plot([crawl.finished_at for crawl in shown], [crawl.count("n_live") for crawl in shown], "o-", ms=3)
    pages.set_ylim(bottom=0)
    pages.set_title("live pages after each crawl", fontsize=10)
    begun = [
        (crawl.started_at, crawl.finished_at) for crawl in crawls if crawl.count("new") > crawl.count("previous_n_live")
    ]
    changes = changes_since(store, crawls[-1].started_at if len(shown) == len(crawls) else begin)
    first = [change for change in changes if change.what == "new" and _within(change.seen_at, begun)]
    later = Counter((change.what, change.seen_at.date()) for change in changes)
    later.subtract((change.what, change.seen_at.date()) for change in first)
    _stack(bars, days, later)
    left_out = f" (without {len(first):,} first taken in)" if first else ""
    bars.set_title(f"page changes by day{left_out}", fontsize=10)
    for axes in (pages, bars):
        locator = AutoDateLocator(minticks=1, maxticks=6)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        axes.set_xlim(days[0] - dt.timedelta(days=1), days[-1] + dt.timedelta(days=2))
        axes.grid(axis="y", alpha=0.3)
    return png(figure)


def _within(moment: dt.datetime, spans: list[tuple[dt.datetime, dt.datetime]]) -> bool:
    return any(begin <= moment <= end for begin, end in spans)


def _stack(axes: Any, days: list[dt.date], counts: Counter[tuple[str, dt.date]]) -> None:
    """Bars a day, what went below zero."""
    tops = [0] * len(days)
    for what, colour in _COLOURS.items():
        values = [counts[what, day] for day in days]
        label = f"{what} ({sum(values):,})"
        if what == "gone":
            axes.bar(days, [-value for value in values], color=colour, label=label)
            continue
        axes.bar(days, values, bottom=tops, color=colour, label=label)
        tops = [top + value for top, value in zip(tops, values, strict=True)]
    axes.axhline(0, color="#444444", linewidth=0.8)
    axes.figure.legend(loc="outside lower right", frameon=False, ncols=4, fontsize=8)


def sentences(result: CrawlResult) -> list[str]:
    """What a crawl did, found and could not get, most important first."""
    said = [f"{result.n_live:,} pages are live ({_change(result)}), {result.previous_n_live:,} before."]
    if result.outage:
        said.insert(0, f"Taken for an outage, so no absence was counted: {result.outage}.")
    if result.missing or result.gone:
        said.append(
            f"{result.missing:,} did not show and wait for confirmation; {result.gone:,} are confirmed gone, "
            "with their content kept."
        )
    said.append(f"{result.mode.capitalize()}: {_effort(result)}.")
    if result.resumed:
        said.append(f"{result.resumed:,} answers are those of a crawl that was interrupted, not asked for again.")
    if result.lastmod_lies:
        said.append(f"{result.lastmod_lies:,} pages had changed although the sitemap's lastmod said otherwise.")
    broken = {reason: count for reason, count in result.failed.items() if reason in _BROKEN_LINKS}
    failed = {reason: count for reason, count in result.failed.items() if reason not in _BROKEN_LINKS}
    if broken:
        said.append(f"Links to nothing: {reasons(broken)}.")
    if failed:
        said.append(f"Failed: {reasons(failed)}; pages among these stay as they were.")
    if result.skipped:
        said.append(f"Not taken in: {reasons(result.skipped)}.")
    if result.removed:
        said.append(f"Taken out of the pages' content, by rule: {reasons(result.removed)}.")
    return said


def as_markdown(result: CrawlResult) -> str:
    """The same as a list."""
    return "\n".join(f"- {sentence}" for sentence in sentences(result))


def reasons(counts: Mapping[str, int]) -> str:
    """Counts by reason, the largest first: ``robots (12), HTTP 500 (3)``."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    named = ", ".join(f"{reason} ({count:,})" for reason, count in ordered[:_REASONS])
    rest = sum(count for _, count in ordered[_REASONS:])
    return f"{named}, other reasons ({rest:,})" if rest else named


def share(failed: Mapping[str, int], n_kept: int, *reasons: str) -> float:
    """Failures for these reasons (any, if none is named) as a share of the addresses that were there or failed.

    Without 404 and 410: those tell of broken links, not of pages that we could not get.
    """
    there = {reason: count for reason, count in failed.items() if reason not in _BROKEN_LINKS}
    counted = sum(count for reason, count in there.items() if reason in reasons or not reasons)
    return counted / max(n_kept + sum(there.values()), 1)


def _effort(result: CrawlResult) -> str:
    """What was asked for and what that took; a folder's files are no requests."""
    n, same, trusted = f"{result.requests:,}", f"{result.not_modified:,}", f"{result.trusted:,}"
    if path_of(result.site_url) is not None:
        left = f", {trusted} not opened" if result.trusted else ""
        how = f"{n} files in {result.duration_s:.0f} s, {same} as they were{left}"
        return f"{_MODES_OF_A_FOLDER[result.mode]}. {how}"
    left = f", {trusted} pages not asked for as their lastmod stands" if result.trusted else ""
    return f"{_MODES[result.mode]}. {n} requests in {result.duration_s:.0f} s, {same} answered 304{left}"


def _change(result: CrawlResult) -> str:
    counts = {
        "new": result.new,
        "changed": result.changed,
        "returned": result.returned,
        "gone": result.gone,
    }
    named = [f"{count:,} {what}" for what, count in counts.items() if count]
    return ", ".join(named) or "nothing changed"
