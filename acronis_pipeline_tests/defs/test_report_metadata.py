"""What `eval_report` shows in Dagster: the verdict first, and the way to the page."""

from pathlib import Path

import dagster as dg

from acronis_pipeline import evaluate, reporting
from acronis_pipeline.defs.instance import open_instance
from acronis_pipeline_tests.finished_run import RECIPE, FinishedRun


def test_metadata_begin_with_the_verdict_and_lead_to_the_page(finished: FinishedRun) -> None:
    (report,) = finished.outcome.reports
    with open_instance(finished.settings()) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey("eval_report"))
    assert event
    assert event.asset_materialization
    shown = event.asset_materialization.metadata
    assert list(shown)[:4] == ["changed", "verdict", "report", "report_file"]
    assert str(shown["verdict"].value).startswith("**")
    file = reporting.report_file(finished.settings().reports_dir, report.report_id)
    assert Path(str(shown["report_file"].value)) == file
    page = file.read_text("utf-8")
    assert f"Evaluation of recipe <code>{RECIPE}</code>" in page
    assert 'id="map"' in page
    run_id = evaluate.mlflow_run(finished.store, report.report_id)
    assert str(shown["report"].value).endswith(f"/runs/{run_id}/artifactPath/report.html")
    assert finished.tracker.url(run_id or "") in page
    assert [file.path for file in finished.tracker.client.list_artifacts(run_id) if file.path == "report.html"]
