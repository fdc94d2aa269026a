import pytest

from acronis_pipeline.content import extract
from acronis_pipeline.content.metadata import absolute, without_site_name
from acronis_pipeline_tests.content.pages import URL, page


def test_links_of_the_whole_page_are_absolute_without_fragments_and_nofollow():
    assert extract(page(), url=URL).links == (
        "https://docs.example.com/cookies",
        "https://docs.example.com/",
        "https://docs.example.com/guide/",
        "https://docs.example.com/guide/backup/",
        "https://docs.example.com/guide/restore/",
        "https://docs.example.com/guide/x",
        "https://docs.example.com/guide/y",
        "https://docs.example.com/legal",
    )


def test_base_element_moves_relative_links():
    html = page('<a href="x">x</a>', head='<base href="/other/">', before="", after="")
    assert extract(html, url=URL).links == ("https://docs.example.com/other/x",)


def test_page_that_forbids_following_has_no_links():
    html = page(head='<meta name="robots" content="noindex, NOFOLLOW">')
    content = extract(html, url=URL)
    assert content.links == ()
    assert content.robots == {"noindex", "nofollow"}


def test_canonical_address_and_robots_are_read():
    content = extract(page(), url=URL)
    assert content.canonical_url == "https://docs.example.com/guide/restore"
    assert content.robots == {"index", "follow"}


@pytest.mark.parametrize("href", ["mailto:a@b.c", "javascript:void(0)", "http://[", "tel:1", None])
def test_what_is_no_web_address_is_no_link(href: str | None):
    assert absolute(URL, href) is None


@pytest.mark.parametrize(
    ("language", "expected"), [("en-US", "en"), ("de", "de"), ("pt_BR", "pt"), ("", None), ("x-klingon", None)]
)
def test_language_is_the_primary_subtag(language: str, expected: str | None):
    assert extract(page(language=language), url=URL).language == expected


@pytest.mark.parametrize(
    ("title", "site_name", "expected"),
    [
        ("Restore a disk | Example Docs", "Example Docs", "Restore a disk"),
        ("Restore a disk - Windows - Example Docs", "Example Docs", "Restore a disk - Windows"),
        ("Example Docs: start", "Example Docs", "Example Docs: start"),
        ("Example — Restore a disk", "Example", "Restore a disk"),
        ("Restore a disk | Acme", "", "Restore a disk"),
        ("Restore a disk - Acme Help Center", "", "Restore a disk"),
        ("Full - incremental", "", "Full - incremental"),
        ("Backup - restore - Example", "", "Backup - restore"),
        ("Restore", "", "Restore"),
    ],
)
def test_site_name_is_taken_off_a_title(title: str, site_name: str, expected: str):
    assert without_site_name(title, site_name=site_name, host="docs.example.com") == expected


def test_title_element_serves_where_the_content_has_no_h1():
    assert extract(page("<h2>Steps</h2><p>x</p>"), url=URL).title == "Restore a whole machine"


def test_logo_is_not_the_title():
    html = page("<p>x</p>", head="<title>Sizing a vault | Example</title>")
    assert extract(html, url=URL).title == "Sizing a vault"


def test_page_without_any_title_is_named_by_its_address():
    html = page("<p>x</p>", head="", before="")
    assert extract(html, url="https://docs.example.com/a/quick_start-guide.html").title == "Quick start guide"


def test_empty_page_is_empty():
    content = extract("", url=URL)
    assert (content.markdown, content.headings, content.links) == ("", (), ())


def test_page_that_only_forwards_has_no_content_but_its_target():
    html = page(
        "<p>Moved <a href='/new'>here</a>.</p>", head="<meta http-equiv='Refresh' content='0; URL=/new'>", before=""
    )
    content = extract(html, url=URL)
    assert (content.markdown, content.method) == ("", "forward")
    assert content.links[0] == "https://docs.example.com/new"
