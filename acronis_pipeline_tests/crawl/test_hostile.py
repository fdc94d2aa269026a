"""Servers that misbehave, by accident or on purpose: each costs its own page at most, and little time and memory."""

import asyncio
import gzip
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from acronis_pipeline.core import retries
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl import crawl
from acronis_pipeline.crawl.fetching import fetch
from acronis_pipeline.crawl.fetching.fetch import Answer, Ask, Fetcher, FetchError, RedirectRefusedError
from acronis_pipeline.crawl.fetching.guard import PrivateSite
from acronis_pipeline.crawl.fetching.pace import Pace
from acronis_pipeline.crawl.fetching.scope import Scope
from acronis_pipeline.store import Store
from acronis_pipeline_tests.crawl.conftest import Html, Rows
from acronis_pipeline_tests.crawl.raw_server import OK_HTML, RawServer
from acronis_pipeline_tests.crawl.website import PROSE, Reply, Request, Website
from acronis_pipeline_tests.needs import needs

Build = Callable[..., SiteSettings]


@pytest.fixture
@needs("server")
def raw() -> Iterator[RawServer]:
    server = RawServer()
    yield server
    server.close()


def ask(server: RawServer, **settings: object) -> Answer:
    """One request for `/`, as the crawler makes it."""
    site = SiteSettings(url=server.url, **{"timeout_s": 2.0, "retries": 0, **settings})  # pyright: ignore[reportArgumentType]

    async def work() -> Answer:
        async with Fetcher(
            site, private_site=PrivateSite.at("127.0.0.1", urlsplit(site.url).port or 80), pace=Pace()
        ) as fetcher:
            return await fetcher.get(server.url, Ask(hop=Scope.of(site).redirect))

    return asyncio.run(work())


def failure(server: RawServer, **settings: object) -> str:
    with pytest.raises(FetchError) as caught:
        ask(server, **settings)
    return caught.value.reason


# The bytes of an answer


def test_a_gigabyte_that_is_announced_is_not_begun(raw: RawServer) -> None:
    def gigabyte(connection: socket.socket) -> None:
        raw.send(connection, OK_HTML + b"Content-Length: 1073741824\r\n\r\n")
        while True:
            raw.send(connection, b"x" * 65_536)

    raw.behaviours["/"] = gigabyte
    answer = ask(raw)
    assert (answer.truncated, answer.body) == (True, b"")
    assert raw.sent_bytes < 20_000_000  # what fits into the buffers of two sockets


def test_an_endless_body_is_cut_at_the_cap(raw: RawServer) -> None:
    def endless(connection: socket.socket) -> None:
        raw.send(connection, OK_HTML + b"Connection: close\r\n\r\n")
        while True:
            raw.send(connection, b"x" * 65_536)

    raw.behaviours["/"] = endless
    answer = ask(raw, max_page_bytes=200_000)
    assert (answer.truncated, len(answer.body)) == (True, 200_000)


@pytest.mark.parametrize("where", ["head", "body"])
def test_a_slow_drip_ends_when_the_time_for_a_page_is_up(raw: RawServer, where: str) -> None:
    def drip(connection: socket.socket) -> None:
        raw.send(connection, OK_HTML + (b"\r\n" if where == "body" else b"X: "))
        while True:
            raw.send(connection, b"x")
            time.sleep(0.05)

    raw.behaviours["/"] = drip
    started = time.monotonic()
    assert failure(raw, timeout_s=0.4) == "timeout"
    assert time.monotonic() - started < 2.0


def test_a_body_that_does_not_end_in_time_is_asked_for_once_more_only(raw: RawServer) -> None:
    def drip(connection: socket.socket) -> None:
        raw.send(connection, OK_HTML + b"\r\n")
        while True:
            raw.send(connection, b"x")
            time.sleep(0.05)

    raw.behaviours["/"] = drip
    assert failure(raw, timeout_s=0.2, retries=3) == "timeout"
    assert raw.asked["/"] == 2


@pytest.mark.parametrize("line", [b"X-%d: y\r\n", b"X-long: " + b"y" * 1000], ids=["many", "long"])
def test_a_flood_of_headers_is_hung_up_on(raw: RawServer, line: bytes) -> None:
    def flood(connection: socket.socket) -> None:
        raw.send(connection, OK_HTML)
        for number in range(10**9):
            raw.send(connection, line % number if b"%d" in line else line)

    raw.behaviours["/"] = flood
    assert failure(raw) == "connection"
    assert raw.sent_bytes < 20_000_000


def test_a_flood_of_provisional_answers_ends_in_time(raw: RawServer) -> None:
    def hints(connection: socket.socket) -> None:
        while True:
            raw.send(connection, b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")

    raw.behaviours["/"] = hints
    assert failure(raw, timeout_s=0.4) == "timeout"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_unfolds_to_the_cap_and_no_further(raw: RawServer, encoding: str) -> None:
    body = b"0" * 100_000_000
    packed = gzip.compress(body, 9) if encoding == "gzip" else zlib.compress(body, 9)
    head = OK_HTML + f"Content-Encoding: {encoding}\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
    raw.behaviours["/"] = head + packed
    answer = ask(raw, max_page_bytes=1_000_000)
    assert (answer.truncated, len(answer.body)) == (True, 1_000_000)


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "zstd", "gzip, deflate, gzip", "x-unknown"])
def test_encodings_that_were_not_asked_for_are_refused(raw: RawServer, encoding: str) -> None:
    packed = gzip.compress(gzip.compress(b"0" * 1_000))
    raw.behaviours["/"] = OK_HTML + f"Content-Encoding: {encoding}\r\nConnection: close\r\n\r\n".encode() + packed
    assert failure(raw) == "content encoding"


@pytest.mark.parametrize(
    "body",
    [b"not gzip at all", gzip.compress(PROSE.encode())[:-9] + b"xxxxxxxxx"],
    # Named, because gzip writes the time of day: two test processes would know one test by two names.
    ids=["no gzip", "broken end"],
)
def test_a_broken_encoding_is_named(raw: RawServer, body: bytes) -> None:
    raw.behaviours["/"] = OK_HTML + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n" + body
    assert failure(raw) == "broken encoding"


@pytest.mark.parametrize(
    "answer",
    [
        OK_HTML + b"Content-Length: 5000\r\n\r\n" + PROSE.encode(),
        OK_HTML + b"Transfer-Encoding: chunked\r\n\r\n40\r\nhalf of a chunk",
        OK_HTML,
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"",
    ],
    ids=["body cut off", "chunk cut off", "head cut off", "no HTTP", "two lengths", "negative length", "nothing"],
)
def test_half_an_answer_is_none(raw: RawServer, answer: bytes) -> None:
    raw.behaviours["/"] = answer
    assert failure(raw) == "connection"


def test_what_comes_after_the_announced_length_is_not_taken(raw: RawServer) -> None:
    raw.behaviours["/"] = OK_HTML + b"Content-Length: 4\r\n\r\npageHTTP/1.1 200 OK\r\n\r\nsmuggled"
    assert ask(raw).body == b"page"


def test_a_connection_that_drops_once_is_tried_again(raw: RawServer) -> None:
    def once(connection: socket.socket) -> None:
        raw.behaviours["/"] = OK_HTML + b"Content-Length: 4\r\n\r\npage"
        raw.send(connection, OK_HTML + b"Content-Length: 100\r\n\r\nhal")

    raw.behaviours["/"] = once
    assert ask(raw, retries=1).body == b"page"


# Where an answer sends us


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:169.254.169.254]/",
        "http://2852039166/",
        "http://0xa9fea9fe/",
        "http://localhost:{port}/secret",
        "http://127.0.0.1:1/",
        "//10.0.0.1/",
        "http://127.0.0.1@evil.invalid/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:{port}/",
    ],
)
def test_redirects_off_the_site_are_not_followed(raw: RawServer, location: str) -> None:
    port = raw.url.rsplit(":", 1)[1].rstrip("/")
    raw.behaviours["/"] = f"HTTP/1.1 302 Found\r\nLocation: {location.format(port=port)}\r\n\r\n".encode()
    with pytest.raises(RedirectRefusedError, match="off-site"):
        ask(raw)
    assert raw.asked == {"/": 1}


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1", "[::ffff:127.0.0.1]", "localhost"])
def test_no_spelling_of_a_private_address_passes_for_a_public_host(raw: RawServer, host: str) -> None:
    site = SiteSettings(url=raw.url.replace("127.0.0.1", host), retries=0)  # pyright: ignore[reportCallIssue]

    async def work() -> Answer:
        async with Fetcher(site, private_site=None, pace=Pace()) as fetcher:
            return await fetcher.get(site.url, Ask(hop=Scope.of(site).redirect))

    with pytest.raises(FetchError) as caught:
        asyncio.run(work())
    assert caught.value.reason == "private address"
    assert not raw.asked


def test_a_loop_of_redirects_ends(raw: RawServer) -> None:
    raw.behaviours["/"] = b"HTTP/1.1 302 Found\r\nLocation: /a\r\nContent-Length: 0\r\n\r\n"
    raw.behaviours["/a"] = b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"
    assert failure(raw) == "too many redirects"
    assert raw.asked.total() <= fetch.MAX_REDIRECTS + 1


# What an answer says


def sent(site: Website, path: str, body: bytes, content_type: str = "text/html") -> None:
    site.page("/", path)
    site.html(path, body, content_type)


@pytest.mark.parametrize("tag", ["div", "b", "table><tr><td", "ul><li", "span"])
def test_markup_nested_without_end_costs_a_moment(
    site: Website, store: Store, settings: Build, live: Rows, tag: str
) -> None:
    sent(site, "/deep", f"<html><body><main><{tag}>".encode() + f"<{tag}>".encode() * 100_000 + PROSE.encode())
    started = time.monotonic()
    result = crawl(store, settings(timeout_s=20.0))
    assert result.failed == {"nested too deeply": 1}
    assert live().keys() == {"/"}
    assert time.monotonic() - started < 5.0


def test_a_page_of_many_icons_and_unclosed_paragraphs_is_not_nested(
    site: Website, store: Store, settings: Build, live: Rows
) -> None:
    icons = "<svg>" + "<path d='M0 0'/>" * 3_000 + "</svg>"
    sent(site, "/icons", f"<html><body><main>{icons}{f'<p>{PROSE}<br>' * 3_000}</main></body></html>".encode())
    assert crawl(store, settings()).failed == {}
    assert live().keys() == {"/", "/icons"}


def test_null_bytes_and_broken_tags_do_not_cost_the_page(
    site: Website, store: Store, settings: Build, live: Rows, html: Html
) -> None:
    sent(site, "/odd", f"<html><body\0><main><p>{PROSE}\0<b <i>\x01 </main><//><p".encode())
    crawl(store, settings())
    assert live().keys() == {"/", "/odd"}
    assert PROSE.strip() in html("/odd")


def test_a_page_in_an_undeclared_charset_is_read(
    site: Website, store: Store, settings: Build, live: Rows, html: Html
) -> None:
    text = "Die Wiederherstellung größerer Dateien dauert länger, da sie geprüft werden müssen. " * 3
    sent(site, "/latin", f"<html lang=de><main><p>{text}</p></main></html>".encode("cp1252"))
    crawl(store, settings())
    assert text.strip() in html("/latin")


@pytest.mark.parametrize(
    "body", [b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40, b"MZ\x90\0" + bytes(4_000), b"PK\x03\x04" + b"\xff\0" * 900]
)
def test_binary_that_is_served_as_html_is_no_page(
    site: Website, store: Store, settings: Build, live: Rows, body: bytes
) -> None:
    sent(site, "/file", body)
    crawl(store, settings())
    assert live().keys() == {"/"}


@pytest.mark.parametrize(
    "body",
    [
        "<main><h1>Sign in</h1><form><input type=password></form></main>",
        "<title>Log in to Example</title><main><h1>Log in</h1><form><input type=email></form></main>",
        "<main><h1>Anmelden</h1><form><input name=username><button>Weiter</button></form></main>",
    ],
)
def test_logins_are_recognised(site: Website, store: Store, settings: Build, body: str) -> None:
    sent(site, "/login", body.encode())
    assert crawl(store, settings()).failed == {"login wall": 1}


def test_help_on_signing_in_is_a_page(site: Website, store: Store, settings: Build, live: Rows) -> None:
    sent(site, "/help", f"<form><input type=search></form><main><h1>Sign in</h1><p>{PROSE}</p></main>".encode())
    crawl(store, settings())
    assert live().keys() == {"/", "/help"}


@pytest.mark.parametrize(
    "body",
    [
        "<body><div id=root></div><script src=/app.js></script></body>",
        "<body><noscript>You need to enable JavaScript to run this app.</noscript><script src=/a.js></script></body>",
        "<body><p>Please enable JavaScript in your browser to use this site.</p><script src=/a.js></script></body>",
        "<body><p>Für diese Seite bitte JavaScript aktivieren, sonst geht nichts.</p><script src=a.js></script></body>",
    ],
)
def test_pages_that_need_javascript_are_reported_as_such(
    site: Website, store: Store, settings: Build, body: str
) -> None:
    sent(site, "/app", body.encode())
    assert crawl(store, settings()).failed == {"empty without JavaScript": 1}


def test_a_page_about_javascript_is_a_page(site: Website, store: Store, settings: Build, live: Rows) -> None:
    sent(site, "/js", f"<main><h1>Enable JavaScript</h1><p>{PROSE * 5}</p></main><script src=a.js></script>".encode())
    crawl(store, settings())
    assert live().keys() == {"/", "/js"}


# Sites without end, and without honesty


def test_an_endless_calendar_ends_and_the_rest_is_crawled(
    site: Website, store: Store, settings: Build, live: Rows
) -> None:
    def day(request: Request) -> Reply:
        number = int(request.path.rsplit("/", 1)[1])
        links = "".join(f"<a href=/calendar/{number * 2 + step}>next</a>" for step in (1, 2))
        body = f"<html><main><h1>Day {number}</h1><p>{PROSE}{links}</p></main></html>"
        return Reply(200, body.encode(), {"Content-Type": "text/html"})

    site.page("/", "/calendar/0", "/guide")
    site.page("/guide")
    site.otherwise = lambda request: day(request) if request.path.startswith("/calendar/") else Reply(404)
    result = crawl(store, settings(max_similar_urls=20, max_depth=50))
    assert {"/", "/guide"} <= live().keys()
    assert sum(path.startswith("/calendar/") for path in live()) == 20
    assert result.skipped["too many similar addresses"] > 0


def test_articles_with_numbers_that_the_sitemap_lists_are_all_crawled(
    site: Website, store: Store, settings: Build, live: Rows
) -> None:
    site.page("/", *(f"/kb/{number}" for number in range(30)))
    for number in range(30):
        site.page(f"/kb/{number}")
    site.sitemap(*((f"/kb/{number}", None) for number in range(30)))
    crawl(store, settings(max_similar_urls=3))
    assert len(live()) == 31


def test_soft_404s_count_as_absent(site: Website, store: Store, settings: Build, live: Rows) -> None:
    apology = b"<title>Example</title><main><h1>Hm</h1><p>Nothing here. " + PROSE.encode() + b"</p></main>"
    site.page("/", "/a", "/gone", "/fehlt")
    site.page("/a")
    site.page("/gone")
    crawl(store, settings())
    assert live().keys() == {"/", "/a", "/gone"}
    site.otherwise = Reply(200, apology, {"Content-Type": "text/html"})
    del site.routes["/gone"]
    for _ in range(2):
        result = crawl(store, settings(robots_cache_h=0.0))
        assert (result.failed, result.skipped["soft 404"]) == ({}, 2)
    assert live().keys() == {"/", "/a"}


def test_a_site_that_sends_everything_unknown_to_its_start_page(
    site: Website, store: Store, settings: Build, live: Rows
) -> None:
    site.page("/", "/a", "/gone")
    site.page("/a")
    site.page("/gone")
    crawl(store, settings())
    site.otherwise = Reply(302, b"", {"Location": "/"})
    del site.routes["/gone"]
    for _ in range(2):
        assert crawl(store, settings()).skipped["soft 404"] == 1
    assert live().keys() == {"/", "/a"}


# Spellings and languages


def test_spellings_with_the_same_content_are_one_page(site: Website, store: Store, settings: Build, live: Rows) -> None:
    site.page("/", "/a/", "/a/index.html", "/a", "/b", "/b/")
    page = site.page("/a/")
    site.routes["/a/index.html"] = site.routes["/a"] = page
    site.page("/b")
    site.page("/b/")  # another page
    for _ in range(2):
        result = crawl(store, settings(concurrency=1))
        assert result.skipped["alias of a canonical page"] == 2
        assert live().keys() == {"/", "/a/", "/b", "/b/"}


def test_only_wanted_languages_are_kept_and_known_others_not_asked_for(
    site: Website, store: Store, settings: Build, live: Rows
) -> None:
    alternates = '<link rel=alternate hreflang=de href="/de/a"><link rel=alternate hreflang=en href="/en/a">'
    german = f"<html lang=de><main><h1>Seite</h1><p>{PROSE}<a href=/de/c>c</a></p></main></html>"
    site.page("/", "/de/a", "/de/b", "/switch", head=alternates)
    site.page("/en/a")
    site.page("/switch", "/en/b")
    site.routes["/switch"] = Reply(
        200,
        f'<html lang=fr><main><p>{PROSE}</p><a href=/fr/x>x</a><a hreflang=en href="/en/b">English</a></main>'.encode(),
        {"Content-Type": "text/html"},
    )
    site.page("/en/b")
    for path in ("/de/a", "/de/b", "/de/c", "/fr/x"):
        site.html(path, german)
    result = crawl(store, settings(languages=("en",)))
    assert live().keys() == {"/", "/en/a", "/en/b"}
    assert result.skipped == {"other language": 2}
    assert not site.asked().keys() & {"/de/a", "/de/c", "/fr/x"}


# Politeness


def test_a_storm_of_429_slows_the_crawl_down_and_ends_it(
    site: Website, store: Store, settings: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.page("/", *(f"/{number}" for number in range(200)))
    site.otherwise = lambda request: Reply(404 if "no-such-page" in request.path or "." in request.path else 429)
    monkeypatch.setattr("acronis_pipeline.crawl.fetching.pace._FIRST_EXTRA_DELAY_S", 0.001)
    result = crawl(store, settings(retries=1, concurrency=4))
    assert result.failed["site stopped answering"] > 150
    assert site.asked().total() < 100


def test_back_off_doubles_with_jitter() -> None:
    waits = [[retries.backoff_s(attempt) for _ in range(200)] for attempt in range(4)]
    for attempt, drawn in enumerate(waits):
        usual = retries.FIRST_BACKOFF_S * 2**attempt
        assert all(0.5 * usual <= wait_s <= 1.5 * usual for wait_s in drawn)
        assert len(set(drawn)) > 100


def test_the_contact_is_in_every_request(site: Website, store: Store, settings: Build) -> None:
    site.page("/")
    crawl(store, settings(contact="https://example.com/bot"))
    agents = {request.headers["user-agent"] for request in site.requests}
    assert agents == {"acronis-pipeline/0.1 (+https://example.com/bot)"}
