"""What is no page is remembered too: it is asked for conditionally, and a 304 repeats what it was."""

from collections.abc import Callable
from typing import Any

import pytest

from acronis_pipeline import content
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl import crawl
from acronis_pipeline.crawl.history import changes_since
from acronis_pipeline.store import Store, tables
from acronis_pipeline_tests.crawl.conftest import Html, Rows
from acronis_pipeline_tests.crawl.website import Reply, Website

Build = Callable[..., SiteSettings]
CANONICAL = '<link rel=canonical href="/a">'


@pytest.fixture
def visits(store: Store, site: Website) -> Callable[[], dict[str, dict[str, Any]]]:
    rows = lambda: store.read(tables.VISITS).to_pylist()  # noqa: E731
    return lambda: {"/" + row["url"].removeprefix(site.url): row for row in rows()}


def test_every_address_asked_for_is_recorded_with_its_outcome(
    site: Website, store: Store, settings: Build, visits: Callable[[], dict[str, dict[str, Any]]]
) -> None:
    site.page("/", "/a", "/alias", "/hidden", "/old", "/broken", "/missing", "/away")
    site.page("/a")
    site.page("/alias", head=CANONICAL)
    site.page("/hidden", head='<meta name="robots" content="noindex">')
    site.redirect("/old", "/older")
    site.redirect("/older", "/new")
    site.page("/new")
    site.redirect("/away", "http://elsewhere.invalid/", 302)
    site.routes["/broken"] = Reply(500)
    crawl(store, settings(retries=0))
    found = {path: (row["outcome"], row["reason"], row["status"], row["target"]) for path, row in visits().items()}
    assert found == {
        "/": ("page", None, 200, None),
        "/a": ("page", None, 200, None),
        "/alias": ("alias", None, 200, site.at("/a")),
        "/hidden": ("refused", "noindex", 200, None),
        "/old": ("redirect", None, 301, site.at("/new")),
        "/older": ("redirect", None, 301, site.at("/new")),
        "/new": ("page", None, 200, None),
        "/away": ("redirect", "off-site", 302, "http://elsewhere.invalid/"),
        "/broken": ("failed", "HTTP 500", 500, None),
        "/missing": ("failed", "HTTP 404", 404, None),
    }


def test_what_is_no_page_is_asked_for_conditionally_and_followed(
    site: Website, store: Store, settings: Build, live: Rows
) -> None:
    site.page("/", "/a", "/alias", "/hidden")
    site.page("/a")
    site.page("/alias", "/behind-alias", head=CANONICAL)
    site.page("/hidden", "/behind-hidden", head='<meta name="robots" content="noindex">')
    site.page("/behind-alias")
    site.page("/behind-hidden")
    first = crawl(store, settings())
    second = crawl(store, settings())
    assert second.not_modified == 6
    assert second.skipped == first.skipped == {"alias of a canonical page": 1, "noindex": 1}
    assert live().keys() == {"/", "/a", "/behind-alias", "/behind-hidden"}
    assert (second.missing, second.gone) == (0, 0)


def test_an_unchanged_alias_stands_for_itself_once_its_canonical_page_is_gone(
    site: Website, store: Store, settings: Build, live: Rows
) -> None:
    site.page("/", "/a", "/alias")
    site.page("/a")
    site.page("/alias", head=CANONICAL)
    crawl(store, settings())
    site.routes["/a"] = Reply(404)
    result = crawl(store, settings(gone_after=1))
    assert (result.new, result.gone) == (1, 1)
    assert live().keys() == {"/", "/alias"}


def test_an_alias_is_found_whichever_comes_first(site: Website, store: Store, settings: Build, live: Rows) -> None:
    site.page("/", "/alias", "/b")
    site.page("/alias", "/behind", head=CANONICAL)
    site.page("/b")
    site.page("/a")
    site.page("/behind")
    assert crawl(store, settings()).skipped == {"alias of a canonical page": 1}
    assert live().keys() == {"/", "/b", "/a", "/behind"}


def test_the_events_of_a_page_are_recorded(site: Website, store: Store, settings: Build) -> None:
    site.page("/", "/a")
    site.page("/a")
    crawl(store, settings(gone_after=1))
    crawl(store, settings(gone_after=1))
    site.page("/a", text="Changed.")
    crawl(store, settings(gone_after=1))
    site.routes["/a"] = Reply(404)
    crawl(store, settings(gone_after=1))
    site.page("/a")
    crawl(store, settings(gone_after=1))
    events = [change.what for change in reversed(changes_since(store)) if change.url == site.at("/a")]
    assert events == ["new", "changed", "gone", "returned"]


def test_a_page_that_fails_is_asked_for_conditionally_afterwards(site: Website, store: Store, settings: Build) -> None:
    site.page("/", "/a")
    site.page("/a")
    crawl(store, settings())
    site.routes["/a"] = Reply(500)
    crawl(store, settings(retries=0))
    site.page("/a")
    assert crawl(store, settings()).not_modified == 2


def test_another_extractor_makes_no_wave_of_changes(
    site: Website, store: Store, settings: Build, live: Rows, html: Html, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in ("/", "/a", "/b"):
        site.page(path, "/a", "/b", etag=False)
    crawl(store, settings())
    old = live()
    extract = content.extract

    def other(*args: Any, **options: Any) -> content.Content:
        read = extract(*args, **options)
        return content.Content(**{**vars(read), "markdown": read.markdown.upper()})

    monkeypatch.setattr(content, "VERSION", "another")
    monkeypatch.setattr("acronis_pipeline.crawl.running.reader.extract", other)
    site.page("/b", "/a", text="Really changed.", etag=False)
    result = crawl(store, settings())
    assert (result.changed, result.unchanged) == (1, 2)
    new = live()
    assert new["/a"]["content_hash"] != old["/a"]["content_hash"]
    assert new["/a"]["changed_at"] == old["/a"]["changed_at"]
    assert "Page /a" in html("/a")
    assert crawl(store, settings()).changed == 0
