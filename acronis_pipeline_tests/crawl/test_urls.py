import string
from random import Random
from urllib.parse import urljoin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acronis_pipeline.core.errors import SiteError
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl.fetching import urls
from acronis_pipeline.crawl.fetching.scope import Scope
from acronis_pipeline.crawl.fetching.urls import MAX_URL_CHARS, canonical


def scope(url: str = "https://h.example/docs/", **settings: object) -> Scope:
    return Scope.of(SiteSettings(url=url, **settings))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTP://Example.COM:80/A", "http://example.com/A"),
        ("https://example.com:443", "https://example.com/"),
        ("https://example.com:8443/", "https://example.com:8443/"),
        ("https://example.com/a#part", "https://example.com/a"),
        ("https://example.com/a/../b/./c/..", "https://example.com/b/"),
        ("https://example.com/%7euser/%c3%a9 x", "https://example.com/~user/%C3%A9%20x"),
        ("https://example.com/a%2fb", "https://example.com/a%2Fb"),
        ("https://example.com/?utm_source=x&b=2&gclid=1&a=1", "https://example.com/?a=1&b=2"),
        ("https://example.com/a;jsessionid=0A1B?x=", "https://example.com/a?x="),
        ("https://example.com/?%75tm_source=x&b=2", "https://example.com/?b=2"),
        ("https://example.com/a;%6Asessionid=0A1B", "https://example.com/a"),
        ("https://example.com/?PHPSESSID=1&ASPSESSIONIDQQ=2&cfid=3&session_id=4&q=5", "https://example.com/?q=5"),
        ("https://example.com/?sid=0123456789abcdef0", "https://example.com/"),
        ("https://example.com/?sid=12&sess=ion", "https://example.com/?sess=ion&sid=12"),
        ("https://example.com/(S(lit3py55t21z5v55vlm25s55))/a.aspx", "https://example.com/a.aspx"),
        ("https://example.com/f(x)/a", "https://example.com/f(x)/a"),
        ("https://example.com/?hsa_acc=1&mtm_kw=2&gad_source=3&srsltid=4", "https://example.com/"),
        ("https://example.com/?tag=b&tag=a&c=1", "https://example.com/?c=1&tag=b&tag=a"),
        ("https://example.com./a", "https://example.com/a"),
        ("https://bücher.example/é", "https://xn--bcher-kva.example/%C3%A9"),
        ("https://[::1]:8080/a", "https://[::1]:8080/a"),
    ],
)
def test_spellings_of_one_address_become_one(url: str, expected: str) -> None:
    assert canonical(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "mailto:a@example.com",
        "javascript:void(0)",
        "file:///etc/passwd",
        "https://",
        "https://[bad/",
        "https://user:secret@example.com/",
        "https://example.com:99999/",
        "https://example.com/" + "a" * MAX_URL_CHARS,
    ],
)
def test_what_a_crawler_should_not_ask_for_has_no_spelling(url: str) -> None:
    assert canonical(url) is None


def test_a_trailing_slash_is_significant() -> None:
    assert canonical("https://h.example/a") != canonical("https://h.example/a/")


def test_relative_links_resolve_against_their_page() -> None:
    assert canonical("../b?x=1#y", "https://h.example/docs/a/") == "https://h.example/docs/b?x=1"


def test_parameters_without_meaning_on_a_site_can_be_named() -> None:
    named = scope(drop_parameters=("view", "ui_*", "a.b"))
    assert named.canonical("https://h.example/docs/?View=1&ui_theme=dark&q=x&a.b=1") == "https://h.example/docs/?q=x"
    assert named.canonical("https://h.example/docs/?viewer=1&aXb=1") == "https://h.example/docs/?aXb=1&viewer=1"


_NOISE = ["utm_source=x", "PHPSESSID=1", "sid=0123456789abcdef0", "gclid=", "%75tm_id=1"]


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["a=1", "b=2", "b=1", "c"]), unique_by=lambda part: part[0]),
    st.lists(st.sampled_from(_NOISE)),
    st.randoms(use_true_random=False),
)
def test_neither_noise_nor_order_makes_another_address(parts: list[str], noise: list[str], chance: Random) -> None:
    shuffled = parts + noise
    chance.shuffle(shuffled)
    assert canonical(f"http://h.example/a?{'&'.join(shuffled)}") == canonical(f"http://h.example/a?{'&'.join(parts)}")


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["/a", "/.", "/..", "/%2e", "/(S(0123456789abcdef))", ";jsessionid=1", ";sid=2", "//"]))
)
def test_sessions_and_dots_in_the_path_leave_nothing_to_remove(pieces: list[str]) -> None:
    once = canonical("http://h.example" + "".join(pieces))
    assert once is not None
    assert canonical(once) == once


@settings(deadline=None)
@given(
    st.text(string.ascii_letters + string.digits + "/.%~;=&? é+-_:@!$'()*,", max_size=40),
    st.sampled_from(["http://h.example/", "https://H.example:8443/", "http://h.example:80"]),
)
def test_canonical_is_idempotent(tail: str, head: str) -> None:
    once = canonical(head + tail)
    assert once is None or canonical(once) == once


@settings(deadline=None)
@given(
    st.sampled_from(["http", "https", "HTTP", "ftp"]),
    st.sampled_from(["h.example", "a-b.h.example", "a--b", "h.example.", "-h", "127.0.0.1", "xn--a", "x" * 64, ""])
    | st.from_regex(r"[a-z0-9.-]{0,70}", fullmatch=True),
    st.sampled_from(["", ":80", ":443", ":8080", ":0443", ":59999", ":65535", ":65536", ":8"]),
    st.lists(
        st.sampled_from(["/", "/a", "/A.b", "/.", "/..", "/...", "/.well-known", "/~x", "/a_-", "/%41", "/é", ";sid=1"])
    ),
)
def test_the_short_way_spells_as_the_long_one(scheme: str, host: str, port: str, path: list[str]) -> None:
    url = f"{scheme}://{host}{port}{''.join(path)}"
    assert canonical(url) == urls._respelt(url, None)
    if urls._PLAIN.fullmatch(url):
        assert urls._respelt(urljoin("http://other.example/a/b", url), None) == url


def test_what_most_links_are_like_is_plain() -> None:
    plain = ["https://h.example/docs/en-us/", "http://127.0.0.1:40123/a_b/c.html", "https://h.example/"]
    urls._respelt.cache_clear()
    assert [canonical(url) for url in plain] == plain
    assert urls._respelt.cache_info().misses == 0


def test_scope_is_the_folder_of_the_start_page() -> None:
    docs = scope("https://h.example/docs/start.html")
    assert docs.prefix == "/docs/"
    assert docs.why_not("https://h.example/docs/deep/page") is None
    assert docs.why_not("https://h.example/blog/") == "outside /docs/"


@pytest.mark.parametrize(
    "url", ["https://evil.example/docs/", "https://h.example:8443/docs/", "https://sub.h.example/docs/"]
)
def test_other_hosts_and_ports_are_off_site(url: str) -> None:
    assert scope().why_not(url) == "off-site"


def test_http_links_of_an_https_site_are_its_pages() -> None:
    assert scope().canonical("http://h.example/docs/a") == "https://h.example/docs/a"
    assert scope().canonical("http://h.example:81/docs/a") == "http://h.example:81/docs/a"


def test_include_and_exclude_are_searched_in_the_whole_address() -> None:
    narrowed = scope(include=(r"/guides/",), exclude=(r"\?print",))
    assert narrowed.why_not("https://h.example/docs/guides/a") is None
    assert narrowed.why_not("https://h.example/docs/guides/a?print=1") == "excluded"
    assert narrowed.why_not("https://h.example/docs/api/a") == "not included"


def test_downloads_are_not_asked_for_but_products_named_like_files_are() -> None:
    assert scope().why_not("https://h.example/docs/setup.EXE") == "not a page: .exe"
    assert scope().why_not("https://h.example/docs/node.js") is None


def test_link_loops_are_recognised() -> None:
    assert scope().why_not("https://h.example/docs/a/b/a/b/a/b/a/b/") == "path repeats itself"


def test_a_bad_pattern_is_named() -> None:
    with pytest.raises(SiteError, match=r"site\.exclude: '\('"):
        scope(exclude=("(",))


def test_a_start_page_that_adds_a_slash_narrows_the_scope_to_its_folder() -> None:
    site = SiteSettings(url="http://h.example/docs")  # pyright: ignore[reportCallIssue]
    moved = Scope.of(site).moved_to("https://h.example/docs/", site)
    assert (moved.prefix, moved.origin) == ("/docs/", "https://h.example")
