"""The whole page of one report: everything it shows, gathered from the store and handed to the template.

Pages are kept in one folder, a file a report.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from acronis_pipeline.core import files
from acronis_pipeline.encoders import Encoder
from acronis_pipeline.evaluate.metrics import short_name
from acronis_pipeline.evaluate.report import Report
from acronis_pipeline.evaluate.stored import VERSION
from acronis_pipeline.index import IndexedModel
from acronis_pipeline.reporting import embedding_map, questions, rendering, sections
from acronis_pipeline.reporting.rendering import fill
from acronis_pipeline.reporting.view import ReportView
from acronis_pipeline.store import tables

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Links:
    """Where else a report is to be found; None where it is not known."""

    mlflow: str | None = None
    dagster: str | None = None


_NOWHERE_ELSE = Links()
_NO_MODELS: Mapping[str, Encoder] = {}


def render(view: ReportView, encoders: Mapping[str, Encoder] = _NO_MODELS, links: Links = _NOWHERE_ELSE) -> str:
    """The report as one HTML page that needs nothing else: no network, no script, no file beside it.

    Parameters
    ----------
    encoders
        The models of the systems `base` and `fine_tuned`, to place two dozen questions on the embedding map; without
        them there is none.
    """
    store, report, judged = view.store, view.report, view.verdict
    asked = questions.asked_questions(view.results)
    systems = [system.name for system in report.systems]
    table = report.systems[0].table
    looked_at = [system for system in dict.fromkeys((judged.favoured, "hybrid", "fine_tuned")) if system in systems][:2]
    # A model other than the report's would draw another report's map.
    models = {
        score.system.name: IndexedModel(score.system.table, encoder)
        for score in report.scores
        if (encoder := encoders.get(score.system.name)) and encoder.identity.model_id == score.model_id
    }
    tuned = {"fine_tuned", "base"} <= set(systems)
    return fill(
        "report.html",
        report=report,
        created=datetime.fromisoformat(report.created_at),
        links=links,
        verdict=judged,
        favoured=report.score(judged.favoured, judged.question_set),
        systems=systems,
        style_of=rendering.styles([*systems, "base", "fine_tuned"]),
        tables=sections.set_tables(report),
        metric_name=short_name,
        systems_chart=sections.systems_chart(report),
        differences=sections.differences_chart(report),
        depth=sections.depth_panels(report),
        slices=sections.slices(report),
        sets=sections.SETS,
        win_loss=sections.wins_and_losses(asked),
        map=embedding_map.draw(store, asked, models),
        misses=questions.misses(store, table, asked, looked_at),
        changes=questions.changes(store, table, asked, "fine_tuned", "base") if tuned else (),
        forgetting=sections.forgetting_chart(report),
        models=_models(report, models),
        version=VERSION,
    )


def _models(report: Report, models: dict[str, IndexedModel]) -> list[tuple[str, str, str | None]]:
    """System, id and base (where it is known) of every model that was compared."""
    identities = [model.encoder.identity for model in models.values()]
    base_of = {identity.model_id: identity.described for identity in identities}
    first_with = {score.model_id: score.system.name for score in reversed(report.scores) if score.model_id}
    return [(system, model_id, base_of.get(model_id)) for model_id, system in reversed(first_with.items())]


def report_file(folder: Path, report_id: str) -> Path:
    """The page of a report, whether it is there or not."""
    return folder / f"{report_id}.html"


def publish(
    folder: Path, view: ReportView, encoders: Mapping[str, Encoder] = _NO_MODELS, links: Links = _NOWHERE_ELSE
) -> str:
    """Write a report's page (arguments as for `render`), and drop the pages of reports that the store dropped.

    Raises
    ------
    OutputError
        If the folder cannot be written to.
    """
    page, report = render(view, encoders, links), view.report
    file = report_file(folder, report.report_id)
    files.write_text(file, page)
    _log.info("report %s of recipe %s: %s", report.report_id, report.recipe, file)
    kept = set(view.store.read(tables.REPORTS, columns=["report_id"]).column("report_id").to_pylist())
    for known in folder.glob("*.html"):
        if known.stem not in kept:
            known.unlink(missing_ok=True)
    return page
