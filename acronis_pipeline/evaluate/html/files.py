"""Where pages are kept: a file a report, in one folder."""

import logging
from pathlib import Path

from acronis_pipeline import files, schemas
from acronis_pipeline.embedding import Embedder
from acronis_pipeline.evaluate.html.page import Links, render
from acronis_pipeline.evaluate.report import Report
from acronis_pipeline.evaluate.stored import REPORTS_TABLE
from acronis_pipeline.store import Store

_log = logging.getLogger(__name__)


def report_file(folder: Path, report_id: str) -> Path:
    """The page of a report, whether it is there or not."""
    return folder / f"{report_id}.html"


def publish(
    folder: Path,
    store: Store,
    report: Report,
    *,
    base: Embedder | None = None,
    fine_tuned: Embedder | None = None,
    links: Links | None = None,
) -> str:
    """Write a report's page (arguments as for `render`), and drop the pages of reports that the store dropped.

    Raises
    ------
    OutputError
        If the folder cannot be written to.
    """
    page = render(store, report, base=base, fine_tuned=fine_tuned, links=links)
    file = report_file(folder, report.report_id)
    files.write_text(file, page)
    _log.info("report %s of recipe %s: %s", report.report_id, report.recipe, file)
    _prune(folder, store)
    return page


def _prune(folder: Path, store: Store) -> None:
    kept = set(store.read(REPORTS_TABLE, schemas.REPORTS, columns=["report_id"]).column("report_id").to_pylist())
    for file in folder.glob("*.html"):
        if file.stem not in kept:
            file.unlink(missing_ok=True)
