"""What the bundled pages hold: enough of it, linked soundly, consistent, and marked as a sample."""

import json
import re
from difflib import SequenceMatcher

import pytest

from acronis_pipeline.sample_site import SiteMap, load_site
from acronis_pipeline.sample_site.content import Page, questions_and_answers, render_page

PLANNED_404 = "/docs/legacy-console/"
BASE = "http://127.0.0.1:8788/"
TWINS = ("quick-start", "recovery-checklist", "server-hardening")


@pytest.fixture(scope="module")
def site() -> SiteMap:
    return load_site()


def plain(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def public_pages(site: SiteMap) -> list[Page]:
    return [page for path, page in site.pages.items() if not path.startswith("/internal/")]


def main_content(page: Page) -> list[str]:
    return plain(page.body).split()


def test_site_has_a_real_sites_number_of_pages(site: SiteMap) -> None:
    assert len(public_pages(site)) >= 70


def test_pages_have_substance(site: SiteMap) -> None:
    counts = {page.path: len(main_content(page)) for page in public_pages(site)}
    assert {path: n for path, n in counts.items() if not 230 <= n <= 700} == {}
    assert sum(counts.values()) >= 22_000


def test_pages_have_headings_with_ids(site: SiteMap) -> None:
    headings = {page.path: len(re.findall(r"<(?:h[23]|details)[^>]* id=", page.body)) for page in public_pages(site)}
    assert {path: n for path, n in headings.items() if n < 3} == {}


def test_ids_are_unique_within_a_page(site: SiteMap) -> None:
    for page in site.pages.values():
        ids = re.findall(r'\bid="([^"]+)"', render_page(site, page, BASE))
        assert len(ids) == len(set(ids)), page.path


def test_every_internal_link_leads_somewhere_but_for_the_planned_404(site: SiteMap) -> None:
    broken = set()
    for page in site.pages.values():
        for href in re.findall(r'href="(/[^"]*)"', render_page(site, page, BASE)):
            path, _, anchor = href.partition("#")
            path = path.split("?")[0]
            target = site.pages.get(path)
            if target is None and path not in site.redirects and path not in {"/sitemap.xml", "/assets/site.css"}:
                broken.add(path)
            if target and anchor and f'id="{anchor}"' not in target.body:
                broken.add(href)
    assert broken == {PLANNED_404}


def test_related_links_and_navigation_name_existing_pages(site: SiteMap) -> None:
    named = {path for page in site.pages.values() for path in page.related}
    named |= {path for _, paths in site.sections for path in paths} | set(site.redirects.values())
    assert named - set(site.pages) == set()


def test_every_page_is_in_the_navigation_or_declared_hidden(site: SiteMap) -> None:
    listed = {path for _, paths in site.sections for path in paths} | {"/"}
    assert {page.path for page in site.pages.values() if page.in_sitemap} == listed


def test_page_missing_from_the_sitemap_is_reachable_by_link(site: SiteMap) -> None:
    assert not site.pages["/docs/known-limits/"].in_sitemap
    assert 'href="/docs/known-limits/"' in site.pages["/"].body


def test_notice_stands_on_every_page_in_the_footer_and_outside_the_main_content(site: SiteMap) -> None:
    for page in site.pages.values():
        html = render_page(site, page, BASE)
        before_main, footer = html.partition("<main")[0], html.partition("<footer")[2]
        assert "written for acronis_pipeline, not Acronis's documentation" in before_main, page.path
        assert "sample written for acronis_pipeline" in footer, page.path
        assert "not Acronis's documentation" in footer.replace("It is not", "not"), page.path


def test_pages_carry_the_clutter_and_metadata_of_real_sites(site: SiteMap) -> None:
    html = render_page(site, site.pages["/docs/trial/"], BASE)
    for mark in (
        '<html lang="en">',
        '<meta name="description" content="How long',
        f'<link rel="canonical" href="{BASE}docs/trial/">',
        'class="cookie-banner"',
        'class="sidebar"',
        'class="breadcrumbs"',
        "Was this article helpful?",
        'class="related-links"',
        'class="site-footer"',
    ):
        assert mark in html


def test_structures_vary(site: SiteMap) -> None:
    everything = "".join(page.body for page in site.pages.values())
    for tag, least in (
        ("<table>", 60),
        ("<ol>", 50),
        ("<dl>", 10),
        ("<pre>", 15),
        ("<details", 20),
        ('class="note"', 8),
    ):
        assert everything.count(tag) >= least, tag
    assert re.search(r"<li>[^<]*(?:<[^/u][^>]*>[^<]*</[^>]*>[^<]*)*<ul>", everything), "no nested list"


def test_tracking_parameters_occur_in_a_link(site: SiteMap) -> None:
    assert "/docs/trial/?utm_source=" in site.pages["/"].body


@pytest.mark.parametrize("name", TWINS)
def test_edition_twins_are_nearly_but_not_quite_the_same(site: SiteMap, name: str) -> None:
    standard, advanced = (main_content(site.pages[f"/docs/{edition}/{name}/"]) for edition in ("standard", "advanced"))
    assert 0.8 < SequenceMatcher(None, standard, advanced).ratio() < 1.0


@pytest.mark.parametrize("path", ["/faq/general/", "/faq/backup/", "/faq/recovery/", "/faq/licensing/"])
def test_faq_markup_parses_and_repeats_what_is_shown(site: SiteMap, path: str) -> None:
    page = site.pages[path]
    block = re.search(r'<script type="application/ld\+json">(.*?)</script>', render_page(site, page, BASE), re.DOTALL)
    assert block
    document = json.loads(block[1])
    shown = questions_and_answers(page.body)
    assert document["@type"] == "FAQPage"
    assert [entry["name"] for entry in document["mainEntity"]] == [question for question, _ in shown]
    assert len(shown) >= 10
    assert all(len(answer.split()) >= 5 for _, answer in shown)
    assert page.body.count('class="qa"') == len(shown)


def test_ordinary_page_has_no_faq_markup(site: SiteMap) -> None:
    assert "ld+json" not in render_page(site, site.pages["/docs/tape/"], BASE)


@pytest.mark.parametrize(
    ("path", "fact"),
    [
        ("/docs/trial/", "for 30 days"),
        ("/faq/licensing/", "Yes, 30 days"),
        ("/docs/rpo-rto/", "RPO of 15 minutes"),
        ("/faq/recovery/", "15 minutes with scheduled backups"),
        ("/docs/versions/", "multiple versions of the same file"),
        ("/faq/backup/", "no fixed maximum of versions"),
        ("/docs/recovery-overview/", "under two minutes"),
        ("/docs/instant-restore/", "less than two minutes"),
    ],
)
def test_answers_to_the_customer_questions_are_on_their_pages(site: SiteMap, path: str, fact: str) -> None:
    assert fact in plain(site.pages[path].body).replace(" ,", ",")


def test_figures_agree_across_pages(site: SiteMap) -> None:
    text = " ".join(plain(page.body) for page in public_pages(site))
    trial_lengths = re.findall(r"(?:evaluated for|free of charge for|trial lasts|trial of) (\d+) days", text)
    assert trial_lengths
    assert set(trial_lengths) == {"30"}
    shortest = re.findall(r"(?:shortest (?:scheduled )?interval (?:is )?|as often as every )(\d+) minutes", text, re.I)
    assert len(shortest) >= 3
    assert set(shortest) == {"15"}
