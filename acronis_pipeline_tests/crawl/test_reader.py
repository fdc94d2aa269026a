"""Where pages are read: here while they are few, in other processes when they are many, PDFs beside both."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from acronis_pipeline.content import pdf
from acronis_pipeline.content.extractor import Extractors
from acronis_pipeline.core.errors import SettingsError
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl import crawl
from acronis_pipeline.crawl.fetching.fetch import Answer
from acronis_pipeline.crawl.judging import verdict
from acronis_pipeline.crawl.running import reader
from acronis_pipeline.store import Store
from acronis_pipeline_tests.crawl.conftest import Rows
from acronis_pipeline_tests.crawl.website import Reply, Website

Build = Callable[..., SiteSettings]


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every page is read in another process."""
    monkeypatch.setattr(reader, "LONG_BYTES", 0)


def without_times(rows: dict[str, dict[str, object]]) -> dict[str, dict[str, object]]:
    return {url: {name: row[name] for name in ("content_hash", "title", "language")} for url, row in rows.items()}


def test_pages_read_elsewhere_are_the_same_pages(
    site: Website, store: Store, settings: Build, live: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in ("/", "/a", "/b"):
        site.page(path, "/a", "/b", "/hidden", etag=False)
    site.page("/hidden", head='<meta name="robots" content="noindex">')
    crawl(store, settings())
    here = without_times(live())
    monkeypatch.setattr(reader, "LONG_BYTES", 0)
    result = crawl(store, settings())
    assert (result.unchanged, result.skipped) == (3, {"noindex": 1})
    assert without_times(live()) == here


def test_a_small_site_starts_no_process(
    site: Website, store: Store, settings: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise AssertionError

    monkeypatch.setattr(Extractors, "extract", refuse)
    paths = [f"/{n}" for n in range(20)]
    for path in ("/", *paths):
        site.page(path, *paths)
    assert crawl(store, settings()).failed == {}


def test_many_pages_that_wait_are_read_elsewhere(
    site: Website, store: Store, settings: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "N_READ_HERE", 5)
    read = []
    extract = Extractors.extract

    def noted(self: Extractors, html: str, *, url: str, selector: str | None = None) -> object:
        read.append(url)
        return extract(self, html, url=url, selector=selector)

    monkeypatch.setattr(Extractors, "extract", noted)
    paths = [f"/{n}" for n in range(40)]
    for path in ("/", *paths):
        site.page(path, *paths)
    assert crawl(store, settings(concurrency=8)).new == 41
    assert 0 < len(read) <= 36


@pytest.mark.usefixtures("elsewhere")
def test_a_page_that_hangs_its_reader_costs_that_page(
    site: Website, store: Store, settings: Build, live: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "READ_LIMIT_S", 0.5)
    site.page("/", "/slow", "/a")
    site.page("/a")
    site.html("/slow", "<main>" + "<p>word" * 1_200_000)
    assert crawl(store, settings()).failed == {"unreadable": 1}
    assert live().keys() == {"/", "/a"}


@pytest.mark.usefixtures("elsewhere")
def test_a_bad_selector_fails_as_loudly_elsewhere(site: Website, store: Store, settings: Build) -> None:
    site.page("/")
    with pytest.raises(SettingsError):
        crawl(store, settings().model_copy(update={"content_selector": "main >"}))


def test_slow_pdfs_do_not_hold_up_pages(
    site: Website, store: Store, settings: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    pdfs = [f"/{n}.pdf" for n in range(3)]
    pages = [f"/{n}" for n in range(20)]
    site.page("/", *pdfs, *pages)
    for path in pages:
        site.page(path)
    for path in pdfs:
        site.routes[path] = Reply(200, pdf.MAGIC, {"Content-Type": "application/pdf"})
    read: list[str] = []
    all_pages_read = threading.Event()
    page_read = verdict.read

    def noted(answer: Answer, *args: Any, **options: Any) -> verdict.Reading:
        if answer.url.endswith(".pdf"):
            all_pages_read.wait(5)
        read.append(answer.url)
        if len(read) == 21:
            all_pages_read.set()
        return page_read(answer, *args, **options)

    monkeypatch.setattr(verdict, "read", noted)
    crawl(store, settings(concurrency=2))
    assert len(read) == 24
    assert all(url.endswith(".pdf") for url in read[-3:])
