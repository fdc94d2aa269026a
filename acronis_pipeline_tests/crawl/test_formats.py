"""More than HTML: what a server sends, whatever it says that it sends."""

import gzip
import os
from collections.abc import Callable
from typing import Any

import pytest

from acronis_pipeline.content.pdf import PdfLimits
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl import crawl
from acronis_pipeline.crawl.fetching.fetch import Answer
from acronis_pipeline.crawl.judging.formats import Formats, NotAPageError
from acronis_pipeline.store import Store
from acronis_pipeline_tests.content.pdf_maker import Put, make, paragraph
from acronis_pipeline_tests.crawl.conftest import Html, Rows
from acronis_pipeline_tests.crawl.website import PROSE, Reply, Website

Build = Callable[..., SiteSettings]

PDF = make([[Put("Restore Guide", 700, size=20), *paragraph(PROSE[:80], PROSE[80:150], y=660)]])
MARKDOWN = f"---\ntitle: Schedules\n---\n\n## Nightly\n\n{PROSE}\n".encode()
TEXT = f"Read me first\n\n{PROSE}\n".encode()


def answer(body: bytes, media_type: str, path: str = "/x") -> Answer:
    import httpx2

    return Answer(f"https://h.example{path}", 200, httpx2.Headers({"Content-Type": media_type}), body)


def test_pdf_markdown_and_text_become_pages(
    site: Website, store: Store, settings: Build, live: Rows, html: Html
) -> None:
    site.page("/", "/guide.pdf", "/schedules.md", "/readme.txt")
    site.html("/guide.pdf", PDF, "application/pdf")
    site.html("/schedules.md", MARKDOWN, "text/plain")
    site.html("/readme.txt", TEXT, "text/plain; charset=utf-8")
    result = crawl(store, settings())
    pages = {path: (row["title"], row["media_type"]) for path, row in live().items() if path != "/"}
    assert pages == {
        "/guide.pdf": ("Restore Guide", "application/pdf"),
        "/schedules.md": ("Schedules", "text/markdown"),
        "/readme.txt": ("Read me first", "text/plain"),
    }
    assert '<span data-page="1"></span>' in html("/guide.pdf")
    assert not result.failed
    assert not result.skipped


def test_formats_that_are_not_wanted_are_not_asked_for(
    site: Website, store: Store, settings: Build, live: Rows
) -> None:
    site.page("/", "/guide.pdf", "/schedules.md", "/download")
    site.html("/guide.pdf", PDF, "application/pdf")
    site.html("/schedules.md", MARKDOWN, "text/markdown")
    site.html("/download", PDF, "application/pdf")
    result = crawl(store, settings(formats=("html",)))
    assert live().keys() == {"/"}
    assert result.skipped == {"not a page: .pdf": 1, "not a page: .md": 1, "not a page: application/pdf": 1}
    assert not site.asked()["/guide.pdf"]


def test_the_same_text_in_another_pdf_is_no_change(site: Website, store: Store, settings: Build) -> None:
    site.page("/", "/guide.pdf")
    pages = [[Put("Restore Guide", 700, size=20), *paragraph(PROSE[:80], y=660)]]
    site.html("/guide.pdf", make(pages, producer="Word 16"), "application/pdf")
    crawl(store, settings())
    site.html("/guide.pdf", make(pages, producer="Word 17, a longer name"), "application/pdf")
    assert crawl(store, settings()).changed == 0


@pytest.mark.server
@pytest.mark.parametrize(
    ("body", "media_type", "path", "found"),
    [
        (PDF, "application/octet-stream", "/get?id=7", "application/pdf"),
        (PDF, "text/html", "/x", "application/pdf"),
        (b"\n" * 200 + PDF, "application/pdf", "/x", "application/pdf"),
        (MARKDOWN, "text/plain", "/a.md", "text/markdown"),
        (MARKDOWN, "application/octet-stream", "/a.markdown", "text/markdown"),
        (TEXT, "text/plain", "/a", "text/plain"),
        (b"<!DOCTYPE html><p>A page about %PDF-1.7", "text/plain", "/a", "text/html"),
        (b"<p>No type at all", "", "/a", "text/html"),
        ("<p>Two bytes a letter".encode("utf-16"), "text/html", "/a", "text/html"),
    ],
)
def test_an_answer_is_what_its_content_says(body, media_type, path, found):
    assert Formats(SiteSettings.model_validate({})).read(answer(body, media_type, path))[0] == found


@pytest.mark.server
@pytest.mark.parametrize(
    ("body", "media_type", "reason"),
    [
        (gzip.compress(os.urandom(5_000)), "text/html", "not text"),
        (b"\x89PNG\r\n\x1a\n" + bytes(2_000), "text/html; charset=utf-8", "not text"),
        (b"\x00\x01\x02\x03" * 500, "text/markdown", "not text"),
        (b"name,size\nx,1\n", "application/octet-stream", "not a page: application/octet-stream"),
        (b"\n".join(b"2026-11-21 03:%02d:00 INFO done" % minute for minute in range(60)), "text/plain", "a log"),
        (b"%PDF-1.7\nrubbish", "application/pdf", "PDF: truncated"),
    ],
)
def test_what_is_no_page_says_why(body, media_type, reason):
    with pytest.raises(NotAPageError) as refused:
        Formats(SiteSettings.model_validate({})).read(answer(body, media_type))
    assert refused.value.reason == reason


def test_binary_served_as_html_is_left_after_its_first_kilobyte(
    site: Website, store: Store, settings: Build, live: Rows
):
    site.page("/", "/photo", "/huge")
    site.html("/photo", b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(range(256)) * 40, "text/html")
    site.html("/huge", bytes(3_000_000), "application/octet-stream")
    result = crawl(store, settings())
    assert live().keys() == {"/"}
    assert result.skipped == {"not text": 2}
    assert result.size_bytes < 1_000_000


def test_each_format_has_its_own_cap(site: Website, store: Store, settings: Build, live: Rows) -> None:
    site.page("/", "/guide.pdf", "/long.txt", "/long.md", "/short.md")
    site.html("/guide.pdf", PDF + b" " * 20_000 + b"%%EOF", "application/pdf")
    site.html("/long.txt", TEXT * 100, "text/plain")
    site.html("/long.md", MARKDOWN * 100, "text/markdown")
    site.html("/short.md", MARKDOWN, "text/markdown")
    result = crawl(store, settings(max_page_bytes=10_000, max_text_bytes=5_000, max_pdf_bytes=100_000))
    assert live().keys() == {"/", "/guide.pdf", "/short.md"}
    assert result.failed == {"too large": 2}


def test_text_for_machines_is_not_asked_for(site: Website, store: Store, settings: Build) -> None:
    site.page("/", "/llms.txt", "/docs/requirements.txt", "/.well-known/security.txt", "/system-requirements.txt")
    site.html("/system-requirements.txt", TEXT, "text/plain")
    result = crawl(store, settings())
    assert result.n_live == 2
    assert sum(result.skipped.values()) == 3


def test_a_pdf_that_cannot_be_read_keeps_what_is_known_of_it(
    site: Website, store: Store, settings: Build, live: Rows
) -> None:
    site.page("/", "/guide.pdf")
    site.html("/guide.pdf", PDF, "application/pdf")
    crawl(store, settings())
    before = live()["/guide.pdf"]["content_hash"]
    site.html("/guide.pdf", make([[Put("secret", 700)]], encrypted=True), "application/pdf")
    for _ in range(3):
        assert crawl(store, settings()).failed == {"PDF: encrypted": 1}
    assert live()["/guide.pdf"]["content_hash"] == before


def test_the_limits_on_pdfs_are_settings() -> None:
    site = SiteSettings(max_pdf_pages=3, pdf_timeout_s=4.0, max_pdf_bytes=5_000)  # pyright: ignore[reportCallIssue]
    formats = Formats(site)
    assert formats.pdf_limits == PdfLimits(max_pages=3, timeout_s=4.0)
    assert formats.cap("application/pdf") == 5_000


def test_an_unchanged_pdf_is_not_sent_again(site: Website, store: Store, settings: Build) -> None:
    site.page("/", "/guide.pdf")
    headers: dict[str, Any] = {"Content-Type": "application/pdf", "ETag": '"one"'}
    site.routes["/guide.pdf"] = Reply(200, PDF, headers)
    crawl(store, settings())
    assert crawl(store, settings()).not_modified == 2
