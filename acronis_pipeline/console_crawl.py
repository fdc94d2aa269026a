"""What `acronis-pipeline crawl …` prints."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from acronis_pipeline.crawl.inspect.failures import Failures
    from acronis_pipeline.crawl.inspect.history import Change, Diff, Version
    from acronis_pipeline.crawl.inspect.status import PastCrawl, Status, UnfinishedCrawl
    from acronis_pipeline.crawl.result import CrawlResult

_DIFF_COLOURS = {"+": typer.colors.GREEN, "-": typer.colors.RED, "@": typer.colors.CYAN}
_ADDRESSES_SHOWN = 10
_COUNTS = ("n_live", "new", "changed", "returned", "missing", "gone", "trusted", "requests", "not_modified")


def print_result(result: CrawlResult) -> None:
    """What a crawl did, in sentences."""
    from acronis_pipeline.crawl.inspect.summary import sentences

    for sentence in sentences(result):
        typer.echo(sentence)


def print_status(status: Status) -> None:
    """Pages, what is under way or due, what went wrong, the last crawls in a table, and how much is stored."""
    echo = typer.echo
    site = f"{status.crawls[0].site_url}: " if status.crawls else ""
    echo(
        f"{site}{status.n_live:,} pages live, {status.n_missing:,} of them not seen lately, "
        f"{status.n_gone:,} gone (kept)"
    )
    echo(f"next crawl that asks for every page: {_due(status)}")
    if status.at_work and not status.unfinished:
        echo("at work now: a crawl that has just begun, or is about to end")
    for crawl in status.unfinished:
        echo(_unfinished(crawl))
    if status.attempts:
        newest, n = status.attempts[0], len(status.attempts)
        since = f" ({n} times since the last crawl)" if n > 1 else ""
        echo(f"site down at {_time(newest.at)} UTC{since}: {newest.why}")
    for crawl in status.crawls:
        if crawl.outage:
            echo(f"! {_time(crawl.started_at)} was taken for an outage: {crawl.outage}")
    echo()
    _print_crawls(status)
    echo()
    _print_aligned([(table.name, f"{table.rows:,} rows", _size(table.size_bytes)) for table in status.tables], left=1)


def print_failures(groups: Sequence[Failures]) -> None:
    """Reasons with their counts, and some addresses of each."""
    if not groups:
        typer.echo("no address failed or was refused when it was last asked for")
    for group in groups:
        typer.echo(f"{group.outcome}: {group.reason} ({len(group.addresses):,})")
        for failure in group.addresses[:_ADDRESSES_SHOWN]:
            held = "  (held, stays as it was)" if failure.held else ""
            typer.echo(f"    {_time(failure.asked_at)}  {failure.url}{held}")
        if len(group.addresses) > _ADDRESSES_SHOWN:
            typer.echo(f"    and {len(group.addresses) - _ADDRESSES_SHOWN:,} more; --json lists all")


def _print_crawls(status: Status) -> None:
    from acronis_pipeline.crawl.inspect.summary import reasons

    if not status.crawls:
        typer.echo("no crawl has finished yet")
        return
    head = ("crawl (UTC)", "mode", "live", "new", "changed", "returned", "missing", "gone", "failed", "not asked")
    rows = [(*head, "requests", "304", "seconds"), *map(_crawl_row, status.crawls)]
    _print_aligned(rows, left=2)
    newest = status.crawls[0]
    remedy = "; `crawl status --failed` says which" if newest.failed else ""
    typer.echo(f"\nfailed in the last crawl: {reasons(newest.failed) or 'none'}{remedy}")
    typer.echo(f"not taken in: {reasons(newest.skipped) or 'none'}")


def print_history(url: str, versions: Sequence[Version]) -> None:
    """The page's history, oldest first."""
    typer.echo(url)
    for version in versions:
        change = version.change
        words = "" if version.n_words is None else f"{version.n_words:,} words"
        kept = words or ("not kept" if change.has_content else "")
        typer.echo(f"{version.number or '':>4}  {_time(change.seen_at)}  {change.what:<8}  {kept}".rstrip())


def print_diff(diff: Diff) -> None:
    """A unified diff, coloured on a terminal."""
    typer.echo(diff.url)
    if not diff.lines:
        typer.echo("both versions say the same")
    for line in diff.lines:
        colour = None if line.startswith(("+++", "---")) else _DIFF_COLOURS.get(line[:1])
        typer.secho(line, fg=colour, bold=line.startswith(("+++", "---")) and sys.stdout.isatty())


def print_changes(changes: Sequence[Change]) -> None:
    """One change a line, newest first."""
    for change in changes:
        typer.echo(f"{_time(change.seen_at)}  {change.what:<8}  {change.url}")
    typer.echo(f"{len(changes):,} changes of {len({change.url for change in changes}):,} pages", err=True)


def status_as_json(status: Status) -> dict[str, Any]:
    crawls = [{name: value for name, value in crawl.counts.items() if name != "summary"} for crawl in status.crawls]
    return {**asdict(status), "crawls": crawls}


def version_as_json(version: Version) -> dict[str, Any]:
    return {"number": version.number, **asdict(version.change), "n_words": version.n_words}


def diff_as_json(diff: Diff) -> dict[str, Any]:
    return asdict(diff)


def _due(status: Status) -> str:
    if status.next_sweep_at:
        return f"from {_time(status.next_sweep_at)} UTC on"
    if status.crawls and not status.lastmod_is_believed:
        return "every one, as pages changed under an unchanged lastmod"
    return "the next one"


def _unfinished(crawl: UnfinishedCrawl) -> str:
    what = f"{crawl.mode} started {_time(crawl.started_at)} UTC, {crawl.n_answered:,} addresses answered so far"
    if crawl.at_work:
        return f"at work now: {what}"
    if crawl.continued:
        return f"interrupted: {what}; the next crawl goes on from there"
    return f"interrupted: {what}; too long ago to be continued (site.resume_within_h)"


def _crawl_row(crawl: PastCrawl) -> tuple[str, ...]:
    found = [f"{crawl.count(name):,}" for name in _COUNTS]
    failed = f"{sum(crawl.failed.values()):,}"
    seconds = f"{crawl.counts.get('duration_s', 0.0):.0f}"
    mode = f"{crawl.mode} !" if crawl.outage else crawl.mode
    return (_time(crawl.started_at), mode, *found[:6], failed, *found[6:], seconds)


def _print_aligned(rows: Sequence[tuple[str, ...]], *, left: int) -> None:
    """Columns as wide as they must be; the first `left` of them to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.ljust(width) if index < left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        typer.echo("  ".join(cells).rstrip())


def _time(moment: dt.datetime) -> str:
    return f"{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M}"


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.1f} MB"
