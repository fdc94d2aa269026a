"""Addresses without end are recognised; many pages that are only alike in their spelling are not hurt."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl.fetching import scope
from acronis_pipeline.crawl.fetching.scope import Traps


def site(**limits: int) -> SiteSettings:
    return SiteSettings(url="http://h.example/", **limits)  # pyright: ignore[reportArgumentType]


def refused(urls: list[str], **limits: int) -> list[str | None]:
    trap = Traps(site(**limits))
    return [trap.why_not(f"http://h.example{url}") for url in urls]


def test_a_calendar_ends() -> None:
    days = [f"/events/{year}/{month:02}/{day:02}/" for year in (2025, 2026) for month in range(1, 13) for day in (1, 2)]
    assert refused(days, max_similar_urls=10) == [None] * 10 + [scope.TOO_MANY_ALIKE] * (len(days) - 10)


def test_a_calendar_in_the_query_ends() -> None:
    months = [f"/cal?date=2026-{month:02}-01" for month in range(1, 13)]
    assert refused(months, max_similar_urls=5)[5:] == [scope.TOO_MANY_ALIKE] * 7


def test_filters_that_combine_end() -> None:
    urls = [f"/shop?colour={colour}&size={size}" for colour in "abcdef" for size in "xyz"]
    assert refused(urls, max_query_variants=10)[10:] == [scope.TOO_MANY_VARIANTS] * 8


def test_every_choice_of_filters_counts_for_the_same_path() -> None:
    urls = ["/shop?a=1&b=1", "/shop?a=1&c=1", "/shop?b=1&c=1", "/other?b=1&c=1"]
    assert refused(urls, max_query_variants=2) == [None, None, scope.TOO_MANY_VARIANTS, None]


def test_ever_deeper_paths_end() -> None:
    deep = "/" + "/".join(f"a{chr(97 + n)}" for n in range(scope.MAX_SEGMENTS + 1))
    assert refused([deep, deep.rsplit("/", 1)[0]]) == [scope.TOO_DEEP, None]


def test_a_path_that_comes_back_to_itself_ends() -> None:
    assert refused(["/en/shop/en/help/en/shop/", "/en/shop/en/help/en/shop/en/"]) == [None, scope.REPEATS]


def test_a_pile_of_parameters_is_refused() -> None:
    query = "&".join(f"p{n}=1" for n in range(scope.MAX_PARAMETERS + 1))
    assert refused([f"/a?{query}"]) == [scope.TOO_MANY_PARAMETERS]


def test_pages_with_names_are_never_alike() -> None:
    assert not any(refused([f"/guides/{name}-{name}" for name in "abcdefghij"], max_similar_urls=2))


def test_articles_of_one_parameter_are_no_filters() -> None:
    assert not any(refused([f"/article?id={n}" for n in range(500)], max_query_variants=10))


def test_numbered_articles_may_take_half_of_the_page_budget() -> None:
    articles = [f"/article/{n}" for n in range(1_501)]
    assert refused(articles, max_pages=3_000)[1_499:] == [None, scope.TOO_MANY_ALIKE]
    assert refused(articles, max_pages=10)[999:1_001] == [None, scope.TOO_MANY_ALIKE]


def test_ids_of_all_kinds_are_alike() -> None:
    urls = ["/o/3f2504e0-4f89-11d3-9a0c-0305e82c3301", "/o/12", "/o/d41d8cd98f00b204e9800998ecf8427e"]
    assert refused(urls, max_similar_urls=1)[1:] == [scope.TOO_MANY_ALIKE] * 2


def test_words_of_hexadecimal_letters_are_no_ids() -> None:
    assert not any(refused(["/feedface", "/deadbeef", "/facade"], max_similar_urls=1))


def test_what_is_refused_is_said_once_with_the_setting(caplog: pytest.LogCaptureFixture) -> None:
    refused([f"/kb/{n}" for n in range(50)], max_similar_urls=3)
    assert caplog.text.count("site.max_similar_urls") == 1


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scope, "MAX_PATTERNS", 10)
    trap = Traps(site())
    for n in range(100):
        assert trap.why_not(f"http://h.example/{'x' * n}y?b=1&c=2") is None
    assert len(trap._counts) <= 11


@settings(deadline=None)
@given(st.lists(st.sampled_from(["/a/1", "/a/2", "/a/3", "/b?x=1&y=2", "/b?x=2&y=2", "/c"]), max_size=20))
def test_the_same_addresses_get_the_same_answers(urls: list[str]) -> None:
    assert refused(urls, max_similar_urls=2, max_query_variants=1) == refused(
        urls, max_similar_urls=2, max_query_variants=1
    )
