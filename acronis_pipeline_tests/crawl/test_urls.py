import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acronis_pipeline.crawl.urls import MAX_URL_CHARS, Scope, canonical
from acronis_pipeline.errors import SiteError
from acronis_pipeline.settings import SiteSettings


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


@given(
    st.text(string.ascii_letters + string.digits + "/.%~;=&? é+-_:@!$'()*,", max_size=40),
    st.sampled_from(["http://h.example/", "https://H.example:8443/", "http://h.example:80"]),
)
def test_canonical_is_idempotent(tail: str, head: str) -> None:
    once = canonical(head + tail)
    assert once is None or canonical(once) == once


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
    assert scope().why_not("https://h.example/docs/manual.PDF") == "not HTML: .pdf"
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
