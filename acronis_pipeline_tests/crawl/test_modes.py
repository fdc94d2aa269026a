"""What a crawl asks for: everything, what the sitemap does not vouch for, or named pages."""

import datetime as dt
from collections.abc import Callable

import pytest

from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl import crawl
from acronis_pipeline.crawl.memory.plan import latest, vouches
from acronis_pipeline.store import Store
from acronis_pipeline_tests.crawl.conftest import Html, Rows
from acronis_pipeline_tests.crawl.website import Reply, Website

Build = Callable[..., SiteSettings]

OLD, NEW = "2026-01-01T10:00:00Z", "2026-02-01T10:00:00Z"
PAGES = ("/", "/a", "/b", "/c")


def utc(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=dt.UTC)  # pyright: ignore[reportArgumentType]


def serve(site: Website, lastmods: dict[str, str | None] | None = None, **texts: str) -> None:
    for path in PAGES:
        site.page(path, *PAGES, text=texts.get(path.strip("/") or "front", ""))
    site.sitemap(*((lastmods or dict.fromkeys(PAGES, OLD)).items()))


def asked_pages(site: Website) -> set[str]:
    """Since `forget`, without the start page, which every arrival asks for."""
    return set(site.asked()) & set(PAGES) - {"/"}


@pytest.mark.parametrize(
    ("lastmod", "end"),
    [
        ("2026-11-05T10:00:00Z", utc(2026, 11, 5, 10, 1)),
        ("2026-11-05T10:00+02:00", utc(2026, 11, 5, 8, 1)),
        ("2026-11-05T10:00:00.123-05:00", utc(2026, 11, 5, 15, 1, 0, 123000)),
        ("2026-11-05T10:00:00", utc(2026, 11, 5, 22, 1)),
        ("2026-11-05", utc(2026, 11, 6, 12)),
        ("2026-11", utc(2026, 12, 1, 12)),
        ("2026-12", utc(2027, 1, 1, 12)),
        ("2026", utc(2027, 1, 1, 12)),
        ("Thu, 05 Nov 2026 10:00:00 GMT", None),
        ("yesterday", None),
        ("2026-13-45", None),
        ("9999-12-31", None),
    ],
)
def test_a_lastmod_ends_when_the_last_moment_it_may_mean_has_passed(lastmod: str, end: dt.datetime | None) -> None:
    assert latest(lastmod) == end


def test_a_lastmod_vouches_only_if_it_stands_and_lies_before_the_visit() -> None:
    visit = utc(2026, 11, 6, 13)
    assert vouches("2026-11-05", "2026-11-05", visit)
    assert not vouches("2026-11-06", "2026-11-06", visit)  # the page may have changed again that day
    assert not vouches("2026-11-06", "2026-11-05", visit)
    assert not vouches(None, None, visit)
    assert not vouches("word", "word", visit)
    assert not vouches("2027-01-01", "2027-01-01", visit)


def test_pages_with_a_standing_lastmod_are_not_asked_for(site: Website, store: Store, settings: Build) -> None:
    serve(site)
    first = crawl(store, settings())
    site.forget()
    second = crawl(store, settings())
    assert (first.mode, second.mode) == ("sweep", "incremental")
    assert (second.trusted, second.unchanged, second.n_live) == (4, 4, 4)
    assert asked_pages(site) == set()
    assert second.data_version == first.data_version


def test_a_new_lastmod_an_opaque_one_and_none_are_asked_for(site: Website, store: Store, settings: Build) -> None:
    serve(site, {"/": OLD, "/a": OLD, "/b": "a word", "/c": None})
    crawl(store, settings())
    serve(site, {"/": OLD, "/a": NEW, "/b": "a word", "/c": None}, a="Changed.")
    site.forget()
    result = crawl(store, settings())
    assert asked_pages(site) == {"/a", "/b", "/c"}
    assert (result.changed, result.not_modified, result.trusted) == (1, 2, 1)


def test_links_of_pages_that_were_not_asked_for_are_followed(site: Website, store: Store, settings: Build) -> None:
    serve(site, {"/": OLD, "/a": OLD})
    crawl(store, settings())
    result = crawl(store, settings())
    assert (result.trusted, result.unchanged, result.missing) == (2, 4, 0)


def test_everything_is_asked_for_every_so_many_days(site: Website, store: Store, settings: Build) -> None:
    serve(site)
    crawl(store, settings())
    site.forget()
    assert crawl(store, settings(full_sweep_days=0)).mode == "sweep"
    assert asked_pages(site) == {"/a", "/b", "/c"}


def test_a_site_whose_lastmod_lies_is_not_believed_until_it_has_mended(
    site: Website, store: Store, settings: Build
) -> None:
    serve(site)
    crawl(store, settings())
    serve(site, a="Changed under the old lastmod.")
    assert crawl(store, settings()).changed == 0
    liar = crawl(store, settings(full_sweep_days=0))
    assert (liar.changed, liar.lastmod_lies) == (1, 1)
    doubted = crawl(store, settings())
    assert (doubted.mode, doubted.trusted, doubted.lastmod_lies) == ("sweep", 0, 0)
    assert crawl(store, settings()).mode == "incremental"


def test_a_failed_page_is_asked_for_again_although_its_lastmod_stands(
    site: Website, store: Store, settings: Build
) -> None:
    serve(site)
    site.routes["/a"] = Reply(500)
    crawl(store, settings(retries=0))
    serve(site)
    result = crawl(store, settings())
    assert (result.new, result.trusted) == (1, 3)


def test_only_the_named_pages_and_what_is_new_behind_them_are_asked_for(
    site: Website, store: Store, settings: Build, html: Html
) -> None:
    serve(site)
    crawl(store, settings())
    serve(site, a="Changed too.")
    site.page("/b", "/a", "/new", text="Changed.")
    site.page("/new", "/newer", "/c")
    site.page("/newer")
    site.forget()
    result = crawl(store, settings(), only=[site.at("/b")])
    assert asked_pages(site) == {"/b"}
    assert {"/new", "/newer"} <= set(site.asked())
    assert (result.mode, result.changed, result.new, result.n_live, result.missing) == ("changes", 1, 2, 6, 0)
    assert "Changed." in html("/b")


def test_named_pages_that_are_gone_are_counted_and_no_others(
    site: Website, store: Store, settings: Build, live: Rows
) -> None:
    serve(site)
    crawl(store, settings())
    del site.routes["/b"], site.routes["/c"]
    result = crawl(store, settings(gone_after=1), only=[site.at("/b")])
    assert (result.gone, result.missing, result.requests > 0) == (1, 0, True)
    assert live().keys() == {"/", "/a", "/c"}


def test_a_named_page_that_became_an_alias_of_a_known_one_is_one(
    site: Website, store: Store, settings: Build, live: Rows
) -> None:
    serve(site)
    crawl(store, settings())
    site.page("/b", head='<link rel=canonical href="/a">')
    site.forget()
    result = crawl(store, settings(gone_after=1), only=[site.at("/b")])
    assert (result.gone, asked_pages(site)) == (1, {"/b"})
    assert live().keys() == {"/", "/a", "/c"}


def test_a_crawl_of_changes_is_no_sweep(site: Website, store: Store, settings: Build) -> None:
    serve(site)
    crawl(store, settings(), only=[site.at("/a")])
    assert crawl(store, settings()).mode == "sweep"


def dead_ends(site: Website) -> None:
    site.page("/", "/a", "/b", "/c", "/dead", "/hidden", "/moved", "/alias", "/away")
    site.page("/hidden", head='<meta name="robots" content="noindex">')
    site.page("/alias", head='<link rel=canonical href="/a">')
    site.redirect("/moved", "/b")
    site.redirect("/away", "http://elsewhere.invalid/", 302)


def test_what_was_no_page_is_asked_for_again_in_sweeps_only(site: Website, store: Store, settings: Build) -> None:
    serve(site)
    dead_ends(site)
    first = crawl(store, settings())
    site.forget()
    second = crawl(store, settings())
    assert set(site.asked()) == {"/", "/robots.txt", "/sitemap.xml"}
    assert (second.failed, second.skipped) == (first.failed, first.skipped | {"redirect to a known page": 1})
    assert (second.missing, second.gone, second.n_live) == (0, 0, 4)
    site.forget()
    crawl(store, settings(full_sweep_days=0))
    assert {"/dead", "/hidden", "/moved", "/alias", "/away"} <= set(site.asked())


def test_a_tombstoned_page_is_asked_for_again_once_the_sitemap_says_it_changed(
    site: Website, store: Store, settings: Build, live: Rows
) -> None:
    serve(site)
    crawl(store, settings(gone_after=1))
    site.routes["/a"] = Reply(404)
    crawl(store, settings(gone_after=1, full_sweep_days=0))
    assert "/a" not in live()
    serve(site)
    assert crawl(store, settings()).returned == 0
    serve(site, {**dict.fromkeys(PAGES, OLD), "/a": NEW})
    assert crawl(store, settings()).returned == 1


def test_a_dead_link_that_the_sitemap_lists_by_now_is_asked_for(site: Website, store: Store, settings: Build) -> None:
    serve(site)
    site.page("/", *PAGES, "/dead")
    crawl(store, settings())
    site.page("/dead")
    site.sitemap(*dict.fromkeys((*PAGES, "/dead"), OLD).items())
    assert crawl(store, settings()).new == 1


def test_where_no_sitemap_tells_changes_dead_links_are_tried_again(
    site: Website, store: Store, settings: Build
) -> None:
    site.page("/", "/dead")
    crawl(store, settings())
    site.page("/dead")
    assert crawl(store, settings()).new == 1
