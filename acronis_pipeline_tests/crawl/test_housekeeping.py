"""The data folder stays as small as what it holds."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from acronis_pipeline import store as store_module
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl import crawl
from acronis_pipeline.crawl.memory import archive
from acronis_pipeline.crawl.memory.plan import History
from acronis_pipeline.crawl.memory.records import html_of
from acronis_pipeline.crawl.running import crawl_run
from acronis_pipeline.store import Store, tables
from acronis_pipeline_tests.crawl.conftest import Html, Rows
from acronis_pipeline_tests.crawl.website import Website

Build = Callable[..., SiteSettings]


def size_of(folder: Path) -> tuple[int, int]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in files), len(files)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "KEEP_VERSIONS_FOR", dt.timedelta(milliseconds=1))
    monkeypatch.setattr(store_module, "MANY_VERSIONS", 4)


def test_twenty_recrawls_with_nothing_changed_do_not_make_the_folder_grow(
    site: Website, store: Store, settings: Build, tmp_path: Path
) -> None:
    site.page("/", *(f"/{n}" for n in range(30)), etag=False)
    for n in range(30):
        site.page(f"/{n}", text=f"{n} " * 500)
    sizes = []
    for _ in range(21):
        crawl(store, settings(), journal_dir=tmp_path / "crawl")
        sizes.append(size_of(tmp_path / "lancedb"))
    assert max(sizes[10:]) < (1.1 * max(sizes[:10])[0], 0)
    assert store.version(tables.PAGE_VERSIONS) <= 2


def test_a_page_keeps_so_many_contents_and_its_current_one(
    site: Website, store: Store, settings: Build, live: Rows, html: Html
) -> None:
    for n in (1, 2, 3, 4, 5, 1):  # back to the first at last
        site.page("/", text=f"Version {n}.")
        crawl(store, settings(keep_versions=3))
    kept = store.read(tables.PAGE_VERSIONS).column("html").to_pylist()
    assert sorted(next(n for n in range(1, 6) if f"Version {n}." in text) for text in kept) == [1, 4, 5]
    assert "Version 1." in html("/")
    events = store.read(tables.PAGE_CHANGES).to_pylist()
    assert [event["what"] for event in sorted(events, key=lambda event: event["seen_at"])] == ["new", *["changed"] * 5]


def test_what_nothing_leads_to_any_more_is_forgotten(site: Website, store: Store, settings: Build) -> None:
    site.page("/", "/a", "/missing", "/hidden")
    site.page("/a", "/")
    site.page("/hidden", "/a", "/b", head='<meta name="robots" content="noindex">')
    site.page("/b")
    crawl(store, settings())
    assert store.count(tables.VISITS) == 5
    site.page("/", "/a", "/b")
    crawl(store, settings(full_sweep_days=0))
    visited = store.read(tables.VISITS, columns=["url", "links_id"]).to_pylist()
    assert {row["url"] for row in visited} == {site.at(path) for path in ("/", "/a", "/b")}
    lists = store.read(tables.LINK_LISTS).column("links_id").to_pylist()
    assert set(lists) == {row["links_id"] for row in visited} - {None}


def test_writes_are_few_however_many_pages(
    site: Website, store: Store, settings: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "BATCH_VISITS", 20)
    site.page("/", *(f"/{n}" for n in range(50)))
    for n in range(50):
        site.page(f"/{n}")
    crawl(store, settings())
    assert store.version(tables.PAGES) <= 6
    contents = {row["url"]: row["content_hash"] for row in store.read(tables.PAGES).to_pylist()}
    assert len(html_of(store, contents)) == 51


def test_summaries_of_old_crawls_go_but_not_the_last_sweeps(
    site: Website, store: Store, settings: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crawl_run, "KEEP_CRAWLS", 3)
    monkeypatch.setattr(crawl_run, "KEEP_SWEEPS", 1)
    site.page("/")
    for only in (None, None, *[[site.url]] * 4):
        crawl(store, settings(), only=only)
    kept = [past["mode"] for past in History.of(store).crawls]
    assert kept == ["changes", "changes", "changes", "sweep"]
