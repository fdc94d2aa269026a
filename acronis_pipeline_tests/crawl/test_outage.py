"""Much vanishing at once is an outage, or a mistake in the settings, until a person says otherwise."""

import json
from collections.abc import Callable

import pytest

from acronis_pipeline.core.errors import SiteDownError
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl import crawl, last_site_version
from acronis_pipeline.crawl.memory.plan import History
from acronis_pipeline.store import Store, tables
from acronis_pipeline_tests.crawl.conftest import Rows
from acronis_pipeline_tests.crawl.website import Reply, Website

Build = Callable[..., SiteSettings]
PATHS = ("/", "/a/1", "/a/2", "/b/1", "/b/2", "/b/3")
NOINDEX = '<meta name="robots" content="noindex">'


def serve(site: Website) -> None:
    for path in PATHS:
        site.page(path, *PATHS)


def lose(site: Website, reply: Callable[[str], None]) -> None:
    for path in PATHS[2:]:
        reply(path)


VANISHING: dict[str, Callable[[Website, str], object]] = {
    "404": lambda site, path: site.routes.update({path: Reply(404)}),
    "noindex": lambda site, path: site.page(path, head=NOINDEX),
    "moved away": lambda site, path: site.redirect(path, "http://elsewhere.invalid/"),
    "binary": lambda site, path: site.html(path, b"PK", "application/zip"),
}


@pytest.mark.parametrize("how", VANISHING)
def test_most_of_the_site_vanishing_at_once_counts_for_nothing(
    site: Website, store: Store, settings: Build, live: Rows, how: str
) -> None:
    serve(site)
    first = crawl(store, settings(gone_after=1))
    told = last_site_version(store)
    for path in PATHS[2:]:
        VANISHING[how](site, path)
    for _ in range(3):
        result = crawl(store, settings(gone_after=1))
        assert result.outage
        assert "4 of 6 pages" in result.outage
        assert (result.gone, result.missing, result.n_live) == (0, 0, 6)
        assert result.data_version == first.data_version
    assert last_site_version(store) == told
    assert all(row["missing_count"] == 0 for row in live().values())
    serve(site)
    assert (crawl(store, settings()).outage, live().keys()) == (None, set(PATHS))


@pytest.mark.parametrize("settings_meant", [{"include": ("/a/",)}, {"exclude": ("/b/", "/$")}])
def test_settings_that_leave_little_of_the_site_are_taken_for_a_mistake(
    site: Website, store: Store, settings: Build, live: Rows, settings_meant: dict[str, tuple[str, ...]]
) -> None:
    serve(site)
    crawl(store, settings())
    result = crawl(store, settings(**settings_meant))
    assert result.outage
    assert "outside the settings" in result.outage
    assert live().keys() == set(PATHS)


def test_a_person_may_accept_it_at_once(site: Website, store: Store, settings: Build, live: Rows) -> None:
    serve(site)
    crawl(store, settings())
    for path in PATHS[2:]:
        site.routes[path] = Reply(404)
    result = crawl(store, settings(), accept_vanished=True)
    assert (result.outage, result.gone, result.accepted_vanished) == (None, 4, True)
    assert live().keys() == set(PATHS[:2])
    assert crawl(store, settings()).outage is None


def test_accepting_changes_nothing_where_little_vanished(site: Website, store: Store, settings: Build) -> None:
    serve(site)
    crawl(store, settings())
    site.routes["/b/3"] = Reply(404)
    assert crawl(store, settings(), accept_vanished=True).missing == 1


def test_a_site_that_moved_all_its_pages_is_no_outage(site: Website, store: Store, settings: Build, live: Rows) -> None:
    serve(site)
    crawl(store, settings())
    for path in PATHS[1:]:
        site.redirect(path, f"/new{path}")
        site.page(f"/new{path}")
    result = crawl(store, settings(gone_after=1))
    assert (result.outage, result.gone, result.new) == (None, 5, 5)
    assert live().keys() == {"/", *(f"/new{path}" for path in PATHS[1:])}


def test_pages_that_moved_behind_a_login_for_good_lose_nothing(
    site: Website, store: Store, settings: Build, live: Rows
) -> None:
    serve(site)
    crawl(store, settings())
    site.html("/login", "<main><h1>Sign in</h1><form><input type=password></form></main>")
    for path in PATHS[1:]:
        site.redirect(path, "/login", 301)
    for _ in range(3):
        result = crawl(store, settings(gone_after=1))
        assert (result.gone, result.missing, result.failed) == (0, 0, {"login wall": 1})
    assert live().keys() == set(PATHS)


def test_an_outage_is_on_record(site: Website, store: Store, settings: Build) -> None:
    serve(site)
    crawl(store, settings())
    for path in PATHS[2:]:
        site.routes[path] = Reply(404)
    result = crawl(store, settings())
    rows = sorted(store.read(tables.CRAWLS).to_pylist(), key=lambda row: row["finished_at"])
    assert json.loads(rows[-1]["summary"])["outage"] == result.outage


DOWN: dict[str, Callable[[Website], object]] = {
    "robots.txt says 503": lambda site: site.robots("") or site.routes.update({"/robots.txt": Reply(503)}),
    "no answer": lambda site: site.close(),
    "every page says 500": lambda site: site.routes.update(dict.fromkeys(PATHS, Reply(500))),
}


@pytest.mark.parametrize("how", DOWN)
def test_an_attempt_on_a_site_that_is_down_is_on_record_and_changes_nothing(
    site: Website, store: Store, settings: Build, live: Rows, how: str
) -> None:
    serve(site)
    result = crawl(store, settings())
    before = live()
    DOWN[how](site)
    with pytest.raises(SiteDownError):
        crawl(store, settings(retries=0, robots_cache_h=0))
    history = History.of(store)
    assert [attempt["site_url"] for attempt in history.attempts] == [result.site_url]
    assert len(history.crawls) == 1
    assert (last_site_version(store), live()) == (result.site_version, before)


def test_a_first_crawl_of_a_site_that_is_down_leaves_no_record(site: Website, store: Store, settings: Build) -> None:
    site.close()
    with pytest.raises(SiteDownError):
        crawl(store, settings(retries=0))
    assert History.of(store).attempts == ()
