"""What a crawl shows in the Dagster UI, and what its checks say: raw_pages alone, on a small website."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from acronis_pipeline.core.settings import ENV_PREFIX, Settings, load_settings
from acronis_pipeline.defs import build_definitions
from acronis_pipeline.defs.assets import raw_pages
from acronis_pipeline.defs.instance import open_instance
from acronis_pipeline.store import Store, tables
from acronis_pipeline_tests.crawl.website import Website
from acronis_pipeline_tests.finished_run import set_environment
from acronis_pipeline_tests.needs import needs

_QUIET = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}


@pytest.fixture
@needs("server")
def site() -> Iterator[Website]:
    website = Website()
    website.page("/", "/a", "/b", "/c", "/d")
    for path in "abcd":
        website.page(f"/{path}")
    yield website
    website.close()


@pytest.fixture
def settings(site: Website, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    # `prepare_home` sets these two for good; set here first, they are restored after the test.
    set_environment(monkeypatch, {"DAGSTER_HOME": str(tmp_path), f"{ENV_PREFIX}DATA_DIR": str(tmp_path)})
    return load_settings(tmp_path, site={"url": site.url, "retries": 0})


def materialize(settings: Settings, **config: Any) -> tuple[dg.ExecuteInProcessResult, list[str]]:
    """A run of raw_pages with its checks, and what its log says."""
    selection = dg.AssetSelection.assets("raw_pages")
    job = dg.define_asset_job("crawl_alone", selection=selection)
    definitions = dg.Definitions.merge(build_definitions(settings), dg.Definitions(jobs=[job]))
    run_config = {**_QUIET, "ops": {"raw_pages": {"config": config}}}
    with open_instance(settings) as instance:
        result = definitions.resolve_job_def("crawl_alone").execute_in_process(
            instance=instance, run_config=run_config, raise_on_error=False
        )
        log = [entry.user_message for entry in instance.all_logs(result.run_id) if not entry.is_dagster_event]
    return result, log


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """What the materialization says; tables as their records."""
    (event,) = result.asset_materializations_for_node("raw_pages")
    return {
        name: value.records if isinstance(value, dg.TableMetadataValue) else value.value
        for name, value in event.metadata.items()
    }


def check(result: dg.ExecuteInProcessResult, name: str) -> dg.AssetCheckEvaluation:
    (evaluation,) = (each for each in result.get_asset_check_evaluations() if each.check_name == name)
    return evaluation


def publish(settings: Settings, *urls: str) -> None:
    """Let the chunks be made from these pages."""
    rows = tables.CHUNKS.rows([{"chunk_id": url, "url": url} for url in urls])
    Store(settings.store_uri).upsert(tables.CHUNKS, rows)


def test_metadata_tells_what_the_crawl_did(settings: Settings, site: Website):
    materialize(settings)
    site.page("/a", text="Edited.")
    site.page("/d", head='<meta name="robots" content="noindex">')
    told = metadata(materialize(settings)[0])
    assert (told["new"], told["content_changed"], told["unchanged"], told["gone"]) == (0, 1, 3, 1)
    assert told["mode"] in {"sweep", "incremental"}
    assert told["not_modified"] == 3
    assert "- 4 pages are live (1 changed, 1 gone), 5 before." in told["summary"].splitlines()
    assert told["plot"].startswith("![plot](data:image/png;base64,")
    assert {"missing", "trusted", "resumed", "empty_without_javascript_share", "failed", "skipped"} <= told.keys()
    examples = [(record.data["what"], record.data["url"]) for record in told["examples"]]
    assert examples[0] == ("changed", site.at("/a"))


def test_progress_of_the_crawl_is_in_the_runs_log(settings: Settings):
    _, log = materialize(settings)
    assert any("5 pages live (5 new" in line for line in log)


def test_outage_fails_the_blocking_check_with_the_remedy_until_a_person_accepts_it(settings: Settings, site: Website):
    materialize(settings)
    publish(settings, *map(site.at, ["/", "/a", "/b", "/c", "/d"]))
    for path in "abcd":
        del site.routes[f"/{path}"]
    result, _ = materialize(settings)
    verdict = check(result, "site_is_there")
    assert not verdict.passed
    assert verdict.blocking
    for words in ("4 of 5 pages vanished at once", "crawl run --accept-vanished", "raw_pages with accept_vanished"):
        assert words in (verdict.description or "")
    assert "Taken for an outage" in metadata(result)["summary"]
    accepted, _ = materialize(settings, accept_vanished=True)
    assert check(accepted, "site_is_there").passed
    assert metadata(accepted)["gone"] == 4
    assert check(materialize(settings)[0], "site_is_there").passed


def test_pages_that_went_otherwise_are_missed_when_they_are_most_of_what_is_published(
    settings: Settings, site: Website
):
    publish(settings, *(site.at(f"/{n}") for n in range(11)))
    verdict = check(materialize(settings)[0], "site_is_there")
    assert not verdict.passed
    assert "5 pages, 11 published: looks like an outage" in (verdict.description or "")


def test_failures_are_a_warning_with_their_reasons_and_broken_links_are_none(settings: Settings, site: Website):
    site.page("/", "/a", "/b", "/c", "/d", "/broken", "/shell")
    calm = check(materialize(settings)[0], "most_pages_answer")
    assert calm.passed
    site.html(
        "/shell", "<html><head><title>App</title></head><body><div id=app></div><script>go()</script></body></html>"
    )
    result, _ = materialize(settings)
    verdict = check(result, "most_pages_answer")
    assert result.success
    assert not verdict.passed
    assert verdict.severity is dg.AssetCheckSeverity.WARN
    assert "empty without JavaScript: 16.7%" in (verdict.description or "")
    table = verdict.metadata["problems"]
    assert isinstance(table, dg.TableMetadataValue)
    assert any("site.render = auto" in str(record.data["problem"]) for record in table.records)
    assert metadata(result)["empty_without_javascript_share"] == pytest.approx(1 / 6, abs=1e-3)


def test_check_before_the_first_crawl_says_that_there_are_no_pages(settings: Settings):
    job = dg.define_asset_job("check_alone", selection=dg.AssetSelection.checks(raw_pages.site_is_there))
    definitions = dg.Definitions.merge(build_definitions(settings), dg.Definitions(jobs=[job]))
    with open_instance(settings) as instance:
        result = definitions.resolve_job_def("check_alone").execute_in_process(
            instance=instance, run_config=_QUIET, raise_on_error=False
        )
    assert "0 pages, 0 published" in (check(result, "site_is_there").description or "")
