"""One page, however its address is spelt."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acronis_pipeline.crawl.lookup import Addresses

SITE = "https://docs.test/"
QUOTA, LICENCE, FAQ, UEBER, FIND = (
    SITE + path for path in ("quota/", "licence/", "FAQ.html", "%C3%BCber", "find?a=1&b=2")
)
KNOWN = Addresses(
    [QUOTA, LICENCE, FAQ, UEBER, FIND, SITE],
    {
        SITE + "print/licence": LICENCE,
        SITE + "old": SITE + "older",
        SITE + "older": QUOTA,
        SITE + "round": SITE + "round/",
        SITE + "round/": SITE + "round",
        SITE + "gone": SITE + "nowhere",
    },
    site=SITE,
)


@pytest.mark.parametrize(
    ("asked", "page"),
    [
        ("/quota", QUOTA),
        ("/quota/", QUOTA),
        ("quota", QUOTA),
        ("/quota/index.html", QUOTA),
        ("/quota/Index.HTML", QUOTA),
        ("/quota/index.php", QUOTA),
        ("/Quota", QUOTA),
        ("/quota.html", QUOTA),
        ("/quota#limits", QUOTA),
        ("/quota/#:~:text=limits", QUOTA),
        ("/quota?utm_source=mail&gclid=x", QUOTA),
        ("/a/../quota/", QUOTA),
        ("/%71uota/", QUOTA),
        ("http://docs.test/quota", QUOTA),
        ("HTTPS://Docs.Test:443/quota", QUOTA),
        ("http://docs.test:80/quota", QUOTA),
        ("docs.test/quota", QUOTA),
        ("www.docs.test/quota", QUOTA),
        ("//docs.test/quota", QUOTA),
        (" <https://docs.test/quota> ", QUOTA),
        ("/old", QUOTA),
        ("/old/", QUOTA),
        ("/print/licence", LICENCE),
        ("/print/licence/#x", LICENCE),
        ("/faq", FAQ),
        ("/FAQ/", FAQ),
        ("/über", UEBER),
        ("/u\u0308ber/", UEBER),
        ("/%c3%bcber", UEBER),
        ("/find?b=2&a=1", FIND),
        ("/find/?a=1&utm_medium=x&b=2", FIND),
        ("https://docs.test", SITE),
        ("/index.html", SITE),
        ("/find", None),
        ("/quot", None),
        ("/gone", None),
        ("/round", None),
        ("https://other.test/quota", None),
        ("http://[", None),
        ("", SITE),
    ],
)
def test_a_page_is_found_by_any_spelling(asked: str, page: str | None) -> None:
    assert KNOWN.page(asked) == page


def test_pages_that_differ_in_spelling_only_are_told_apart() -> None:
    pages = [SITE + path for path in ("a", "a/", "A", "a.html", "a/index.html")]
    known = Addresses(pages, {}, site=SITE)
    assert [known.page(page) for page in pages] == pages


@given(st.text(min_size=1, max_size=12).filter(lambda name: name.strip("./ ") and "\\" not in name))
def test_every_page_is_found_by_its_own_address(name: str) -> None:
    page = KNOWN.spelt(SITE + quote(name, safe=""))
    assert Addresses([SITE, page], {}, site=SITE).page(page) == page


def test_beginnings_of_addresses_are_as_pages_have_them() -> None:
    assert [
        KNOWN.beginning(path) for path in ("/quo", "/quota/index.html", "/old", "/nothing/", "http://docs.test/old")
    ] == [*("/quo", "/quota/", "/quota/", "/nothing/", QUOTA)]


def test_nothing_is_held_of_nothing() -> None:
    assert Addresses([], {}).page("/quota") is None
