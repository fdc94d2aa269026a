"""`acronis-pipeline crawl …`: crawl by hand, and see what crawls did and what became of a page."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from acronis_pipeline.cli.terminal import DataOption, JsonOption, load_settings, opened, print_json, print_table
from acronis_pipeline.core.errors import EmptyCorpusError, SiteDownError

if TYPE_CHECKING:
    from acronis_pipeline.core.settings import Settings
    from acronis_pipeline.crawl.history import Change, Diff, Version
    from acronis_pipeline.crawl.status import Failures, PastCrawl, Status, UnfinishedCrawl
    from acronis_pipeline.store import Store

_OUTAGE = 3
"""Exit code of a crawl that took the site to be down: cron and scripts should notice."""

app = typer.Typer(no_args_is_help=True, help="Crawl the site by hand, and see what crawls did and what pages became.")

UrlArgument = Annotated[str, typer.Argument(help="Address of a page, as pasted from a browser.", metavar="URL")]


@app.command()
def run(
    site: Annotated[
        str | None,
        typer.Option(
            help="Start page, sitemap, folder, or `sample`; the data folder's site by default.", show_default=False
        ),
    ] = None,
    data: DataOption = None,
    full: Annotated[bool, typer.Option("--full", help="Ask for every page, whatever the sitemap says of it.")] = False,
    accept_vanished: Annotated[
        bool, typer.Option("--accept-vanished", help="Believe it if more than half of the pages are gone at once.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring the pages up to date with the site, as `raw_pages` does. Exit code 3 if the site seems to be down."""
    from acronis_pipeline.core.settings import remembering
    from acronis_pipeline.crawl.summary import sentences
    from acronis_pipeline.stages import crawl_site
    from acronis_pipeline.store import open_store

    profile = {"site": {"url": site}} if site is not None else {}
    settings = load_settings(data, **profile)
    if site is None and not settings.profile_file.exists():
        typer.echo(f"crawling {settings.site.url}, the site of the settings; --site URL names another", err=True)
    try:
        with remembering(settings, profile):
            result = crawl_site(open_store(settings), settings, full_sweep=full, accept_vanished=accept_vanished)
    except SiteDownError as error:
        if not open_store(settings).count("pages"):
            raise
        typer.echo(f"error: {error}; the pages stay as they were", err=True)
        raise typer.Exit(_OUTAGE) from error
    if as_json:
        print_json(vars(result))
    else:
        for sentence in sentences(result):
            typer.echo(sentence)
    if result.outage:
        raise typer.Exit(_OUTAGE)


@app.command()
def status(
    last: Annotated[int, typer.Option(help="How many crawls to show.", min=1)] = 10,
    failed: Annotated[
        bool, typer.Option("--failed", help="List the addresses that gave no page instead, by reason.")
    ] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what the last crawls did, what is held, what is due, and whether a crawl is at work or was interrupted."""
    from acronis_pipeline.crawl.status import failures
    from acronis_pipeline.crawl.status import status as look

    settings = load_settings(data)
    store = _held(settings, or_begun=True)
    if failed:
        groups = failures(store)
        if as_json:
            print_json([asdict(group) for group in groups])
        else:
            print_failures(groups)
        return
    found = look(store, settings.site, settings.crawl_dir, n_crawls=last)
    if as_json:
        print_json(status_as_json(found))
    else:
        print_status(found)


@app.command()
def history(url: UrlArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show when a page appeared, changed, went and came back, and which of its versions are kept."""
    from acronis_pipeline.crawl.history import find_page, versions

    settings = load_settings(data)
    store = _held(settings)
    page = find_page(store, url, settings.site)
    found = versions(store, page, selector=settings.site.content_selector)
    if as_json:
        told = [{"number": one.number, **asdict(one.change), "n_words": one.n_words} for one in found]
        print_json({"url": page, "versions": told})
    else:
        print_history(page, found)


@app.command()
def diff(
    url: UrlArgument,
    older: Annotated[
        str | None,
        typer.Option("--from", help="Version number, or a date on which it stood.", show_default=False),
    ] = None,
    newer: Annotated[
        str | None, typer.Option("--to", help="The same; the last by default.", show_default=False)
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how the text of a page differs between two of its versions, by default the last two that differ."""
    from acronis_pipeline.crawl.history import diff as compare
    from acronis_pipeline.crawl.history import find_page

    settings = load_settings(data)
    store = _held(settings)
    page = find_page(store, url, settings.site)
    found = compare(store, page, older, newer, selector=settings.site.content_selector)
    if as_json:
        print_json(asdict(found))
    else:
        print_diff(found)


@app.command()
def changes(
    since: Annotated[
        str | None, typer.Option(help="Date or time, UTC; everything on record by default.", show_default=False)
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the pages that appeared, changed, went or came back, newest first."""
    from acronis_pipeline.crawl.history import changes_since, moment

    found = changes_since(_held(load_settings(data)), moment(since) if since else None)
    if as_json:
        print_json([vars(change) for change in found])
    else:
        print_changes(found)


def _held(settings: Settings, *, or_begun: bool = False) -> Store:
    """The data folder's store, if something was crawled into it.

    With `or_begun`, also if a first crawl is at work or was interrupted before it wrote anything.
    """
    from acronis_pipeline.crawl.memory import journal
    from acronis_pipeline.store import open_store, tables

    if or_begun and journal.has_begun(settings.crawl_dir):
        return open_store(settings)
    missing = EmptyCorpusError(
        f"{settings.data_dir} holds no pages; run `acronis-pipeline crawl run --site URL`, or name another folder with "
        "--data"
    )
    store = opened(settings, missing)
    if not store.exists(tables.PAGES):
        raise missing
    return store


_DIFF_COLOURS = {"+": typer.colors.GREEN, "-": typer.colors.RED, "@": typer.colors.CYAN}
_ADDRESSES_SHOWN = 10
_CRAWL_COLUMNS = (
    *("crawl (UTC)", "mode", "live", "new", "changed", "returned", "missing", "gone", "failed", "not asked"),
    *("requests", "304", "seconds"),
)
_COUNTS = ("n_live", "new", "changed", "returned", "missing", "gone", "trusted", "requests", "not_modified")


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
    print_table((table.name, f"{table.rows:,} rows", f"{table.size_bytes / 1e6:,.1f} MB") for table in status.tables)


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
    from acronis_pipeline.crawl.summary import reasons

    if not status.crawls:
        typer.echo("no crawl has finished yet")
        return
    print_table(map(_crawl_row, status.crawls), _CRAWL_COLUMNS, n_left=2)
    newest = status.crawls[0]
    remedy = "; `crawl status --failed` says which" if newest.failed else ""
    typer.echo(f"\nfailed in the last crawl: {reasons(newest.failed) or 'none'}{remedy}")
    typer.echo(f"not taken in: {reasons(newest.skipped) or 'none'}")
    if newest.removed:
        typer.echo(f"taken out of the pages' content: {reasons(newest.removed)}; `extract URL` shows what, of a page")


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


def _time(moment: dt.datetime) -> str:
    return f"{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M}"
