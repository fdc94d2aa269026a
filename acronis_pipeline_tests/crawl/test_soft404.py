"""What says "not found" although the status says 200."""

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from acronis_pipeline.content import Content, extract
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl.fetching.fetch import Fetcher
from acronis_pipeline.crawl.fetching.guard import PrivateSite
from acronis_pipeline.crawl.fetching.pace import Pace
from acronis_pipeline.crawl.fetching.scope import Scope
from acronis_pipeline.crawl.judging import non_pages
from acronis_pipeline.crawl.judging.non_pages import SoftNotFound, says_not_found
from acronis_pipeline_tests.crawl.website import PROSE, Reply, Website

Build = Callable[..., SiteSettings]


def content(title: str, text: str = "Try the search.", heading: str = "") -> Content:
    top = f"<h1>{heading}</h1>" if heading else ""
    html = f"<html><head><title>{title}</title></head><body><main>{top}<p>{text}</p></main></body></html>"
    return extract(html, url="http://h.example/x")


@pytest.mark.parametrize(
    "title",
    [
        "404 - Page not found | Example",
        "Oops! Page Not Found",
        "Seite nicht gefunden – Firma",
        "Page introuvable",
        "Página no encontrada | Ejemplo",
        "Страница не найдена",
        "ページが見つかりません | 例",
        "页面不存在",
        "We can’t find that page",
        "Error 404",
    ],
)
def test_short_pages_that_say_so(title: str) -> None:
    assert says_not_found(content(title))
    assert says_not_found(content("Example", heading=title.split(" | ")[0]))


@pytest.mark.parametrize(
    "title",
    ["Error 404: Page not found when opening the console", "Restore a page", "Not found items in reports", "Home"],
)
def test_pages_about_something_else(title: str) -> None:
    assert not says_not_found(content(title))


def test_an_article_about_the_error_is_a_page() -> None:
    assert not says_not_found(content("Page not found", PROSE * 10))


def learnt(site: Website, settings: SiteSettings, allows: bool = True) -> SoftNotFound:
    async def work() -> SoftNotFound:
        async with Fetcher(
            settings, private_site=PrivateSite.at("127.0.0.1", urlsplit(site.url).port or 80), pace=Pace()
        ) as fetcher:
            return await non_pages.learn(fetcher, Scope.of(settings), lambda url: allows, site.url)

    return asyncio.run(work())


def test_an_honest_site_teaches_nothing_and_is_asked_once(site: Website, settings: Build) -> None:
    assert learnt(site, settings()) == non_pages.NOTHING_LEARNT
    assert len(site.requests) == 1


def test_robots_txt_may_forbid_to_ask(site: Website, settings: Build) -> None:
    assert learnt(site, settings(), allows=False) == non_pages.NOTHING_LEARNT
    assert not site.requests


def test_the_sites_own_page_is_known_again_whatever_address_it_repeats(site: Website, settings: Build) -> None:
    def apology(path: str) -> str:
        return f"<title>Example</title><main><h1>Hm</h1><p>There is no {path} here. {PROSE}</p></main>"

    site.otherwise = lambda request: Reply(200, apology(request.path).encode(), {"Content-Type": "text/html"})
    not_found = learnt(site, settings())
    other = extract(apology("/other-thing"), url=site.at("/other-thing"))
    assert not_found.is_like(other, site.at("/other-thing"))
    assert not not_found.is_like(other, site.url)  # the start page exists, whatever it shows
    assert not not_found.is_like(content("A page", PROSE[:50]), "http://h.example/x")


def test_where_unknown_addresses_are_sent_is_remembered(site: Website, settings: Build) -> None:
    site.page("/")
    site.otherwise = lambda request: Reply(302, b"", {"Location": "/"})
    assert learnt(site, settings()).redirect == site.url


def test_an_applications_shell_is_no_page_to_compare_with(site: Website, settings: Build) -> None:
    site.otherwise = lambda request: Reply(200, b"<div id=app></div>", {"Content-Type": "text/html"})
    assert learnt(site, settings()) == non_pages.NOTHING_LEARNT
