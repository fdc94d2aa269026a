"""A crawl keeps its connections: over TLS, a handshake a page would cost more than the pages."""

from collections.abc import Callable
from typing import Any

import pytest

from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl import crawl
from acronis_pipeline.store import Store
from acronis_pipeline_tests.crawl.website import Website

Build = Callable[..., SiteSettings]


@pytest.fixture
def connections(site: Website, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Addresses of the clients that connected."""
    met: list[Any] = []
    process = site._server.process_request

    def count(request: Any, client_address: Any) -> None:
        met.append(client_address)
        process(request, client_address)

    monkeypatch.setattr(site._server, "process_request", count)
    return met


def test_pages_that_are_not_modified_share_connections(
    site: Website, store: Store, settings: Build, connections: list[Any]
):
    site.page("/", *(f"/{n}" for n in range(20)))
    for n in range(20):
        site.page(f"/{n}")
    crawl(store, settings(concurrency=2))
    connections.clear()
    assert crawl(store, settings(concurrency=2)).not_modified == 21
    assert len(connections) <= 6  # of 20 and more requests


def test_broken_links_share_connections(site: Website, store: Store, settings: Build, connections: list[Any]):
    site.page("/", *(f"/{n}" for n in range(20)))
    for n in range(20):
        site.html(f"/{n}", "<p>Not here.")
        site.routes[f"/{n}"].status = 404  # type: ignore[union-attr]
    assert sum(crawl(store, settings(concurrency=2)).failed.values()) == 20
    assert len(connections) <= 6  # of 20 and more requests
