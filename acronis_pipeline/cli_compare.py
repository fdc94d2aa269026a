"""`acronis-pipeline compare`: the comparison that MLflow shows, in the terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from acronis_pipeline.cli_options import DataOption, JsonOption, print_json
from acronis_pipeline.errors import UnknownRunError
from acronis_pipeline.schemas import METRICS
from acronis_pipeline.settings import load_settings

if TYPE_CHECKING:
    from acronis_pipeline.compare import Selected
    from acronis_pipeline.tracking import Tracker

RunsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RUN]...",
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
    from acronis_pipeline import console_compare
    from acronis_pipeline.compare import compare, select
    from acronis_pipeline.store import open_known
    from acronis_pipeline.tracking import Tracker

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
        print_json(console_compare.as_json(found, link))
    else:
        console_compare.print_side_by_side(found, metric or console_compare.HEADLINE, link)


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
