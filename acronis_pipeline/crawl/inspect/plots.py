"""A picture of what crawls found, as PNG bytes."""

import datetime as dt
from collections import Counter
from typing import Any

from acronis_pipeline.crawl.inspect.history import changes_since
from acronis_pipeline.crawl.inspect.status import PastCrawl, past_crawls
from acronis_pipeline.crawl.walk.plan import History
from acronis_pipeline.figures import canvas, png
from acronis_pipeline.store import Store

DAYS = 60
"""Shown at most: what is older says little about whether crawling goes well now."""

_COLOURS = {"new": "#2e7d4f", "changed": "#1f5fa8", "returned": "#7a5ea8", "gone": "#b3413a"}


def changes_over_time(store: Store) -> bytes:
    """How many pages were live after each crawl, and how many were new, changed, returned or gone on each day.

    The pages of a first crawl, and of any other that more than doubled what there was, are not among the bars, which
    they would dwarf; a line above these says how many there are.

    Raises
    ------
    ValueError
        If there was no crawl yet.
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
    begun = [(crawl.started_at, crawl.finished_at) for crawl in crawls if _is_beginning(crawl)]
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


def _is_beginning(crawl: PastCrawl) -> bool:
    return crawl.count("new") > crawl.count("previous_n_live")


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
