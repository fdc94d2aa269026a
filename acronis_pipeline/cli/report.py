"""`acronis-pipeline report`: the page of the newest report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from acronis_pipeline.cli.options import DataOption
from acronis_pipeline.core import files
from acronis_pipeline.core.errors import UnknownRunError
from acronis_pipeline.core.settings import Settings, load_settings

if TYPE_CHECKING:
    from acronis_pipeline.evaluate import Report
    from acronis_pipeline.reporting import Links
    from acronis_pipeline.store import Store


def report(
    recipe: Annotated[
        str | None, typer.Argument(help="The newest report of this recipe; of any by default.", show_default=False)
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Copy the page to this file.", show_default=False)] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
    data: DataOption = None,
) -> None:
    """Print where the newest report's page is: one HTML file that needs nothing else."""
    from acronis_pipeline.reporting import report_file

    settings = load_settings(data)
    store = _opened(settings)
    found = _newest(store, recipe, settings)
    file = report_file(settings.reports_dir, found.report_id)
    page = file.read_text("utf-8") if file.exists() else _make(store, found, settings)
    if out:
        files.write_text(out, page)
    typer.echo(out or file)
    if open_it:
        typer.launch(str(out or file))


def _opened(settings: Settings) -> "Store":
    from acronis_pipeline.store import open_known

    if store := open_known(settings):
        return store
    raise _nothing(None, settings)


def _newest(store: "Store", recipe: str | None, settings: Settings) -> "Report":
    from acronis_pipeline.evaluate import latest_report, latest_reports

    reports = [latest_report(store, recipe)] if recipe else latest_reports(store)
    newest = max((report for report in reports if report), key=lambda report: report.created_at, default=None)
    if newest is None:
        raise _nothing(recipe, settings)
    return newest


def _nothing(recipe: str | None, settings: Settings) -> UnknownRunError:
    asset = f"eval_report[{recipe}]" if recipe else "eval_report of a recipe"
    return UnknownRunError(
        f"{settings.data_dir} has no report{f' of recipe {recipe}' if recipe else ''}; materialize {asset}, run "
        "`acronis-pipeline demo`, or name another folder with --data"
    )


def _make(store: "Store", report: "Report", settings: Settings) -> str:
    """The page of a report that has none, such as one whose file was deleted; the models are loaded for its map."""
    from acronis_pipeline.models.indexed import indexed_base, indexed_model
    from acronis_pipeline.models.records import current_model
    from acronis_pipeline.reporting import publish

    record = current_model(store, report.recipe)
    models = {}
    if record and record.folder.is_dir():
        indexed_models = {
            "base": indexed_base(record, settings.model),
            "fine_tuned": indexed_model(record, settings.model),
        }
        models = {name: indexed.encoder for name, indexed in indexed_models.items()}
    return publish(settings.reports_dir, store, report, **models, links=_links(store, report, settings))


def _links(store: "Store", report: "Report", settings: Settings) -> "Links":
    from acronis_pipeline.evaluate import mlflow_run
    from acronis_pipeline.reporting import Links
    from acronis_pipeline.tracking import Tracker

    run_id = mlflow_run(store, report.report_id)
    return Links(mlflow=Tracker.of(settings).url(run_id)) if run_id else Links()
