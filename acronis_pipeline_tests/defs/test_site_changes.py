"""From an edit of the served site to the index: the sensor notices, its run asks for what changed and nothing else."""

import logging
import re
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from acronis_pipeline.api import Answerer
from acronis_pipeline.defs import build_definitions
from acronis_pipeline.defs.assets import synthetic_pairs as defs_of_pairs
from acronis_pipeline.defs.instance import open_instance
from acronis_pipeline.store import tables
from acronis_pipeline_tests.defs.corpus import changed_urls, chunks_of, execute, pairs_of, passages_of
from acronis_pipeline_tests.defs.ticks import requested, skip_reason, tick, urls_of
from acronis_pipeline_tests.finished_run import NOT_YET, FinishedRun

EDITED, ADDED, REMOVED = "docs/bootable-media", NOT_YET, "docs/agents"
NEWS = "The rescue stick also starts on Framework laptops."
PAGE = """\
title: Laptops
description: Which laptops can be started from the rescue stick and backed up.
updated: 2026-11-01
---
<p>Every laptop that starts from a USB stick can be backed up and restored, whoever made it. Secure Boot stays on.</p>
<h2 id="docking">Docking stations</h2>
<p>Restores over the network adapter of a docking station need its driver on the stick.</p>
"""

_REQUEST = re.compile(r'"GET (\S+) ')


@dataclass(frozen=True)
class Corpus:
    """Everything that is held of the pages."""

    chunks: dict[str, dict[str, Any]]
    pairs: dict[str, dict[str, Any]]
    passages: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, finished: FinishedRun) -> "Corpus":
        return cls(chunks_of(finished), pairs_of(finished), passages_of(finished))

    def changed_since(self, before: "Corpus") -> list[set[str]]:
        """Pages whose chunks, pairs and index rows differ."""
        return [changed_urls(getattr(before, name), getattr(self, name)) for name in ("chunks", "pairs", "passages")]


def take_in(finished: FinishedRun, request: dg.RunRequest) -> None:
    """The run that the sensor asked for."""
    assert execute(finished, "index_refresh", request=request).success


@pytest.fixture
def asked(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Paths that the served site is asked for, as its own log has them."""

    class Paths(list[str]):
        def update(self) -> "Paths":
            found = (_REQUEST.search(record.getMessage()) for record in caplog.records)
            self[:] = [match[1] for match in found if match and not match[1].startswith("/no-such-page")]
            caplog.clear()
            return self

    caplog.set_level(logging.DEBUG, logger="acronis_pipeline.sample_site.server")
    return Paths()


def test_an_edited_page_and_nothing_else_is_asked_for_and_changes(copied, asked):
    before = Corpus.of(copied)
    copied.edit(EDITED, "<h2", f"<p>{NEWS}</p>\n<h2")
    first = tick(copied.settings())
    assert set(asked.update()) <= {"/robots.txt", "/sitemap.xml"}
    request = requested(first)
    assert urls_of(request) == [copied.url(EDITED)]
    take_in(copied, request)
    assert sorted(set(asked.update()) - {"/robots.txt", "/sitemap.xml"}) == [f"/{EDITED}/"]
    assert Corpus.of(copied).changed_since(before) == [{copied.url(EDITED)}] * 3
    assert NEWS in Answerer(copied.settings()).ask("Does the rescue stick start on a Framework laptop?", k=5).text
    second = tick(copied.settings(), first.cursor)
    assert "unchanged" in skip_reason(second)
    assert not second.asset_events


def test_an_edit_that_is_taken_back_is_taken_back_in_the_index_too(copied):
    """A → B → A."""
    before = Corpus.of(copied)
    copied.edit(EDITED, "<h2", f"<p>{NEWS}</p>\n<h2")
    there = tick(copied.settings())
    execute(copied, "index_refresh", request=requested(there))
    (copied.edits / f"{EDITED}.html").unlink()
    back = tick(copied.settings(), there.cursor)
    assert urls_of(requested(back)) == [copied.url(EDITED)]
    execute(copied, "index_refresh", request=requested(back))
    assert changed_urls(before.passages, passages_of(copied)) == set()
    assert "unchanged" in skip_reason(tick(copied.settings(), back.cursor))


def test_pages_that_come_and_go_are_taken_in_with_their_own_rows_only(copied):
    before = Corpus.of(copied)
    (copied.edits / ADDED).parent.mkdir(parents=True)
    (copied.edits / f"{ADDED}.html").write_text(PAGE, "utf-8")
    copied.take_down(REMOVED)
    first = tick(copied.settings())
    assert urls_of(requested(first)) == sorted([copied.url(ADDED), copied.url(REMOVED)])
    take_in(copied, requested(first))
    assert Corpus.of(copied).changed_since(before) == [{copied.url(ADDED)}] * 3
    page = copied.store.read(tables.PAGES, where=f"url = '{copied.url(REMOVED)}'").to_pylist()[0]
    assert (page["missing_count"], page["gone_at"]) == (1, None)
    assert "unchanged" in skip_reason(tick(copied.settings(), first.cursor))
    execute(copied, "index_refresh")  # the nightly one confirms that the page is gone
    assert changed_urls(before.chunks, chunks_of(copied)) == {copied.url(ADDED), copied.url(REMOVED)}
    assert changed_urls(before.passages, passages_of(copied)) == {copied.url(ADDED), copied.url(REMOVED)}


def staleness(finished: FinishedRun, asset: str) -> tuple[StaleStatus, list[str]]:
    """What the UI shows for an asset: in sync or not, and why."""
    with open_instance(finished.settings()) as instance:
        graph = build_definitions(finished.settings()).resolve_asset_graph()
        resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
        causes = [cause.reason for cause in resolver.get_stale_root_causes(dg.AssetKey(asset))]
        return resolver.get_status(dg.AssetKey(asset)), causes


def report(finished: FinishedRun, result: dg.SensorResult) -> None:
    """Record what a tick reports of the website, as the daemon does before it launches the tick's runs."""
    with open_instance(finished.settings()) as instance:
        for event in result.asset_events:
            assert isinstance(event, dg.AssetMaterialization)
            instance.report_runless_asset_event(event)


def test_raw_pages_is_in_sync_again_after_the_run_that_the_sensor_asked_for(copied):
    looked = tick(copied.settings())
    report(copied, looked)
    assert staleness(copied, "raw_pages") == (StaleStatus.FRESH, [])
    copied.edit(EDITED, "<h2", f"<p>{NEWS}</p>\n<h2")
    noticed = tick(copied.settings(), looked.cursor)
    report(copied, noticed)
    assert staleness(copied, "raw_pages") == (StaleStatus.STALE, ["has a new data version"])
    take_in(copied, requested(noticed))
    assert staleness(copied, "raw_pages") == (StaleStatus.FRESH, [])
    report(copied, tick(copied.settings(), noticed.cursor))
    execute(copied, "index_refresh")  # the nightly one
    assert staleness(copied, "raw_pages") == (StaleStatus.FRESH, [])


def test_questions_that_fail_their_check_do_not_hold_up_the_index(copied, monkeypatch):
    monkeypatch.setattr(defs_of_pairs, "MIN_KEPT", 10**6)
    copied.edit(EDITED, "<h2", f"<p>{NEWS}</p>\n<h2")
    result = execute(copied, "index_refresh", request=requested(tick(copied.settings())), raise_on_error=False)
    assert not result.success
    assert NEWS in Answerer(copied.settings()).ask("Does the rescue stick start on a Framework laptop?", k=5).text
    ended = [event.step_key for event in result.all_events if event.event_type == dg.DagsterEventType.STEP_SUCCESS]
    assert ended.index("lancedb_index") < ended.index("synthetic_pairs")
