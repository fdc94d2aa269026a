"""Which addresses may be one page, and which of them gives it its name."""

import pytest

from acronis_pipeline.crawl.fetching.urls import Spellings, key

SITE = "http://h.example"


@pytest.mark.parametrize("path", ["/Guide", "/guide/", "/guide/index.html", "/guide/Default.aspx", "/guide/index.php"])
def test_spellings_of_one_page_share_a_key(path: str) -> None:
    assert key(SITE + path) == key(SITE + "/guide")


@pytest.mark.parametrize("path", ["/guide?p=2", "/guide.html", "/guide/index.html.txt", "/guide/indexes/"])
def test_other_pages_do_not(path: str) -> None:
    assert key(SITE + path) != key(SITE + "/guide")


def test_the_second_spelling_with_the_same_content_is_an_alias() -> None:
    spellings = Spellings()
    assert spellings.alias_of(SITE + "/a", "one") is None
    assert spellings.alias_of(SITE + "/a/", "one") == SITE + "/a"
    assert spellings.alias_of(SITE + "/a", "one") is None


def test_another_content_is_another_page() -> None:
    spellings = Spellings()
    assert spellings.alias_of(SITE + "/a", "one") is None
    assert spellings.alias_of(SITE + "/a/", "two") is None


def test_the_same_content_elsewhere_is_no_spelling() -> None:
    spellings = Spellings()
    assert spellings.alias_of(SITE + "/a", "one") is None
    assert spellings.alias_of(SITE + "/b", "one") is None


def test_a_page_keeps_its_name_whichever_spelling_comes_first() -> None:
    spellings = Spellings([(SITE + "/a/index.html", "one")])
    assert spellings.alias_of(SITE + "/a/", "one") == SITE + "/a/index.html"
    assert spellings.alias_of(SITE + "/a/index.html", "one") is None
