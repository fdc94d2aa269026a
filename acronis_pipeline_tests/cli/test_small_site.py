"""A site of a few pages: nothing can be learned or measured from it, and its customers are answered all the same."""

import json
from pathlib import Path

import pytest

from acronis_pipeline_tests.cli.conftest import Command

pytestmark = [pytest.mark.model, pytest.mark.server]

PAGES = {
    "Trial period": "The trial lasts thirty days and includes every feature. No payment card is needed to begin it.",
    "Retention": "Backups are kept for ninety days by default. Older copies are removed at night.",
    "Recovery objectives": "The recovery point objective is fifteen minutes for servers and one hour for laptops.",
}


def test_site_of_three_pages_ends_with_an_index_an_honest_report_and_answers(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # `run` sets these two for good; set here first, they are restored after the test.
    for name in ("DAGSTER_HOME", "ACRONIS_PIPELINE_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "data"))
    site = tmp_path / "site"
    site.mkdir()
    for number, (title, text) in enumerate(PAGES.items(), start=1):
        page = f"<title>{title}</title><main><h1>{title}</h1><p>{text}</p><h2>In short</h2><p>{text}</p></main>"
        (site / f"{number}.html").write_text(page, "utf-8")
    ended = command("run", "--site", str(site), "--data", str(tmp_path / "data"), "--recipe", "query_adapter")
    assert ended.code == 0, ended.err
    assert "Too few pages to measure" in " ".join(ended.out.split())
    asked = command("ask", "How long does the trial last?", "--data", str(tmp_path / "data"), "--json")
    assert "thirty days" in json.loads(asked.out)["answer"]
