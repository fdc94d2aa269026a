"""`acronis-pipeline crawl …`: crawl by hand, and see what crawls did and what became of a page."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from acronis_pipeline import console_crawl
from acronis_pipeline.cli_options import DataOption, JsonOption, print_json
from acronis_pipeline.errors import EmptyCorpusError, SiteDownError
from acronis_pipeline.settings import Settings, load_settings

if TYPE_CHECKING:
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
    from acronis_pipeline import sample_site
    from acronis_pipeline.crawl import crawl
    from acronis_pipeline.site_profile import remembering
    from acronis_pipeline.store import open_store

    profile = {"site": {"url": site}} if site is not None else {}
    settings = load_settings(data, **profile)
    if site is None and not settings.profile_file.exists():
        typer.echo(f"crawling {settings.site.url}, the site of the settings; --site URL names another", err=True)
    try:
        with remembering(settings, profile), sample_site.serving(settings.site) as served:
            asked = served.model_copy(update={"full_sweep_days": 0}) if full else served
            result = crawl(open_store(settings), asked, journal_dir=settings.crawl_dir, accept_vanished=accept_vanished)
    except SiteDownError as error:
        if not open_store(settings).count("pages"):
            raise
        typer.echo(f"error: {error}; the pages stay as they were", err=True)
        raise typer.Exit(_OUTAGE) from error
    if as_json:
        print_json(vars(result))
    else:
        console_crawl.print_result(result)
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
    from acronis_pipeline.crawl.inspect.failures import failures
    from acronis_pipeline.crawl.inspect.status import status as look

    settings = load_settings(data)
    store = _held(settings, or_begun=True)
    if failed:
        groups = failures(store)
        if as_json:
            print_json([asdict(group) for group in groups])
        else:
            console_crawl.print_failures(groups)
        return
    found = look(store, settings.site, settings.crawl_dir, n_crawls=last)
    if as_json:
        print_json(console_crawl.status_as_json(found))
    else:
        console_crawl.print_status(found)


@app.command()
def history(url: UrlArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show when a page appeared, changed, went and came back, and which of its versions are kept."""
    from acronis_pipeline.crawl.inspect.history import find_page, versions

    settings = load_settings(data)
    store = _held(settings)
    page = find_page(store, url, settings.site)
    found = versions(store, page, selector=settings.site.content_selector)
    if as_json:
        print_json({"url": page, "versions": [console_crawl.version_as_json(version) for version in found]})
    else:
        console_crawl.print_history(page, found)


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
    from acronis_pipeline.crawl.inspect.history import diff as compare
    from acronis_pipeline.crawl.inspect.history import find_page

    settings = load_settings(data)
    store = _held(settings)
    page = find_page(store, url, settings.site)
    found = compare(store, page, older, newer, selector=settings.site.content_selector)
    if as_json:
        print_json(console_crawl.diff_as_json(found))
    else:
        console_crawl.print_diff(found)


@app.command()
def changes(
    since: Annotated[
        str | None, typer.Option(help="Date or time, UTC; everything on record by default.", show_default=False)
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the pages that appeared, changed, went or came back, newest first."""
    from acronis_pipeline.crawl.inspect.history import changes_since, moment

    found = changes_since(_held(load_settings(data)), moment(since) if since else None)
    if as_json:
        print_json([vars(change) for change in found])
    else:
        console_crawl.print_changes(found)


def _held(settings: Settings, *, or_begun: bool = False) -> "Store":
    """The data folder's store, if something was crawled into it.

    With `or_begun`, also if a first crawl is at work or was interrupted before it wrote anything.
    """
    from acronis_pipeline.crawl.memory import journal
    from acronis_pipeline.store import open_known, open_store

    if or_begun and journal.has_begun(settings.crawl_dir):
        return open_store(settings)
    store = open_known(settings)
    if store is None or not store.exists("pages"):
        raise EmptyCorpusError(
            f"{settings.data_dir} holds no pages; run `acronis-pipeline crawl run --site URL`, "
            "or name another folder with --data"
        )
    return store
