"""A quick look agrees with the last crawl while nothing changed, differs when something did, and ends in time."""

import time
from collections.abc import Callable

import pytest

from acronis_pipeline.crawl import crawl, last_site_version
from acronis_pipeline.crawl.probe import probe
from acronis_pipeline.errors import SiteError
from acronis_pipeline.settings import SiteSettings
from acronis_pipeline.store import Store
from acronis_pipeline_tests.crawl.website import Reply, Request, Website

Build = Callable[..., SiteSettings]


@pytest.fixture
def listed(site: Website, store: Store, settings: Build) -> Website:
    """A crawled site whose sitemap tells changes."""
    site.page("/", "/a")
    site.page("/a")
    site.sitemap(("/", "2026-01-01"), ("/a", "2026-01-01"))
    crawl(store, settings())
    site.forget()
    return site


@pytest.fixture
def unlisted(site: Website, store: Store, settings: Build) -> Website:
    """A crawled site without a sitemap."""
    site.page("/", "/a")
    site.page("/a")
    crawl(store, settings())
    site.forget()
    return site


def test_an_unchanged_sitemap_is_the_version_last_taken_in(listed: Website, store: Store, settings: Build) -> None:
    seen = probe(store, settings(), deadline_s=10)
    assert (seen.version, seen.basis, seen.n_urls) == (last_site_version(store), "sitemap", 2)
    assert "/a" not in listed.asked()
    assert seen.requests == len(listed.requests)


@pytest.mark.parametrize(
    "entries",
    [
        [("/", "2026-01-01"), ("/a", "2026-02-02")],
        [("/", "2026-01-01")],
        [("/", "2026-01-01"), ("/a", "2026-01-01"), ("/b", "2026-01-01")],
    ],
    ids=["newer", "fewer", "more"],
)
def test_a_changed_sitemap_is_another_version(
    listed: Website, store: Store, settings: Build, entries: list[tuple[str, str]]
) -> None:
    listed.sitemap(*entries)
    assert probe(store, settings(), deadline_s=10).version != last_site_version(store)


def test_pages_outside_the_scope_do_not_count(listed: Website, store: Store, settings: Build) -> None:
    narrow = settings(exclude=("/blog/",))
    crawl(store, narrow)
    listed.sitemap(("/", "2026-01-01"), ("/a", "2026-01-01"), ("/blog/x", "2026-03-03"))
    assert probe(store, narrow, deadline_s=10).version == last_site_version(store)


def test_without_lastmod_known_pages_are_asked_conditionally(site: Website, store: Store, settings: Build) -> None:
    site.page("/", "/a")
    site.page("/a")
    site.sitemap(("/", None), ("/a", None))
    crawl(store, settings())
    site.forget()
    seen = probe(store, settings(), deadline_s=10)
    assert (seen.version, seen.basis, seen.n_urls) == (last_site_version(store), "pages", 2)
    assert all("if-none-match" in request.headers for request in site.requests if request.path == "/a")
    site.sitemap(("/", None), ("/a", None), ("/b", None))
    assert probe(store, settings(), deadline_s=10).version != last_site_version(store)


def test_a_changed_page_is_another_version_and_changing_back_the_old_one(
    unlisted: Website, store: Store, settings: Build
) -> None:
    assert probe(store, settings(), deadline_s=10).version == last_site_version(store)
    unlisted.page("/a", text="Something new.")
    assert probe(store, settings(), deadline_s=10).version != last_site_version(store)
    unlisted.page("/a")
    assert probe(store, settings(), deadline_s=10).version == last_site_version(store)


def test_a_change_of_navigation_alone_is_none(unlisted: Website, store: Store, settings: Build) -> None:
    unlisted.page("/", "/a", "/a?x=1")
    assert probe(store, settings(), deadline_s=10).version == last_site_version(store)


def test_a_vanished_page_asks_for_one_crawl_not_for_many(unlisted: Website, store: Store, settings: Build) -> None:
    unlisted.routes["/a"] = Reply(404)
    assert probe(store, settings(), deadline_s=10).version != last_site_version(store)
    assert crawl(store, settings()).gone == 0
    assert probe(store, settings(), deadline_s=10).version == last_site_version(store)


def test_a_page_that_fails_for_now_is_no_change(unlisted: Website, store: Store, settings: Build) -> None:
    unlisted.routes["/a"] = Reply(503)
    assert probe(store, settings(), deadline_s=10).version == last_site_version(store)


def test_before_the_first_crawl_there_is_a_version_already(site: Website, store: Store, settings: Build) -> None:
    site.page("/")
    assert probe(store, settings(), deadline_s=10).version
    assert last_site_version(store) is None
    assert store.names() == []


def test_a_slow_site_is_an_error_within_the_deadline(listed: Website, store: Store, settings: Build) -> None:
    def slow(request: Request) -> Reply:
        time.sleep(4)
        return Reply(404)

    listed.routes["/robots.txt"] = slow
    started = time.monotonic()
    with pytest.raises(SiteError):
        probe(store, settings(timeout_s=20), deadline_s=0.5)
    assert time.monotonic() - started < 3


def test_pages_that_do_not_answer_in_time_count_as_unchanged(unlisted: Website, store: Store, settings: Build) -> None:
    def slow(request: Request) -> Reply:
        time.sleep(4)
        return Reply(404)

    unlisted.routes["/a"] = slow
    started = time.monotonic()
    assert probe(store, settings(timeout_s=20), deadline_s=1.0).version == last_site_version(store)
    assert time.monotonic() - started < 3


def test_a_sitemap_that_fails_is_an_error_rather_than_a_change(listed: Website, store: Store, settings: Build) -> None:
    listed.routes["/sitemap.xml"] = Reply(500)
    with pytest.raises(SiteError, match=r"sitemap\.xml does not answer"):
        probe(store, settings(), deadline_s=10)


def test_a_site_that_is_down_is_an_error(listed: Website, store: Store, settings: Build) -> None:
    with pytest.raises(SiteError, match="check the address"):
        probe(store, settings(url="http://127.0.0.1:1/"), deadline_s=10)
