"""A quick look names exactly what differs from the last crawl, asks for little, and ends in time."""

import datetime as dt
import time
from collections.abc import Callable

import pytest

from acronis_pipeline.core.errors import SiteError
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl import crawl
from acronis_pipeline.crawl.probe import SiteChanges, probe
from acronis_pipeline.store import Store, tables
from acronis_pipeline_tests.crawl.website import Reply, Request, Website

Build = Callable[..., SiteSettings]
Look = Callable[..., SiteChanges]

OLD = "2026-01-01"


@pytest.fixture
def look(store: Store, settings: Build) -> Look:
    """A quick look, with time enough unless a test says otherwise."""

    def at(deadline_s: float = 10, sample_pages: int = 50, position: str = "", **changes: object) -> SiteChanges:
        return probe(store, settings(**changes), deadline_s=deadline_s, sample_pages=sample_pages, position=position)

    return at


@pytest.fixture
def listed(site: Website, store: Store, settings: Build) -> Website:
    """A crawled site whose sitemap tells changes."""
    site.page("/", "/a")
    site.page("/a")
    site.sitemap(("/", OLD), ("/a", OLD))
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


def slow(request: Request) -> Reply:
    time.sleep(4)
    return Reply(404)


def what(site: Website, seen: SiteChanges) -> dict[str, list[str]]:
    """The paths that differ, by how."""
    kinds = {"changed": seen.changed, "added": seen.added, "removed": seen.removed}
    return {kind: ["/" + url.removeprefix(site.url) for url in urls] for kind, urls in kinds.items() if urls}


def crawled_long_ago(store: Store) -> None:
    """As if every visit had been made a month ago."""
    rows = store.read(tables.VISITS).to_pylist()
    aged = [{**row, "asked_at": row["asked_at"] - dt.timedelta(days=30)} for row in rows]
    store.upsert(tables.VISITS, tables.VISITS.rows(aged))


def test_an_unchanged_sitemap_is_all_that_is_asked_for(listed: Website, look: Look) -> None:
    seen = look()
    assert (seen.urls, seen.basis, seen.n_urls, seen.n_sampled) == ((), "sitemap", 2, 0)
    assert set(listed.asked()) == {"/sitemap.xml"}
    assert seen.requests == 1


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([("/", OLD), ("/a", "2026-02-02")], {"changed": ["/a"]}),
        ([("/", OLD), ("/a", "2025-02-02")], {"changed": ["/a"]}),
        ([("/", OLD)], {"removed": ["/a"]}),
        ([("/", OLD), ("/a", OLD), ("/b", OLD)], {"added": ["/b"]}),
        ([("/", OLD), ("/a", OLD), ("/blog/x", OLD)], {}),
        ([("/", OLD), ("/a", OLD), ("/private/x", OLD)], {}),
    ],
    ids=["newer", "older", "fewer", "more", "excluded", "forbidden"],
)
def test_a_changed_sitemap_names_what_changed(
    site: Website,
    store: Store,
    settings: Build,
    look: Look,
    entries: list[tuple[str, str]],
    expected: dict[str, list[str]],
) -> None:
    site.page("/", "/a")
    site.page("/a")
    site.robots("User-agent: *\nDisallow: /private/\n")
    site.sitemap(("/", OLD), ("/a", OLD))
    crawl(store, settings(exclude=("/blog/",)))
    before = look(exclude=("/blog/",))
    site.sitemap(*entries)
    seen = look(exclude=("/blog/",))
    assert what(site, seen) == expected
    assert not expected or seen.version != before.version
    assert (seen.signature != before.signature) == bool(expected)


def test_what_a_crawl_of_the_changes_took_in_is_no_change_any_more(
    listed: Website, store: Store, settings: Build, look: Look
) -> None:
    listed.page("/", "/a", "/b")
    listed.page("/b")
    listed.sitemap(("/", "2026-02-02"), ("/a", OLD), ("/b", None))
    seen = look()
    assert what(listed, seen) == {"changed": ["/"], "added": ["/b"]}
    crawl(store, settings(), only=seen.urls)
    assert look().urls == ()


def test_an_address_that_was_refused_is_not_new(site: Website, store: Store, settings: Build, look: Look) -> None:
    site.page("/")
    site.page("/noindex", head='<meta name="robots" content="noindex">')
    site.redirect("/moved", "/")
    site.sitemap(("/", OLD), ("/noindex", OLD), ("/moved", OLD), ("/missing", OLD))
    crawl(store, settings())
    assert look().urls == ()


def test_a_full_house_takes_in_nobody_new(site: Website, store: Store, settings: Build, look: Look) -> None:
    site.page("/")
    site.sitemap(("/", OLD))
    crawl(store, settings(max_pages=1))
    site.sitemap(("/", OLD), ("/b", OLD))
    assert look(max_pages=1).urls == ()


def test_without_lastmod_pages_are_asked_conditionally(
    site: Website, store: Store, settings: Build, look: Look
) -> None:
    site.page("/", "/a")
    site.page("/a")
    site.sitemap(("/", None), ("/a", None))
    crawl(store, settings())
    site.forget()
    seen = look()
    assert (seen.urls, seen.basis, seen.n_urls, seen.n_sampled) == ((), "pages", 2, 2)
    assert all("if-none-match" in request.headers for request in site.requests if request.path in {"/", "/a"})
    site.sitemap(("/", None), ("/a", None), ("/b", None))
    assert what(site, look()) == {"added": ["/b"]}


def test_a_date_of_the_day_of_the_visit_vouches_for_nothing(
    site: Website, store: Store, settings: Build, look: Look
) -> None:
    today = dt.datetime.now(dt.UTC).date().isoformat()
    site.page("/", "/a")
    site.page("/a")
    site.sitemap(("/", OLD), ("/a", today))
    crawl(store, settings())
    site.page("/a", text="Changed in the afternoon.")
    assert what(site, look()) == {"changed": ["/a"]}
    site.page("/a")
    crawled_long_ago(store)
    assert look().n_sampled == 1  # the sitemap still says `today`, and the visit was before that


def test_a_changed_page_differs_until_it_changes_back(unlisted: Website, look: Look) -> None:
    before = look()
    unlisted.page("/a", text="Something new.")
    seen = look()
    assert what(unlisted, seen) == {"changed": ["/a"]}
    assert seen.version != before.version
    assert look().signature == seen.signature
    unlisted.page("/a", text="Something else.")
    assert look().signature != seen.signature
    unlisted.page("/a")
    assert (look().urls, look().version) == ((), before.version)


def test_a_link_on_a_page_that_was_looked_at_shows_a_new_page(unlisted: Website, look: Look) -> None:
    unlisted.page("/", "/a", "/b", "http://elsewhere.invalid/")
    assert what(unlisted, look()) == {"added": ["/b"]}


def test_a_change_of_navigation_alone_is_none(unlisted: Website, look: Look) -> None:
    unlisted.page("/", "/a", "/a#part")
    assert look().urls == ()


def test_a_vanished_page_asks_for_one_crawl_not_for_many(
    unlisted: Website, store: Store, settings: Build, look: Look
) -> None:
    unlisted.routes["/a"] = Reply(404)
    seen = look()
    assert what(unlisted, seen) == {"removed": ["/a"]}
    assert crawl(store, settings(), only=seen.urls).gone == 0
    assert look().urls == ()


def test_a_page_that_fails_for_now_is_no_change(unlisted: Website, look: Look) -> None:
    unlisted.routes["/a"] = Reply(503)
    assert look().urls == ()


def test_a_page_that_moved_is_a_change(unlisted: Website, look: Look) -> None:
    unlisted.redirect("/a", "/b")
    assert what(unlisted, look()) == {"changed": ["/a"]}


def test_every_page_has_its_turn(site: Website, store: Store, settings: Build, look: Look) -> None:
    paths = [f"/{number}" for number in range(12)]
    site.page("/", *paths)
    for path in paths:
        site.page(path)
    crawl(store, settings())
    site.forget()
    position, ticks = "", 0
    while len(site.asked()) < 14 and ticks < 10:  # with the sitemap
        seen = look(sample_pages=4, position=position)
        position, ticks = seen.position, ticks + 1
        assert seen.n_sampled == 4
    assert ticks == 4
    assert site.asked()["/"] == ticks


def test_a_site_that_stamps_every_page_anew_is_not_believed(
    site: Website, store: Store, settings: Build, look: Look
) -> None:
    paths = [f"/{number}" for number in range(30)]
    for path in paths:
        site.page(path)
    site.page("/", *paths)
    site.sitemap(*((path, OLD) for path in paths))
    crawl(store, settings())
    site.sitemap(*((path, "2026-05-05") for path in paths))
    assert look().urls == ()
    site.page("/7", text="Really changed.")
    assert len(look().changed) == 30


def test_before_the_first_crawl_everything_listed_is_new(site: Website, look: Look) -> None:
    site.page("/")
    site.sitemap(("/", OLD), ("/a", OLD))
    seen = look()
    assert what(site, seen) == {"added": ["/", "/a"]}
    assert seen.version


def test_a_slow_site_is_an_error_within_the_deadline(unlisted: Website, look: Look) -> None:
    unlisted.routes["/sitemap.xml"] = unlisted.routes["/"] = unlisted.routes["/a"] = slow
    started = time.monotonic()
    with pytest.raises(SiteError, match="answers"):
        look(deadline_s=0.5)
    assert time.monotonic() - started < 3


def test_a_slow_robots_txt_is_an_error_within_the_deadline(site: Website, look: Look) -> None:
    site.routes["/robots.txt"] = slow
    started = time.monotonic()
    with pytest.raises(SiteError):
        look(deadline_s=0.5)
    assert time.monotonic() - started < 3


def test_pages_that_do_not_answer_in_time_count_as_unchanged(unlisted: Website, look: Look) -> None:
    unlisted.routes["/a"] = slow
    started = time.monotonic()
    seen = look(deadline_s=1.0)
    assert (seen.urls, seen.n_sampled) == ((), 1)
    assert time.monotonic() - started < 3


def test_a_sitemap_that_fails_is_taken_as_it_was_and_named(listed: Website, store: Store, look: Look) -> None:
    listed.routes["/more.xml"] = Reply(404)
    listed.routes["/sitemap.xml"] = Reply(500)
    seen = look(sitemaps=(listed.at("/more.xml"),))
    assert (seen.urls, seen.n_urls) == ((), 2)
    assert seen.stale == (listed.at("/sitemap.xml"),)


def test_a_crawl_delay_that_leaves_no_time_takes_sitemaps_as_they_were(
    site: Website, store: Store, settings: Build, look: Look
) -> None:
    site.page("/", "/a")
    site.page("/a")
    names = [f"/{number}.xml" for number in range(3)]
    for name, path in zip(names, ("/", "/a", "/a"), strict=True):
        site.sitemap((path, OLD), path=name)
    index = "".join(f"<sitemap><loc>{site.at(name)}</loc></sitemap>" for name in names)
    site.routes["/sitemap.xml"] = Reply(200, f"<sitemapindex>{index}</sitemapindex>".encode())
    crawl(store, settings())
    site.robots("User-agent: *\nCrawl-delay: 20\n")
    store.drop(tables.SITE_FILES)
    crawl_delayed = settings(max_crawl_delay_s=0.0)
    crawl(store, crawl_delayed)
    site.forget()
    started = time.monotonic()
    seen = look(deadline_s=2)
    assert time.monotonic() - started < 2
    assert (seen.urls, len(seen.stale)) == ((), 3)
    assert set(site.asked()) == {"/sitemap.xml"}


def test_a_sitemap_that_was_never_read_removes_nothing(
    listed: Website, store: Store, settings: Build, look: Look
) -> None:
    store.drop(tables.SITE_FILES)
    listed.routes["/sitemap.xml"] = Reply(500)
    listed.routes["/part.xml"] = Reply(200, f"<urlset><url><loc>{listed.url}</loc></url></urlset>".encode())
    assert look(sitemaps=(listed.at("/part.xml"),)).removed == ()


def test_a_site_that_answers_nothing_is_an_error_although_copies_are_kept(listed: Website, look: Look) -> None:
    listed.routes.clear()
    listed.routes["/sitemap.xml"] = Reply(500)
    with pytest.raises(SiteError, match="neither"):
        look()


def test_a_site_that_is_down_is_an_error(listed: Website, look: Look) -> None:
    with pytest.raises(SiteError, match="check the address"):
        look(url="http://127.0.0.1:1/")
