"""What goes wrong costs as little as it can: a page, not the crawl; a crawl, not what was there before."""

import gzip
import time
from collections.abc import Callable

import pytest

from acronis_pipeline.core.errors import SiteError
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl import crawl
from acronis_pipeline.crawl.judging import verdict
from acronis_pipeline.crawl.running import crawler
from acronis_pipeline.store import Store
from acronis_pipeline_tests.crawl.conftest import Rows
from acronis_pipeline_tests.crawl.website import PROSE, Reply, Request, Website

Build = Callable[..., SiteSettings]


def test_failures_are_counted_by_reason_and_cost_only_themselves(
    site: Website, store: Store, settings: Build, live: Rows
) -> None:
    def slow(request: Request) -> Reply:
        time.sleep(0.8)
        return Reply(200, b"late", {"Content-Type": "text/html"})

    site.page("/", "/missing", "/broken", "/slow", "/closed", "/zip", "/login", "/forbidden", "/script", "/a")
    site.page("/a")
    site.routes["/broken"] = Reply(500)
    site.routes["/slow"] = slow
    site.routes["/closed"] = Reply(body=None)
    site.routes["/forbidden"] = Reply(403)
    site.routes["/zip"] = Reply(200, b"PK", {"Content-Type": "application/zip"})
    site.html("/login", "<main><h1>Sign in</h1><form><input type=password></form></main>")
    site.html("/script", "<body><div id=root></div><script src=/app.js></script></body>")
    result = crawl(store, settings(timeout_s=0.4))
    assert live().keys() == {"/", "/a"}
    assert result.failed == {
        "HTTP 404": 1,
        "HTTP 500": 1,
        "timeout": 1,
        "connection": 1,
        "login wall": 1,
        "HTTP 403": 1,
        "empty without JavaScript": 1,
    }
    assert result.skipped == {"not a page: application/zip": 1}
    assert {"url": site.at("/broken"), "title": None, "status": 500, "what": "failed: HTTP 500"} in result.examples


def test_a_page_larger_than_the_cap_is_not_kept(site: Website, store: Store, settings: Build, live: Rows) -> None:
    site.page("/", "/huge", "/bomb")
    site.page("/huge", text=PROSE * 100)
    bomb = gzip.compress(b"<p>" + b"0" * 5_000_000)
    site.routes["/bomb"] = Reply(200, bomb, {"Content-Type": "text/html", "Content-Encoding": "gzip"})
    result = crawl(store, settings(max_page_bytes=5_000))
    assert live().keys() == {"/"}
    assert result.failed == {"too large": 2}


def test_a_busy_server_is_given_the_rest_it_asks_for(site: Website, store: Store, settings: Build, live: Rows) -> None:
    times: list[float] = []

    def busy_once(request: Request) -> Reply:
        times.append(time.monotonic())
        return Reply(503, b"", {"Retry-After": "1"}) if len(times) == 1 else page

    site.page("/", "/a")
    page = site.page("/a")
    site.routes["/a"] = busy_once
    result = crawl(store, settings())
    assert live().keys() == {"/", "/a"}
    assert result.failed == {}
    assert times[1] - times[0] >= 0.95


def test_a_server_that_wants_hours_is_left_alone(site: Website, store: Store, settings: Build) -> None:
    site.page("/", "/a")
    site.routes["/a"] = Reply(429, b"", {"Retry-After": "7200"})
    assert crawl(store, settings(retries=5)).failed == {"HTTP 429": 1}
    assert site.asked()["/a"] == 1


def test_a_site_that_falls_silent_is_not_asked_on(
    site: Website, store: Store, settings: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crawler, "MAX_FAILURES_IN_A_ROW", 3)
    site.page("/", *(f"/{number}" for number in range(30)))
    for number in range(30):
        site.routes[f"/{number}"] = Reply(500)
    result = crawl(store, settings(retries=0, concurrency=1))
    assert result.failed == {"HTTP 500": 3, "site stopped answering": 27}


def test_one_page_that_breaks_the_parser_costs_one_page(
    site: Website, store: Store, settings: Build, live: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = verdict.read

    def breaking(answer, *args, **options):
        if answer.url.endswith("/bad"):
            raise RecursionError("too deeply nested")
        return read(answer, *args, **options)

    monkeypatch.setattr(verdict, "read", breaking)
    site.page("/", "/bad", "/a")
    site.page("/bad")
    site.page("/a")
    assert crawl(store, settings()).failed == {"unreadable": 1}
    assert live().keys() == {"/", "/a"}


def test_a_broken_installation_is_no_bad_page(
    site: Website, store: Store, settings: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaking(*args: object, **options: object) -> None:
        raise ImportError("no module named 'of_a_parser'")

    monkeypatch.setattr(verdict, "read", breaking)
    site.page("/")
    with pytest.raises(ImportError, match="of_a_parser"):
        crawl(store, settings())


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda site: site.robots("User-agent: *\nDisallow: /\n"), "robots.txt forbids it"),
        (lambda site: site.routes.update({"/robots.txt": Reply(503)}), "answers HTTP 503"),
        (lambda site: site.routes.update({"/": Reply(403)}), "wants a login"),
        (lambda site: site.html("/", "<body><script>render()</script></body>"), "set site.render to auto"),
        (lambda site: site.routes.update({"/": Reply(404)}), "HTTP 404"),
        (lambda site: site.redirect("/", "http://elsewhere.invalid/"), "redirects to http://elsewhere.invalid/"),
    ],
)
def test_a_site_without_a_page_is_an_error_with_a_remedy(
    site: Website, store: Store, settings: Build, prepare: Callable[[Website], None], message: str
) -> None:
    site.page("/")
    prepare(site)
    with pytest.raises(SiteError, match=message) as caught:
        crawl(store, settings())
    assert site.url.rstrip("/") in str(caught.value)
    assert store.names() == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://no-such-host.invalid/"])
def test_a_site_that_cannot_be_reached_is_an_error(store: Store, settings: Build, url: str) -> None:
    with pytest.raises(SiteError, match="check the address"):
        crawl(store, settings(url=url))


def test_pages_of_another_site_are_not_mixed_in(site: Website, store: Store, settings: Build) -> None:
    site.page("/")
    crawl(store, settings())
    with pytest.raises(SiteError, match="--data"):
        crawl(store, settings(url="http://another.invalid/"))
