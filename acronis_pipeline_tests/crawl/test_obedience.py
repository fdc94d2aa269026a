"""What a site forbids is not asked for, not followed and not kept, however it says so."""

from collections.abc import Callable

import pytest

from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl import crawl
from acronis_pipeline.crawl.fetching import site_files
from acronis_pipeline.store import Store
from acronis_pipeline_tests.crawl.conftest import Rows
from acronis_pipeline_tests.crawl.website import Reply, Website

Build = Callable[..., SiteSettings]
SITE = SiteSettings(url="http://h.example/")  # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize(
    ("rules", "path", "allowed"),
    [
        ("Disallow: /a\nAllow: /a/b", "/a/b/c", True),
        ("Allow: /a\nDisallow: /a/b", "/a/b/c", False),
        ("Disallow: /a\nAllow: /a", "/a", True),
        ("Allow: /\nDisallow: /*.pdf$", "/x/manual.pdf", False),
        ("Allow: /\nDisallow: /*.pdf$", "/x/manual.pdf?page=1", True),
        ("Disallow: /*/private/", "/en/private/x", False),
        ("Disallow: /*?", "/a?b=1", False),
        ("Disallow: /*?", "/a", True),
        ("Disallow:", "/a", True),
        ("Disallow: /caf%C3%A9", "/caf%C3%A9/menu", False),
        ("Disallow: /café", "/caf%C3%A9/menu", False),
        ("Disallow: /A", "/a", True),
        ("Disallow: *", "/a", False),
        ("Disallow: /a*****************************b", "/" + "a" * 2_000, True),
    ],
    ids=lambda value: str(value)[:30],
)
def test_the_most_specific_rule_counts_and_allow_wins_ties(rules: str, path: str, allowed: bool) -> None:
    assert site_files.parse_robots(f"User-agent: *\n{rules}\n", SITE).allows(f"http://h.example{path}") is allowed


def test_groups_for_our_name_are_merged_and_case_does_not_matter() -> None:
    text = (
        "User-agent: Acronis-Pipeline\nDisallow: /a\n\nUser-agent: other\nUser-agent: ACRONIS-PIPELINE\nDisallow: /b\n"
    )
    rules = site_files.parse_robots(text, SITE)
    assert [rules.allows(f"http://h.example/{name}") for name in "abc"] == [False, False, True]


@pytest.mark.parametrize("status", [401, 403, 404, 410, 418])
def test_a_robots_txt_that_is_not_available_allows_everything(
    site: Website, store: Store, settings: Build, live: Rows, status: int
) -> None:
    site.page("/", "/a")
    site.page("/a")
    site.routes["/robots.txt"] = Reply(status, b"User-agent: *\nDisallow: /\n")
    crawl(store, settings())
    assert live().keys() == {"/", "/a"}


def test_of_a_huge_robots_txt_the_beginning_counts(site: Website, store: Store, settings: Build, live: Rows) -> None:
    filler = "# nothing\n" * 2_000_000  # 20 MB
    site.robots(f"User-agent: *\nDisallow: /private\n{filler}Disallow: /late\n")
    site.page("/", "/private", "/late")
    site.page("/late")
    result = crawl(store, settings(timeout_s=20.0))
    assert live().keys() == {"/", "/late"}
    assert result.skipped == {"robots": 1}


def test_a_robots_txt_that_redirects_within_the_site_is_followed(
    site: Website, store: Store, settings: Build, live: Rows
) -> None:
    site.redirect("/robots.txt", "/files/robots.txt", 302)
    site.routes["/files/robots.txt"] = Reply(200, b"User-agent: *\nDisallow: /private\n")
    site.page("/", "/private")
    assert crawl(store, settings()).skipped == {"robots": 1}


@pytest.mark.parametrize(
    ("head", "header", "kept", "followed"),
    [
        ('<meta name="robots" content="noindex">', None, False, True),
        ('<meta name="Acronis-Pipeline" content="noindex, nofollow">', None, False, False),
        ('<meta content="none" name=acronis-pipeline >', None, False, False),
        ('<meta name="otherbot" content="noindex">', None, True, True),
        ("", "acronis-pipeline: noindex", False, True),
        ("", "otherbot: noindex, nofollow", True, True),
        ("", "none", False, False),
        ("", "nofollow", True, False),
    ],
)
def test_directives_for_everyone_and_for_us_by_name(
    site: Website, store: Store, settings: Build, live: Rows, head: str, header: str | None, kept: bool, followed: bool
) -> None:
    site.page("/", "/a")
    site.page("/a", "/next", head=head, headers={"X-Robots-Tag": header} if header else None)
    site.page("/next")
    crawl(store, settings())
    assert ("/a" in live()) is kept
    assert ("/next" in site.asked()) is followed
