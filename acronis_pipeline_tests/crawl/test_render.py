"""Pages that JavaScript builds, run in a real browser that reaches nothing but what our fetcher hands it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from acronis_pipeline.core.errors import SettingsError
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl import crawl
from acronis_pipeline.crawl.fetching import guard
from acronis_pipeline.crawl.running import render
from acronis_pipeline.store import Store
from acronis_pipeline_tests.crawl.conftest import Html, Rows
from acronis_pipeline_tests.crawl.website import PROSE, Reply, Website
from acronis_pipeline_tests.needs import needs

Build = Callable[..., SiteSettings]

SHELL = "<body><div id=root></div><script src=/app.js></script></body>"
SCRIPT = """
fetch('/api/text').then(r => r.text()).then(text => {
  document.getElementById('root').innerHTML =
    '<main><h1>App ' + location.pathname + '</h1><p>' + text + '</p><a href=/deep>deep</a></main>';
});
"""


def _browser() -> str | None:
    for name in ("chromium", "chromium-browser", "google-chrome", "chrome"):
        if found := shutil.which(name):
            return found
    bundled = sorted(Path.home().glob(".cache/ms-playwright/chromium*/*/*"))
    return next((str(path) for path in bundled if path.name in {"headless_shell", "chrome"}), None)


BROWSER = _browser()


def needs_browser(test: Callable[..., None]) -> Callable[..., None]:
    return pytest.mark.browser(pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")(test))


@pytest.fixture
@needs("server")
def elsewhere() -> Iterator[Website]:
    website = Website()
    yield website
    website.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "_QUIET_S", 0.05)
    monkeypatch.setattr(render, "_GRACE_S", 0.5)


def app(site: Website, script: str = SCRIPT) -> None:
    site.page("/", "/app")
    site.html("/app", SHELL)
    site.html("/deep", SHELL)
    site.routes["/app.js"] = Reply(200, script.encode(), {"Content-Type": "text/javascript"})
    site.routes["/api/text"] = Reply(200, PROSE.encode(), {"Content-Type": "text/plain"})


@needs_browser
def test_an_application_is_crawled_like_a_site(
    site: Website, store: Store, settings: Build, live: Rows, html: Html
) -> None:
    app(site)
    result = crawl(store, settings(render="auto", browser=BROWSER))
    assert result.failed == {}
    assert live().keys() == {"/", "/app", "/deep"}
    assert PROSE.strip() in html("/deep")
    assert site.asked()["/app.js"] == 1  # for both pages
    agents = {request.headers["user-agent"] for request in site.requests}
    assert len(agents) == 1  # our own, from our own fetcher


@needs_browser
def test_an_application_that_changes_is_asked_in_full_again(
    site: Website, store: Store, settings: Build, html: Html
) -> None:
    app(site, SCRIPT.replace("<a href=/deep>deep</a>", ""))
    site.routes["/app"] = Reply(200, SHELL.encode(), {"Content-Type": "text/html", "ETag": '"shell"'})
    options = {"render": "auto", "browser": BROWSER}
    crawl(store, settings(**options))
    site.routes["/api/text"] = Reply(200, b"Restores now take an hour. " * 4, {"Content-Type": "text/plain"})
    assert crawl(store, settings(**options)).changed == 1
    assert "Restores now take an hour." in html("/app")


@needs_browser
def test_a_page_reaches_nothing_but_what_the_crawl_may_ask_for(
    site: Website, store: Store, settings: Build, elsewhere: Website
) -> None:
    site.robots("User-agent: *\nDisallow: /private\n")
    other = elsewhere.url.replace("127.0.0.1", "localhost")
    app(
        site,
        f"""
        fetch('/private/x'); fetch('{elsewhere.url}beacon'); fetch('{other}named'); new Image().src = '/pixel.png';
        fetch('/api/text', {{method: 'POST', body: 'x'}}); navigator.sendBeacon('/log', 'x');
        new WebSocket('{elsewhere.url.replace("http", "ws")}socket'); location.href = '/elsewhere';
        document.body.insertAdjacentHTML('beforeend', '<iframe src="/private/frame"></iframe>');
        """,
    )
    result = crawl(store, settings(render="auto", browser=BROWSER))
    assert result.failed == {"empty without JavaScript": 1}
    assert site.asked().keys() == {"/robots.txt", "/sitemap.xml", "/", "/app", "/app.js"}
    assert not elsewhere.requests


@needs_browser
def test_hosts_that_are_named_may_be_loaded_from(
    site: Website,
    store: Store,
    settings: Build,
    elsewhere: Website,
    live: Rows,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guard, "is_public", lambda address: True)  # both somewhere on the internet
    site.page("/", "/app")
    site.html("/app", f"<body><div id=root></div><script src={elsewhere.url}lib.js></script></body>")
    script = f"document.getElementById('root').innerHTML = '<main><p>{PROSE}</p></main>'"
    elsewhere.routes["/lib.js"] = Reply(200, script.encode(), {"Content-Type": "text/javascript"})
    crawl(store, settings(render="auto", browser=BROWSER, render_hosts=("127.0.0.1",)))
    assert live().keys() == {"/", "/app"}


@needs_browser
def test_a_script_without_end_costs_its_page_and_its_time(
    site: Website, store: Store, settings: Build, live: Rows
) -> None:
    app(site, SCRIPT.replace("<a href=/deep>deep</a>", ""))
    site.html("/loop", "<body><div id=root></div><script>while (true) {}</script></body>")
    site.page("/", "/loop", "/app")
    result = crawl(store, settings(render="auto", browser=BROWSER, render_timeout_s=3.0))
    assert result.failed == {"empty without JavaScript": 1}
    assert live().keys() == {"/", "/app"}


def test_without_rendering_the_share_and_the_remedy_are_reported(
    site: Website, store: Store, settings: Build, caplog: pytest.LogCaptureFixture
) -> None:
    app(site)
    result = crawl(store, settings())
    assert result.failed == {"empty without JavaScript": 1}
    assert "1 of 2 pages (50%) are empty without JavaScript: set site.render to auto" in caplog.text


@pytest.mark.parametrize(
    ("browser", "message"),
    [
        ("/no/such/browser", "site.browser = '/no/such/browser' does not exist"),
        (shutil.which("true"), "does not start .* set site.browser"),
    ],
)
def test_a_browser_that_is_none_is_named(
    site: Website, store: Store, settings: Build, browser: str, message: str
) -> None:
    app(site)
    with pytest.raises(SettingsError, match=message):
        crawl(store, settings(render="auto", browser=browser))
    assert store.names() == []
