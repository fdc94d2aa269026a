"""robots.txt, sitemaps, charsets, Retry-After and robots headers: pure functions over what sites send."""

import email.utils
import gzip
import logging
import time
from collections.abc import Callable
from xml.sax.saxutils import escape

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acronis_pipeline.core.charset import decode
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
    assert not sitemap.parse(xml).says_something


def test_a_text_sitemap_is_a_list_of_addresses() -> None:
    assert sitemap.parse(b"http://h.example/a\nrubbish\n").pages == (("http://h.example/a", None),)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><body>soft 404</body></html>", "HTML and no sitemap"),
        (b"<?xml version='1.0'?><!-- x --><html><body>soft 404 about a <urlset></body></html>", "HTML and no sitemap"),
        (b"<", "no address in it"),
        (b"\x1f\x8bbroken", "gzip that cannot be unpacked"),
        (b'{"not": "a sitemap"}', "no address in it"),
        (b"<urlset><page>http://h.example/a</page></urlset>", "no entry that can be read"),
        (b"<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'></urlset>", None),
        (b"<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'/>", None),
    ],
)
def test_what_is_no_sitemap_says_what_it_is(body: bytes, problem: str | None) -> None:
    assert sitemap.parse(body) == sitemap.Listing(problem=problem)


LOCS = ("http://h.example/a", "http://h.example/?a=1&b=2", "http://h.example/Größe")


def listed(charset: str, declared: str, spelt: Callable[[str], str] = escape) -> bytes:
    entries = "".join(f"<url><loc>{spelt(loc)}</loc></url>" for loc in LOCS)
    return f"<?xml version='1.0' encoding='{declared}'?><urlset>{entries}</urlset>".encode(charset)


@pytest.mark.parametrize(
    "body",
    [
        listed("utf-16", "utf-16"),
        listed("utf-16-le", "utf-16"),
        listed("utf-16-be", "utf-8"),
        listed("utf-8", "utf-16"),
        listed("utf-8-sig", "utf-8"),
        listed("utf-8", "iso-8859-1"),
        listed("utf-8", "no-such-charset"),
        listed("latin-1", "iso-8859-1"),
        listed("latin-1", "utf-8"),
        listed("utf-8", "utf-8", lambda loc: loc),
        listed("utf-8", "utf-8", lambda loc: escape(escape(loc))),
        listed("utf-8", "utf-8", lambda loc: f"<![CDATA[{loc}]]>"),
        listed("utf-8", "utf-8", lambda loc: escape(loc).replace("ö", "&ouml;")),
        listed("utf-8", "utf-8", lambda loc: "\x0b" + escape(loc)),
        b"\n\n" + listed("utf-8", "utf-8"),
        b"<br />\n<b>Warning</b>: something in <b>x.php</b>\n" + listed("utf-8", "utf-8") + b"<!-- cached -->",
        gzip.compress(gzip.compress(listed("utf-8", "utf-8"))),
        gzip.compress(listed("utf-8", "utf-8")[:99]) + gzip.compress(listed("utf-8", "utf-8")[99:]),
        "\ufeff{}\r\n{}\r\n{}".format(*LOCS).encode(),
        "\r".join(LOCS).encode("utf-16"),
        "".join(f"<item><link>{escape(loc)}</link></item>" for loc in LOCS)
        .join(("<rss><channel>", "</channel></rss>"))
        .encode(),
        "".join(f"<entry><link href='{escape(loc)}'/></entry>" for loc in LOCS).join(("<feed>", "</feed>")).encode(),
    ],
)
def test_a_sitemap_is_read_whatever_its_charset_and_its_slips(body: bytes) -> None:
    assert sitemap.parse(body) == sitemap.Listing(pages=tuple((loc, None) for loc in LOCS))


@given(st.integers(120, len(listed("utf-8", "utf-8")) - 2))
def test_a_sitemap_that_is_cut_off_lists_whole_addresses_and_says_so(end: int) -> None:
    found = sitemap.parse(listed("utf-8", "utf-8")[:end])
    assert found.problem == "cut off"
    assert [loc for loc, _ in found.pages] == list(LOCS[: len(found.pages)])


def test_a_sitemap_reads_no_files_of_this_machine() -> None:
    xml = b"""<!DOCTYPE urlset [<!ENTITY e SYSTEM "file:///etc/hostname">]>
    <urlset><url><loc>http://h.example/&e;</loc></url></urlset>"""
    assert sitemap.parse(xml).pages == (("http://h.example/&e;", None),)


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


WRITTEN = {
    "de": ("Die Prüfung dauert fünf Minuten.", "cp1252"),
    "fr": ("Le café est offert.", "cp1252"),
    "en": ("The trial costs £0, and it’s £9 a month.", "cp1252"),
    "pl": ("Kopia zapasowa była większa niż zażądano, więc usługa ją odrzuciła.", "cp1250"),
    "cs": ("Příkaz zálohování běží každou hodinu a šifruje data", "iso8859-2"),
    "ru": ("Резервное копирование выполняется каждую ночь.", "koi8_r"),
    "uk": ("Резервне копіювання виконується щоночі.", "cp1251"),
    "el": ("Τα αντίγραφα ασφαλείας φυλάσσονται για τριάντα ημέρες.", "cp1253"),
    "tr": ("Yedekleme işlemi her gece başlar.", "cp1254"),
    "he": ("הגיבוי נשמר שלושים יום בשרת.", "cp1255"),
    "ar": ("يتم حفظ النسخ الاحتياطية لمدة ثلاثين يوما", "cp1256"),
    "th": ("การสำรองข้อมูลจะถูกเก็บไว้สามสิบวัน", "cp874"),
    "ja": ("バックアップは三十日間保存されます。", "shift_jis"),
    "zh": ("备份保存三十天，可以恢复到其他硬件。", "gb18030"),
    "ko": ("백업은 30일 동안 보관됩니다.", "euc_kr"),
}


@pytest.mark.parametrize("language", WRITTEN)
@pytest.mark.parametrize("declared", ["utf-8", "iso-8859-1", "windows-1252", "no-such-charset", None])
def test_a_page_is_read_whatever_charset_was_declared_of_it(language: str, declared: str | None) -> None:
    text, charset = WRITTEN[language]
    page = f'<html lang="{language}"><title>x</title><p>{text}</p></html>'
    content_type = f"text/html; charset={declared}" if declared else "text/html"
    for written in ("utf-8", charset, "utf-16"):
        assert decode_html(page.encode(written), content_type) == page


def test_the_right_declaration_is_believed() -> None:
    for text, charset in WRITTEN.values():
        assert decode_html(f"<p>{text}</p>".encode(charset), f"text/html; charset={charset}") == f"<p>{text}</p>"


def test_what_was_pasted_in_another_charset_costs_nothing_else() -> None:
    around = "Die Größe 😀 für alle"
    assert decode(f"{around} ".encode() + "Prüfung “x”".encode("cp1252")) == f"{around} Prüfung “x”"
    assert decode("Все файлы ".encode() + b"\xe9" + " долго".encode()) == "Все файлы \ufffd долго"


@given(st.text())
def test_utf8_is_read_as_utf8_whatever_is_declared(text: str) -> None:
    for declared in ("iso-8859-1", "windows-1251", "utf-16"):
        assert decode(("größer – " + text).encode(), (declared,)) == "größer – " + text


@given(st.binary(max_size=200), st.sampled_from(["utf-8", "gb2312", "shift_jis", "utf-16", "x", None]))
def test_no_bytes_break_the_decoder(body: bytes, declared: str | None) -> None:
    assert isinstance(decode(body, (declared,)), str)


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
