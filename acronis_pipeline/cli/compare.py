"""`acronis-pipeline compare`: the comparison that MLflow shows, in the terminal or as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer

from acronis_pipeline.cli.options import DataOption, JsonOption
from acronis_pipeline.cli.output import print_json, print_table
from acronis_pipeline.core.errors import UnknownRunError
from acronis_pipeline.core.settings import load_settings
from acronis_pipeline.evaluate.metrics import METRICS, short_name
from acronis_pipeline.tracking.compare import Row, Selected, SideBySide

if TYPE_CHECKING:
    from acronis_pipeline.tracking import Tracker
    from acronis_pipeline.tracking.compare import Selected

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

    from acronis_pipeline.store import open_known
    from acronis_pipeline.tracking import Tracker
    from acronis_pipeline.tracking.compare import compare, select

    for name in metric or ():
        if name not in METRICS:
            raise UnknownRunError(f"{name!r} is no metric; known are {', '.join(METRICS)}")
    settings = load_settings(data)
    store, tracker = open_known(settings), Tracker.of(settings)
    if store is None:
        raise UnknownRunError(
            f"{settings.data_dir} holds no report to compare; run `acronis-pipeline demo` or `run` first, or name "
            "another folder with --data"
        )
    selected = select(store, runs or (), lambda: tracker.find("tags.stage = 'eval_report'"))
    found = compare(store, selected)
    link = _mlflow_page(tracker, selected)
    if as_json:
        print_json(comparison_as_json(found, link))
    else:
        print_side_by_side(found, metric or HEADLINE, link)


def _mlflow_page(tracker: "Tracker", selected: Sequence["Selected"]) -> str | None:
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
