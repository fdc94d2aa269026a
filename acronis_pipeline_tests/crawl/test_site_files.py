"""robots.txt and sitemaps are asked for conditionally, from wherever the site says they are, and bridge an outage."""

import datetime as dt
import gzip
from collections.abc import Callable, Iterator

import pytest

from acronis_pipeline.core.errors import SiteError
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl import crawl
from acronis_pipeline.crawl.fetching import guard
from acronis_pipeline.crawl.fetching import sitemap as sitemaps
from acronis_pipeline.crawl.fetching.site_files import SiteFiles
from acronis_pipeline.crawl.running import session as site_session
from acronis_pipeline.crawl.running.session import Session, arrive
from acronis_pipeline.store import Store, tables
from acronis_pipeline_tests.crawl.website import Reply, Website
from acronis_pipeline_tests.needs import needs

Build = Callable[..., SiteSettings]


def visit(store: Store, site: SiteSettings, *, known_start: str | None = None) -> Session:
    """Arrive and leave again."""

    async def come_and_go() -> Session:
        async with arrive(site, files, known_start=known_start) as session:
            return session

    files = SiteFiles(store)
    session = site_session.run(come_and_go())
    files.save()
    return session


def hours_pass(store: Store, hours: float) -> None:
    """Everything kept was asked for so long ago."""
    rows = store.read(tables.SITE_FILES).to_pylist()
    aged = [{**row, "asked_at": row["asked_at"] - dt.timedelta(hours=hours)} for row in rows]
    store.upsert(tables.SITE_FILES, tables.SITE_FILES.rows(aged))


def with_etag(reply: Reply) -> Reply:
    reply.headers["ETag"] = f'"{hash(reply.body)}"'
    return reply


@pytest.fixture
def described(site: Website) -> Website:
    """A site with validators on robots.txt and sitemap."""
    site.page("/")
    site.robots(f"User-agent: *\nDisallow: /private\nSitemap: {site.at('/sitemap.xml')}\n")
    with_etag(site.routes["/robots.txt"])  # pyright: ignore[reportArgumentType]
    with_etag(site.sitemap(("/", "2026-01-01"), ("/a", "2026-01-01")))
    return site


@pytest.fixture
@needs("server")
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[Website]:
    """Another website; loopback counts as public, as both were somewhere on the internet."""
    monkeypatch.setattr(guard, "is_public", lambda address: True)
    website = Website()
    yield website
    website.close()


def test_unchanged_files_cost_a_304_and_sitemaps_no_write(described: Website, store: Store, settings: Build) -> None:
    first = visit(store, settings())
    written = store.read(tables.SITE_FILES, where="url LIKE '%.xml'").to_pylist()
    described.forget()
    second = visit(store, settings())
    assert second.sitemap == first.sitemap
    assert not second.robots.allows(described.at("/private/x"))
    for path in ("/robots.txt", "/sitemap.xml"):
        assert [
            request.headers.get("if-none-match") is not None for request in described.requests if request.path == path
        ]
    assert store.read(tables.SITE_FILES, where="url LIKE '%.xml'").to_pylist() == written


def test_a_changed_sitemap_replaces_the_kept_one(described: Website, store: Store, settings: Build) -> None:
    visit(store, settings())
    with_etag(described.sitemap(("/b", "2026-02-02")))
    assert visit(store, settings()).sitemap.pages == {described.at("/b"): "2026-02-02"}
    described.routes["/sitemap.xml"] = Reply(503)
    assert visit(store, settings(retries=0)).sitemap.pages == {described.at("/b"): "2026-02-02"}


def test_a_gzipped_sitemap_is_kept_as_it_came(described: Website, store: Store, settings: Build) -> None:
    reply = described.sitemap(("/b", None))
    reply.body = gzip.compress(reply.body or b"")
    with_etag(reply)
    for _ in range(2):
        assert list(visit(store, settings()).sitemap.pages) == [described.at("/b")]


def test_a_sitemap_that_was_taken_down_is_not_remembered(described: Website, store: Store, settings: Build) -> None:
    visit(store, settings())
    described.routes["/sitemap.xml"] = Reply(404)
    visit(store, settings())
    described.routes["/sitemap.xml"] = Reply(503)
    assert visit(store, settings(retries=0)).sitemap.pages == {}


def test_a_failing_robots_txt_holds_for_a_day_as_it_was(described: Website, store: Store, settings: Build) -> None:
    visit(store, settings())
    described.routes["/robots.txt"] = Reply(503)
    assert not visit(store, settings(retries=0)).robots.allows(described.at("/private/x"))
    hours_pass(store, 25)
    with pytest.raises(SiteError, match="answers HTTP 503"):
        visit(store, settings(retries=0))


def test_a_quick_look_does_not_ask_for_a_fresh_robots_txt_nor_for_the_start_page(
    described: Website, store: Store, settings: Build
) -> None:
    visit(store, settings())
    described.forget()
    session = visit(store, settings(), known_start=described.url)
    assert described.asked()["/sitemap.xml"] == 1
    assert not described.asked().keys() & {"/", "/robots.txt"}
    assert not session.robots.allows(described.at("/private/x"))
    hours_pass(store, 25)
    visit(store, settings(), known_start=described.url)
    assert described.asked()["/robots.txt"] == 1


def test_robots_txt_is_followed_to_another_host(
    site: Website, elsewhere: Website, store: Store, settings: Build
) -> None:
    site.page("/")
    site.redirect("/robots.txt", elsewhere.at("/robots.txt"))
    elsewhere.robots("User-agent: *\nDisallow: /private\n")
    assert not visit(store, settings()).robots.allows(site.at("/private/x"))


def test_a_sitemap_on_another_host_counts_if_robots_txt_names_it(
    site: Website, elsewhere: Website, store: Store, settings: Build
) -> None:
    site.page("/")
    site.robots(f"Sitemap: {elsewhere.at('/of-others.xml')}\n")
    locations = "".join(f"<url><loc>{address}</loc></url>" for address in (site.at("/a"), elsewhere.at("/b")))
    elsewhere.routes["/of-others.xml"] = Reply(200, f"<urlset>{locations}</urlset>".encode())
    sitemap = visit(store, settings()).sitemap
    assert list(sitemap.pages) == [site.at("/a")]
    assert sitemap.outside == {"off-site": 1}


def test_a_private_site_opens_no_other_port_of_its_host(
    site: Website, elsewhere: Website, store: Store, settings: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    site.page("/")
    site.robots(f"Sitemap: {elsewhere.at('/map.xml')}\nSitemap: {site.at('/moved.xml')}\n")
    site.redirect("/moved.xml", elsewhere.at("/map.xml"))
    found = visit(store, settings()).sitemap
    assert not elsewhere.requests
    assert found.failed == dict.fromkeys((elsewhere.at("/map.xml"), site.at("/moved.xml")), "private address")


def test_a_sitemap_that_cannot_be_read_is_named_and_nothing_is_missing_for_it(
    site: Website, store: Store, settings: Build
) -> None:
    site.page("/a")
    site.page("/b")
    parts = "".join(f"<sitemap><loc>{site.at(part)}</loc></sitemap>" for part in ("/a.xml", "/b.xml"))
    site.html("/map.xml", f"<sitemapindex>{parts}</sitemapindex>")
    site.sitemap(("/a", None), path="/a.xml")
    site.sitemap(("/b", None), path="/b.xml")
    crawl(store, settings(url=site.at("/map.xml")))
    for body, why in ((b"<html><body>busy</body></html>", "HTML and no sitemap"), (b"<urlset><url>", "cut off")):
        site.html("/b.xml", body)
        for _ in range(3):
            result = crawl(store, settings(url=site.at("/map.xml")))
            assert result.failed == {f"sitemap: {why}": 1}
            assert (result.n_live, result.missing) == (2, 0)


def test_a_site_of_one_sitemap_that_cannot_be_read_says_so_in_its_one_line(
    site: Website, store: Store, settings: Build
) -> None:
    site.html("/map.xml", b"<html><body>busy</body></html>")
    with pytest.raises(SiteError, match=r"sitemap: HTML and no sitemap \(1\); mend the sitemap"):
        crawl(store, settings(url=site.at("/map.xml")))


def test_of_a_site_that_lists_far_more_than_wanted_little_is_kept(
    site: Website, store: Store, settings: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sitemaps, "MIN_KEPT", 50)
    site.page("/")
    for part in range(3):
        site.sitemap(*((f"/{part}/{number}", None) for number in range(40)), path=f"/{part}.xml")
    index = "".join(f"<sitemap><loc>{site.at(f'/{part}.xml')}</loc></sitemap>" for part in range(3))
    site.routes["/sitemap.xml"] = Reply(200, f"<sitemapindex>{index}</sitemapindex>".encode())
    found = visit(store, settings(max_pages=5)).sitemap
    assert len(found.pages) == 50
    assert len(found.failed) == 2
    assert "/2.xml" not in site.asked()


def test_a_sitemap_on_a_host_that_only_an_index_names_is_not_asked_for(
    site: Website, elsewhere: Website, store: Store, settings: Build
) -> None:
    site.page("/")
    index = f"<sitemapindex><sitemap><loc>{elsewhere.at('/x.xml')}</loc></sitemap></sitemapindex>"
    site.routes["/sitemap.xml"] = Reply(200, index.encode())
    visit(store, settings())
    assert not elsewhere.requests


def test_a_sitemap_that_only_the_settings_name_is_read(site: Website, store: Store, settings: Build) -> None:
    site.page("/")
    site.sitemap(("/a", None), path="/help/map.xml")
    assert list(visit(store, settings(sitemaps=(site.at("/help/map.xml"),))).sitemap.pages) == [site.at("/a")]


def test_alternates_on_the_site_come_with_their_language(site: Website, store: Store, settings: Build) -> None:
    site.page("/")
    links = "".join(
        f'<xhtml:link rel="alternate" hreflang="{tag}" href="{href}"/>'
        for tag, href in [
            ("de", site.at("/de/a?utm_source=x")),
            ("x-default", site.at("/a")),
            ("fr", "http://x.example/"),
        ]
    )
    body = f'<urlset xmlns:xhtml="http://www.w3.org/1999/xhtml"><url><loc>{site.at("/a")}</loc>{links}</url></urlset>'
    site.routes["/sitemap.xml"] = Reply(200, body.encode())
    assert visit(store, settings()).sitemap.alternates == {site.at("/de/a"): "de"}
