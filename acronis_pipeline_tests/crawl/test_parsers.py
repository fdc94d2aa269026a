"""robots.txt, sitemaps, charsets, Retry-After and robots headers: pure functions over what sites send."""

import email.utils
import gzip
import logging
import time

import httpx2
import pytest

from acronis_pipeline.core.retries import retry_after_s
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl.fetching import site_files, sitemap
from acronis_pipeline.crawl.fetching.fetch import Answer
from acronis_pipeline.crawl.judging.formats import decode_html
from acronis_pipeline.crawl.judging.verdict import header_directives

SITE = SiteSettings(url="http://h.example/", max_crawl_delay_s=5.0)  # pyright: ignore[reportCallIssue]


def test_robots_rules_for_our_name_win_over_those_for_everyone() -> None:
    rules = site_files.parse_robots(
        "User-agent: *\nDisallow: /\n\nUser-agent: acronis-pipeline\nDisallow: /private/\n", SITE
    )
    assert rules.allows("http://h.example/docs/")
    assert not rules.allows("http://h.example/private/x")


def test_words_in_the_comment_of_the_user_agent_are_not_our_name() -> None:
    assert site_files.parse_robots("User-agent: search\nDisallow: /\n", SITE).allows("http://h.example/")


@pytest.mark.parametrize(
    ("lines", "delay_s"), [("Crawl-delay: 2", 2.0), ("Request-rate: 1/4s", 4.0), ("", 0.0), ("Crawl-delay: x", 0.0)]
)
def test_robots_may_ask_for_a_delay(lines: str, delay_s: float) -> None:
    assert site_files.parse_robots(f"User-agent: *\n{lines}\nDisallow: /x\n", SITE).delay_s == delay_s


def test_an_excessive_delay_is_cut_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert site_files.parse_robots("User-agent: *\nCrawl-delay: 3600\n", SITE).delay_s == 5.0
    assert "max_crawl_delay_s" in caplog.text


def test_html_instead_of_robots_allows_everything() -> None:
    assert site_files.parse_robots("<html><body>Not found</body></html>", SITE).allows("http://h.example/")


URLSET = b"""<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"
 xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">
<url><loc> http://h.example/a </loc><lastmod>2026-01-02</lastmod><image:image><image:loc>http://h.example/i.png
</image:loc></image:image></url><url><loc>http://h.example/b</loc></url><url/></urlset>"""
PAGES = (("http://h.example/a", "2026-01-02"), ("http://h.example/b", None))


@pytest.mark.parametrize("body", [URLSET, gzip.compress(URLSET)], ids=["plain", "gzip"])
def test_sitemap_entries_come_with_lastmod(body: bytes) -> None:
    assert sitemap.parse(body).pages == PAGES


def test_a_sitemap_index_names_files() -> None:
    xml = b"<sitemapindex><sitemap><loc>http://h.example/s1.xml</loc></sitemap></sitemapindex>"
    assert sitemap.parse(xml).files == ("http://h.example/s1.xml",)


def test_sitemap_entries_name_their_versions_in_other_languages_once() -> None:
    versions = "".join(
        f'<xhtml:link rel="alternate" hreflang="{tag}" href="http://h.example/{tag}/a"/>' for tag in ("en", "de-CH")
    )
    entry = "<url><loc>http://h.example/{}/a</loc>{}<xhtml:link rel='canonical' href='http://h.example/x'/></url>"
    body = (
        '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:xhtml="http://www.w3.org/1999/xhtml">'
        f"{entry.format('en', versions)}{entry.format('de-CH', versions)}</urlset>"
    )
    listing = sitemap.parse(body.encode())
    assert [address for address, _ in listing.pages] == ["http://h.example/en/a", "http://h.example/de-CH/a"]
    assert listing.alternates == (("http://h.example/en/a", "en"), ("http://h.example/de-CH/a", "de-CH"))


def test_elements_named_like_entries_elsewhere_in_the_file_are_none() -> None:
    xml = b"<feed><url><loc>http://h.example/a</loc></url></feed>"
    assert sitemap.parse(xml) == sitemap.Listing()


def test_a_text_sitemap_is_a_list_of_addresses() -> None:
    assert sitemap.parse(b"http://h.example/a\nrubbish\n").pages == (("http://h.example/a", None),)


@pytest.mark.parametrize(
    "body", [b"", b"<html><body>soft 404</body></html>", b"<", b"\x1f\x8bbroken", b'{"not": "a sitemap"}']
)
def test_rubbish_is_an_empty_sitemap(body: bytes) -> None:
    assert sitemap.parse(body) == sitemap.Listing()


def test_a_sitemap_reads_no_files_of_this_machine() -> None:
    xml = b"""<!DOCTYPE urlset [<!ENTITY e SYSTEM "file:///etc/hostname">]>
    <urlset><url><loc>http://h.example/&e;</loc></url></urlset>"""
    assert all(loc == "http://h.example/" for loc, _ in sitemap.parse(xml).pages)


def test_a_truncated_sitemap_gives_what_it_has() -> None:
    assert ("http://h.example/a", "2026-01-02") in sitemap.parse(URLSET[:230]).pages


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("Größe".encode("latin-1"), "text/html; charset=iso-8859-1"),
        (b"\xef\xbb\xbf" + "Größe".encode(), "text/html; charset=iso-8859-1"),
        (b'<meta charset="windows-1252">' + "Größe".encode("cp1252"), "text/html"),
        ("Größe".encode(), "text/html"),
        ("Größe und Übermaß, ähnlich schön".encode("latin-1"), None),
    ],
    ids=["header", "byte-order mark", "meta", "utf-8 by default", "guess"],
)
def test_charsets(body: bytes, content_type: str | None) -> None:
    assert "Größe" in decode_html(body, content_type)


@pytest.mark.parametrize(
    ("charset", "declared"), [("utf-8", "iso-8859-1"), ("cp1252", "utf-8"), ("cp1251", "utf-8"), ("shift_jis", "utf-8")]
)
def test_a_charset_that_is_plainly_wrong_is_not_believed(charset: str, declared: str) -> None:
    text = {
        "cp1251": "<p>Восстановление данных из резервной копии занимает несколько минут.</p>",
        "shift_jis": "<p>バックアップからデータを復元するには数分かかります。</p>",
    }.get(charset, "<p>Größe und Übermaß: die Wiederherstellung größerer Dateien dauert länger.</p>")
    assert decode_html((text * 3).encode(charset), f"text/html; charset={declared}") == text * 3


def test_undecodable_bytes_do_not_cost_the_page() -> None:
    assert "ok" in decode_html(b"ok \xff\xfe\x80", "text/html; charset=utf-8")


def test_retry_after_is_seconds_or_a_date() -> None:
    assert retry_after_s("3") == 3.0
    in_a_minute = email.utils.formatdate(time.time() + 60, usegmt=True)
    assert 50 < (retry_after_s(in_a_minute) or 0) <= 60
    assert retry_after_s("soon") is None
    assert retry_after_s(None) is None


@pytest.mark.parametrize(
    ("lines", "directives"),
    [
        (["noindex, nofollow"], {"noindex", "nofollow"}),
        (["otherbot: noindex"], set()),
        (["acronis-pipeline: NoIndex"], {"noindex"}),
        (
            ["unavailable_after: 25 Jun 2030 15:00:00 PST", "none"],
            {"unavailable_after: 25 jun 2030 15:00:00 pst", "none"},
        ),
    ],
)
def test_x_robots_tag_addresses_everyone_or_one_robot(lines: list[str], directives: set[str]) -> None:
    answer = Answer("http://h.example/", 200, httpx2.Headers([("X-Robots-Tag", line) for line in lines]))
    assert header_directives(answer, "acronis-pipeline") == directives
