"""Crawling again: what changed is taken in, what did not costs one conditional request, what vanished is not lost."""

from collections.abc import Callable

import pytest

from acronis_pipeline.core.errors import SiteError
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl import crawl, last_site_version
from acronis_pipeline.crawl.memory.records import html_of
from acronis_pipeline.crawl.running import crawler
from acronis_pipeline.store import Store, tables
from acronis_pipeline_tests.crawl.conftest import Html, Rows
from acronis_pipeline_tests.crawl.website import Reply, Website

Build = Callable[..., SiteSettings]


def test_an_unchanged_site_answers_304_and_keeps_its_data_version(
    site: Website, store: Store, settings: Build, live: Rows
) -> None:
    site.page("/", "/a")
    site.page("/a")
    first, before = crawl(store, settings()), live()
    second, after = crawl(store, settings()), live()
    assert (second.unchanged, second.not_modified, second.new, second.changed) == (2, 2, 0, 0)
    assert second.data_version == first.data_version
    assert second.site_version == first.site_version
    assert second.previous_n_live == 2
    for path, row in after.items():
        assert row["fetched_at"] > before[path]["fetched_at"]
        unmoved = set(row) - {"fetched_at"}
        assert {name: row[name] for name in unmoved} == {name: before[path][name] for name in unmoved}


def test_last_modified_makes_requests_conditional_too(site: Website, store: Store, settings: Build) -> None:
    date = "Mon, 02 Nov 2026 10:00:00 GMT"
    site.page("/", etag=False, headers={"Last-Modified": date})
    crawl(store, settings())
    site.forget()
    crawl(store, settings())
    assert [r.headers.get("if-modified-since") for r in site.requests if r.path == "/"][-1] == date


def test_only_a_change_of_the_main_content_is_a_change(
    site: Website, store: Store, settings: Build, live: Rows, html: Html
) -> None:
    site.page("/", "/a")
    site.page("/a")
    first, before = crawl(store, settings()), live()
    site.page("/", "/a", "/new")  # navigation only
    site.page("/a", text="Restores now take an hour.")
    site.page("/new")
    second, after = crawl(store, settings()), live()
    assert (second.changed, second.unchanged, second.new, second.not_modified) == (1, 1, 1, 0)
    assert second.data_version != first.data_version
    assert after["/"]["changed_at"] == before["/"]["changed_at"]
    assert after["/a"]["changed_at"] > before["/a"]["changed_at"]
    assert "Restores now take an hour." in html("/a")
    assert crawl(store, settings()).not_modified == 3


def test_a_page_that_vanishes_once_is_kept(site: Website, store: Store, settings: Build, live: Rows) -> None:
    site.page("/", "/a")
    site.page("/a")
    crawl(store, settings())
    site.routes["/a"] = Reply(404)
    once = crawl(store, settings())
    assert (once.gone, once.n_live, live()["/a"]["missing_count"]) == (0, 2, 1)
    site.page("/a")
    back = crawl(store, settings())
    assert (back.unchanged, live()["/a"]["missing_count"]) == (2, 0)


def test_a_page_that_stays_away_is_tombstoned_and_may_return(
    site: Website, store: Store, settings: Build, live: Rows
) -> None:
    site.page("/", "/a")
    site.page("/a")
    crawl(store, settings())
    site.routes["/a"] = Reply(410)
    crawl(store, settings())
    gone = crawl(store, settings())
    assert (gone.gone, gone.n_live, list(live())) == (1, 1, ["/"])
    tombstone = store.read(tables.PAGES, where="gone_at IS NOT NULL").to_pylist()
    assert [row["url"] for row in tombstone] == [site.at("/a")]
    assert "Page /a" in html_of(store, {site.at("/a"): tombstone[0]["content_hash"]})[site.at("/a")]
    site.page("/a")
    back = crawl(store, settings())
    assert (back.returned, back.new, back.n_live) == (1, 0, 2)


def test_a_page_that_nothing_leads_to_is_asked_directly(
    site: Website, store: Store, settings: Build, live: Rows
) -> None:
    site.page("/", "/orphan")
    site.page("/orphan")
    crawl(store, settings())
    site.page("/", text="The link is gone.")
    result = crawl(store, settings())
    assert (result.n_live, result.not_modified) == (2, 1)
    assert (live()["/orphan"]["source"], live()["/orphan"]["depth"]) == ("link", 1)


@pytest.mark.parametrize("status", [500, 503, 403])
def test_a_page_that_fails_keeps_its_old_content(
    site: Website, store: Store, settings: Build, live: Rows, status: int
) -> None:
    site.page("/", "/a")
    site.page("/a")
    first = crawl(store, settings())
    site.routes["/a"] = Reply(status)
    for _ in range(2):
        crawl(store, settings(retries=0))
    result = crawl(store, settings(retries=0))
    assert result.failed == {f"HTTP {status}": 1}
    assert (result.n_live, result.data_version) == (2, first.data_version)
    assert live()["/a"]["missing_count"] == 0


def test_a_page_behind_a_new_login_keeps_its_old_content(
    site: Website, store: Store, settings: Build, live: Rows, html: Html
) -> None:
    site.page("/", "/a")
    site.page("/a")
    crawl(store, settings())
    site.redirect("/a", "/login", 302)
    site.html("/login", "<main><h1>Sign in</h1><form><input type=password></form></main>")
    for _ in range(3):
        assert crawl(store, settings()).failed == {"login wall": 1}
    assert "Page /a" in html("/a")


def test_a_page_that_moved_is_kept_at_its_new_address(site: Website, store: Store, settings: Build, live: Rows) -> None:
    site.page("/", "/a")
    site.page("/a")
    crawl(store, settings())
    site.redirect("/a", "/b")
    site.page("/b")
    crawl(store, settings())
    crawl(store, settings())
    assert live().keys() == {"/", "/b"}


@pytest.mark.parametrize(
    "forbid",
    [
        lambda site: site.robots("User-agent: *\nDisallow: /a\n"),
        lambda site: site.page("/a", head='<meta name="robots" content="noindex">'),
    ],
    ids=["robots.txt", "noindex"],
)
def test_a_page_that_the_site_now_forbids_goes_at_once(
    site: Website, store: Store, settings: Build, live: Rows, forbid: Callable[[Website], None]
) -> None:
    site.page("/", "/a")
    site.page("/a")
    crawl(store, settings())
    forbid(site)
    assert crawl(store, settings()).gone == 1
    assert live().keys() == {"/"}


def test_a_page_that_the_settings_now_exclude_goes_at_once(
    site: Website, store: Store, settings: Build, live: Rows
) -> None:
    site.page("/", "/a")
    site.page("/a")
    crawl(store, settings())
    assert crawl(store, settings(exclude=("/a$",))).gone == 1
    assert live().keys() == {"/"}


def test_a_failed_link_is_tried_again_although_its_page_did_not_change(
    site: Website, store: Store, settings: Build, live: Rows
) -> None:
    site.page("/", "/a")
    site.routes["/a"] = Reply(500)
    crawl(store, settings(retries=0))
    site.page("/a")
    result = crawl(store, settings())
    assert (result.new, result.not_modified) == (1, 1)
    assert live().keys() == {"/", "/a"}


def test_an_outage_changes_nothing(site: Website, store: Store, settings: Build, live: Rows) -> None:
    site.page("/", "/a")
    site.page("/a")
    crawl(store, settings())
    before, versions, told = live(), [store.version(name) for name in store.names()], last_site_version(store)
    site.routes.clear()
    with pytest.raises(SiteError, match="not a single page"):
        crawl(store, settings())
    assert live() == before
    assert [store.version(name) for name in store.names()] == versions
    assert last_site_version(store) == told


def test_absence_means_nothing_once_the_site_fell_silent(
    site: Website, store: Store, settings: Build, live: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crawler, "MAX_FAILURES_IN_A_ROW", 3)
    paths = [f"/{number}" for number in range(8)]
    site.page("/", *paths)
    for path in paths:
        site.page(path)
    crawl(store, settings())
    site.routes["/0"] = Reply(404)
    for path in paths[1:]:
        site.routes[path] = Reply(503)
    crawl(store, settings(retries=0, concurrency=1, gone_after=1))
    assert live().keys() == {"/", *paths}


def test_the_start_page_too_is_asked_for_conditionally(site: Website, store: Store, settings: Build) -> None:
    site.page("/", "/a")
    site.page("/a")
    crawl(store, settings())
    site.forget()
    crawl(store, settings())
    asked = [request for request in site.requests if request.path == "/"]
    assert asked
    assert all("if-none-match" in request.headers for request in asked)
