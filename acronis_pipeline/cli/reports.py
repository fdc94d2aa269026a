"""`acronis-pipeline report` and `compare`: the page of the newest report, and what MLflow compares, in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from acronis_pipeline.cli.terminal import DataOption, JsonOption, load_settings, opened, print_json, print_table
from acronis_pipeline.core import files
from acronis_pipeline.core.errors import UnknownRunError

if TYPE_CHECKING:
    from acronis_pipeline.core.settings import Settings
    from acronis_pipeline.evaluate import Report
    from acronis_pipeline.store import Store
    from acronis_pipeline.tracking import Tracker
    from acronis_pipeline.tracking.compare import Row, Selected, SideBySide


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
    store = opened(settings, _nothing(None, settings))
    found = _newest(store, recipe, settings)
    file = report_file(settings.reports_dir, found.report_id)
    page = file.read_text("utf-8") if file.exists() else _make(store, found, settings)
    if out:
        files.write_text(out, page)
    typer.echo(out or file)
    if open_it:
        typer.launch(str(out or file))


def _newest(store: Store, recipe: str | None, settings: Settings) -> Report:
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


def _make(store: Store, report: Report, settings: Settings) -> str:
    """The page of a report that has none, such as one whose file was deleted; the models are loaded for its map."""
    from acronis_pipeline.evaluate import mlflow_run
    from acronis_pipeline.models.indexed import indexed_base, indexed_model
    from acronis_pipeline.models.records import current_model
    from acronis_pipeline.reporting import Links, ReportView, publish
    from acronis_pipeline.tracking import Tracker

    record = current_model(store, report.recipe)
    encoders = {}
    if record and record.folder.is_dir():
        base, tuned = indexed_base(record, settings.model), indexed_model(record, settings.model)
        encoders = {"base": base.encoder, "fine_tuned": tuned.encoder}
    run_id = mlflow_run(store, report.report_id)
    links = Links(mlflow=Tracker.of(settings).url(run_id)) if run_id else Links()
    return publish(settings.reports_dir, ReportView(store, report), encoders, links)


RunsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="RUN",
        help="A recipe (full; full~1 is its report before the newest), a report's or MLflow run's id or its beginning; "
        "/system takes one system of it (full/hybrid). The newest report of every recipe by default.",
        show_default=False,
    ),
]
MetricOption = Annotated[
    list[str] | None,
    typer.Option("--metric", help="Metric to show, such as recall_at_5; may be repeated.", show_default=False),
]


def compare(
    runs: RunsArgument = None, metric: MetricOption = None, data: DataOption = None, as_json: JsonOption = False
) -> None:
    """Set reports side by side, with the differences from the first and paired tests of nDCG@10."""
    from acronis_pipeline.evaluate.metrics import METRICS
    from acronis_pipeline.tracking import Tracker
    from acronis_pipeline.tracking.compare import compare, select

    for name in metric or ():
        if name not in METRICS:
            raise UnknownRunError(f"{name!r} is no metric; known are {', '.join(METRICS)}")
    settings = load_settings(data)
    missing = UnknownRunError(
        f"{settings.data_dir} holds no report to compare; run `acronis-pipeline demo` or `run` first, or name another "
        "folder with --data"
    )
    store, tracker = opened(settings, missing), Tracker.of(settings)
    selected = select(store, runs or (), lambda: tracker.find("tags.stage = 'eval_report'"))
    found = compare(store, selected)
    link = _mlflow_page(tracker, selected)
    if as_json:
        print_json(comparison_as_json(found, link))
    else:
        print_side_by_side(found, metric or HEADLINE, link)


def _mlflow_page(tracker: Tracker, selected: Sequence[Selected]) -> str | None:
    """Where MLflow compares the same: runs of reports, or of single systems; None for fewer than two."""
    run_ids: dict[str, None] = {}
    for one in selected:
        if one.system:
            of_system = f"tags.report_id = '{one.report.report_id}' AND tags.system = '{one.system}'"
            run_ids |= dict.fromkeys(run.run_id for run in tracker.find(of_system))
        elif one.mlflow_run_id:
            run_ids[one.mlflow_run_id] = None
    return tracker.comparison_url(list(run_ids)) if len(run_ids) > 1 else None


HEADLINE = ("hit_rate_at_1", "hit_rate_at_5", "hit_rate_at_10", "mrr_at_10", "ndcg_at_10")
_ID = 8


def print_side_by_side(found: SideBySide, metrics: Sequence[str], link: str | None) -> None:
    """The reports with their letters, a table per set of questions, then what is to be borne in mind."""
    for one in found.selected:
        typer.echo(_heading(one))
    for question_set, rows in groupby(found.rows, key=lambda row: row.question_set):
        typer.echo(f"\n{question_set} questions")
        _print_table(list(rows), metrics, found.selected[0].label)
    if found.notes:
        typer.echo()
    for note in found.notes:
        typer.echo(note)
    if link:
        typer.echo(f"\nIn MLflow: {link}")


def comparison_as_json(found: SideBySide, link: str | None) -> dict[str, Any]:
    return {
        "reports": [
            {
                "label": one.label,
                "recipe": one.report.recipe,
                "system": one.system,
                "report_id": one.report.report_id,
                "created_at": one.report.created_at,
                "questions_id": one.report.questions_id,
                "mlflow_run_id": one.mlflow_run_id,
            }
            for one in found.selected
        ],
        "rows": [asdict(row) for row in found.rows],
        "notes": list(found.notes),
        "mlflow_url": link,
    }


def _heading(one: Selected) -> str:
    named = f"{one.report.recipe}/{one.system}" if one.system else one.report.recipe
    run = f"  MLflow run {one.mlflow_run_id[:_ID]}" if one.mlflow_run_id else ""
    return f"{one.label}  {named}  {one.report.created_at[:16]}  report {one.report.report_id[:_ID]}{run}"


def _print_table(rows: Sequence[Row], metrics: Sequence[str], first: str) -> None:
    lines: list[list[str]] = []
    for system, group in groupby(rows, key=lambda row: row.system):
        for position, row in enumerate(group):
            values = [_value(row, metric) for metric in metrics]
            lines.append(["" if position else system, row.label, *values, str(row.n), _paired(row)])
    from acronis_pipeline.evaluate.metrics import short_name

    header = ["system", "", *map(short_name, metrics), "n", f"nDCG@10 against {first}"]
    print_table(lines, header, n_left=len(header))


def _value(row: Row, metric: str) -> str:
    value = row.metrics.get(metric)
    if value is None:
        return "–"
    difference = (row.differences or {}).get(metric)
    return f"{value:.3f}" if difference is None else f"{value:.3f} {_signed(difference)}"


def _signed(difference: float) -> str:
    """A difference that is shown as zero has no sign."""
    return "=" if round(difference, 3) == 0 else f"{difference:+.3f}"


def _paired(row: Row) -> str:
    if row.paired is None:
        return ""
    if row.paired.low == row.paired.high == 0.0:
        return "equal on every question"
    p = "p < 0.001" if row.paired.p_value < 0.001 else f"p = {row.paired.p_value:.3f}"
    return f"[{row.paired.low:+.3f}, {row.paired.high:+.3f}]  {p}"
