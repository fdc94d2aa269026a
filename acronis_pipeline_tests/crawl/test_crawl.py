"""A first crawl: which pages are found, which are kept, and what the others are counted as."""

import asyncio
import gzip
import logging
import time
from collections.abc import Callable

import pytest

from acronis_pipeline import crawl as crawl_package
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl import crawl, last_site_version
from acronis_pipeline.store import Store
from acronis_pipeline_tests.crawl.conftest import Html, Rows
from acronis_pipeline_tests.crawl.website import PROSE, Reply, Website

Build = Callable[..., SiteSettings]


def test_pages_come_from_links_and_sitemaps(
    site: Website, store: Store, settings: Build, live: Rows, html: Html
) -> None:
    site.page("/", "/linked")
    site.page("/linked", "/deeper#part")
    site.page("/deeper")
    site.page("/listed")
    site.sitemap(("/listed", "2026-01-01"))
    result = crawl(store, settings())
    rows = live()
    assert {path: (row["source"], row["depth"]) for path, row in rows.items()} == {
        "/": ("seed", 0),
        "/linked": ("link", 1),
        "/deeper": ("link", 2),
        "/listed": ("sitemap", 0),
    }
    assert rows["/linked"]["title"] == "Page /linked"
    assert PROSE in html("/linked")
    assert (result.new, result.n_live, result.failed) == (4, 4, {})
    assert last_site_version(store) == result.site_version


def test_sitemap_indexes_and_robots_lines_are_followed(
    site: Website, store: Store, settings: Build, live: Rows
) -> None:
    site.page("/")
    for path in ("/a", "/b"):
        site.page(path)
    site.robots(f"Sitemap: {site.at('/index.xml')}\n")
    index = f"<sitemapindex><sitemap><loc>{site.at('/one.xml.gz')}</loc></sitemap></sitemapindex>"
    site.routes["/index.xml"] = Reply(200, index.encode())
    plain = site.sitemap(("/a", None), ("/b", None), path="/one.xml.gz")
    site.routes["/one.xml.gz"] = Reply(200, gzip.compress(plain.body or b""))
    crawl(store, settings())
    assert live().keys() == {"/", "/a", "/b"}


def test_a_page_is_asked_for_once_however_it_is_spelt(site: Website, store: Store, settings: Build, live: Rows) -> None:
    site.page("/", "/a", "/a#x", "/a?utm_source=mail", "./b/../a", site.url.upper().replace("HTTP", "http") + "a")
    site.page("/a", "/")
    crawl(store, settings())
    assert live().keys() == {"/", "/a"}
    assert site.asked()["/a"] == 1


def test_a_page_is_stored_once_under_its_canonical_address(
    site: Website, store: Store, settings: Build, live: Rows
) -> None:
    site.page("/", "/a?print=1", "/a")
    site.page("/a", head='<link rel=canonical href="/a">')
    site.page("/a?print=1", head='<link rel=canonical href="/a">')
    result = crawl(store, settings())
    assert live().keys() == {"/", "/a"}
    assert result.skipped == {"alias of a canonical page": 1}


def test_a_canonical_address_that_does_not_answer_costs_nothing(
    site: Website, store: Store, settings: Build, live: Rows
) -> None:
    site.page("/", "/a", "/b")
    site.page("/a", head='<link rel=canonical href="/gone">')
    site.page("/b", head='<link rel=canonical href="http://elsewhere.invalid/b">')
    crawl(store, settings())
    assert live().keys() == {"/", "/a", "/b"}


def test_a_template_that_calls_every_page_the_front_page_is_not_believed(
    site: Website, store: Store, settings: Build, live: Rows
) -> None:
    for path, links in {"/": ("/a", "/b"), "/a": (), "/b": ()}.items():
        site.page(path, *links, head='<link rel=canonical href="/">')
    crawl(store, settings())
    assert live().keys() == {"/", "/a", "/b"}


def test_pages_that_call_each_other_canonical_leave_one(
    site: Website, store: Store, settings: Build, live: Rows
) -> None:
    site.page("/", "/a", "/b")
    site.page("/a", head='<link rel=canonical href="/b">')
    site.page("/b", head='<link rel=canonical href="/a">')
    crawl(store, settings())
    assert len(live()) == 2


def test_only_pages_in_scope_are_asked_for(site: Website, store: Store, settings: Build, live: Rows) -> None:
    site.page("/docs/", "/docs/a", "/blog/", "/docs/old/x", "/docs/f.zip", "http://elsewhere.invalid/")
    site.page("/docs/a")
    result = crawl(store, settings("/docs/", exclude=("/old/",)))
    assert live().keys() == {"/docs/", "/docs/a"}
    assert result.skipped == {"outside /docs/": 1, "excluded": 1, "not a page: .zip": 1}
    assert set(site.asked()) == {"/robots.txt", "/sitemap.xml", "/docs/sitemap.xml", "/docs/", "/docs/a"}


def test_a_start_page_that_is_not_included_still_leads_on(
    site: Website, store: Store, settings: Build, live: Rows
) -> None:
    site.page("/", "/guide/a")
    site.page("/guide/a")
    crawl(store, settings(include=("/guide/",)))
    assert live().keys() == {"/guide/a"}


def test_depth_and_budget_end_a_crawl(site: Website, store: Store, settings: Build, live: Rows) -> None:
    for number in range(6):
        site.page(f"/{number or ''}", f"/{number + 1}")
    deep = crawl(store, settings(max_depth=2))
    assert live().keys() == {"/", "/1", "/2"}
    assert deep.skipped == {"too deep": 1}


def test_no_more_pages_are_kept_than_the_budget(site: Website, store: Store, settings: Build) -> None:
    site.page("/", *(f"/{number}" for number in range(20)))
    for number in range(20):
        site.page(f"/{number}")
    result = crawl(store, settings(max_pages=7))
    assert result.n_live == 7
    assert result.skipped["page budget"] == 14


def test_robots_are_obeyed(site: Website, store: Store, settings: Build, live: Rows) -> None:
    site.robots("User-agent: *\nDisallow: /private\n")
    site.page("/", "/private/a", "/b")
    site.page("/b")
    site.redirect("/b", "/private/b")
    result = crawl(store, settings())
    assert live().keys() == {"/"}
    assert result.skipped == {"robots": 2}
    assert not any(path.startswith("/private") for path in site.asked())


def test_the_crawl_delay_is_kept(site: Website, store: Store, settings: Build) -> None:
    site.robots("User-agent: *\nCrawl-delay: 0.1\n")
    site.page("/", "/a", "/b")
    site.page("/a")
    site.page("/b")
    started = time.monotonic()
    result = crawl(store, settings(concurrency=8))
    assert time.monotonic() - started >= 0.1 * (result.requests - 2)


def test_noindex_pages_are_followed_but_not_kept(site: Website, store: Store, settings: Build, live: Rows) -> None:
    site.page("/", "/meta", "/header")
    site.page("/meta", "/a", head='<meta name="robots" content="noindex">')
    site.page("/header", "/b", headers={"X-Robots-Tag": "noindex"})
    site.page("/a")
    site.page("/b")
    result = crawl(store, settings())
    assert live().keys() == {"/", "/a", "/b"}
    assert result.skipped == {"noindex": 2}


def test_nofollow_pages_are_kept_but_not_followed(site: Website, store: Store, settings: Build, live: Rows) -> None:
    site.page("/", "/meta", "/header")
    site.page("/meta", "/a", head='<meta name="robots" content="nofollow">')
    site.page("/header", "/b", headers={"X-Robots-Tag": "nofollow"})
    crawl(store, settings())
    assert live().keys() == {"/", "/meta", "/header"}
    assert "/a" not in site.asked()
    assert "/b" not in site.asked()


def test_redirects_are_followed_within_the_site_only(site: Website, store: Store, settings: Build, live: Rows) -> None:
    site.page("/", "/old", "/away", "/loop", "/known")
    site.page("/new")
    site.redirect("/old", "/older", 302)
    site.redirect("/older", "/new")
    site.redirect("/away", "http://elsewhere.invalid/")
    site.redirect("/loop", "/loop")
    site.redirect("/known", "/new")
    result = crawl(store, settings())
    assert live().keys() == {"/", "/new"}
    assert live()["/new"]["final_url"] == site.at("/new")
    assert result.skipped == {"off-site": 1, "redirect to a known page": 1}
    assert result.failed == {"too many redirects": 1}
    assert site.asked()["/loop"] == 1


@pytest.mark.parametrize("spelling", ["/a?PHPSESSID=4f2a", "/a;jsessionid=17", "/a?y=2&x=1"])
def test_a_server_that_insists_on_another_spelling_gets_it(
    site: Website, store: Store, settings: Build, live: Rows, spelling: str
) -> None:
    asked = "/a?x=1&y=2" if "?y" in spelling else "/a"
    site.page("/", asked)
    site.redirect(asked, spelling)
    site.page(spelling)
    crawl(store, settings())
    assert live().keys() == {"/", asked}
    assert crawl(store, settings()).not_modified == 2


def test_endless_redirects_end(site: Website, store: Store, settings: Build) -> None:
    site.page("/", "/r0")
    for number in range(20):
        site.redirect(f"/r{number}", f"/r{number + 1}")
    assert crawl(store, settings()).failed == {"too many redirects": 1}
    assert site.asked()["/r7"] == 0


def test_a_crawl_runs_inside_an_event_loop_too(site: Website, store: Store, settings: Build) -> None:
    site.page("/")

    async def notebook_cell() -> int:
        return crawl(store, settings()).n_live

    assert asyncio.run(notebook_cell()) == 1


def test_progress_is_logged(site: Website, store: Store, settings: Build, caplog: pytest.LogCaptureFixture) -> None:
    site.page("/")
    with caplog.at_level(logging.INFO, logger=crawl_package.__name__):
        crawl(store, settings())
    assert "1 pages live (1 new" in caplog.text
