from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from acronis_pipeline.core import retries
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl import live_pages
from acronis_pipeline.crawl.memory.records import html_of
from acronis_pipeline.store import Store
from acronis_pipeline_tests.crawl.website import Website
from acronis_pipeline_tests.needs import needs

Rows = Callable[[], dict[str, dict[str, Any]]]
Html = Callable[[str], str]


@pytest.fixture
@needs("server")
def site() -> Iterator[Website]:
    website = Website()
    yield website
    website.close()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "lancedb"))


@pytest.fixture
def settings(site: Website) -> Callable[..., SiteSettings]:
    """Settings for the website, impatient enough for tests."""

    def build(path: str = "/", **changes: Any) -> SiteSettings:
        return SiteSettings(**{"url": site.at(path), "timeout_s": 2.0, "retries": 1, "gone_after": 2, **changes})

    return build


@pytest.fixture
def live(store: Store, site: Website) -> Rows:
    """Live pages by path."""
    return lambda: {"/" + row["url"].removeprefix(site.url): row for row in live_pages(store).to_pylist()}


@pytest.fixture
def html(store: Store, site: Website, live: Rows) -> Html:
    """What is stored of a live page, by path."""
    return lambda path: html_of(store, {site.at(path): live()[path]["content_hash"]})[site.at(path)]


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_BACKOFF_S", 0.01)
