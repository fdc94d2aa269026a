"""Pages put into the template with the clutter of a real site, and the files that crawlers read."""

import json
import re
from functools import cache
from html import escape, unescape
from pathlib import Path
from string import Template
from urllib.parse import urljoin

from acronis_pipeline.sample_site.content import Page, SiteMap

_HERE = Path(__file__).parent
_QUESTION_AND_ANSWER = re.compile(
    r'<section class="qa">\s*<h[23][^>]*>(.*?)</h[23]>(.*?)</section>'
    r'|<details class="qa"[^>]*>\s*<summary>(.*?)</summary>(.*?)</details>',
    re.DOTALL,
)
_TAG = re.compile(r"<[^>]+>")


def render_page(site: SiteMap, page: Page, base: str) -> str:
    """The whole HTML document of a page; `base` is the site's address, slash at the end."""
    return _template().substitute(
        site_name=escape(site.name),
        title=escape(page.title),
        description=escape(page.description, quote=True),
        canonical=urljoin(base, page.path),
        json_ld=_faq_json_ld(page.body),
        navigation=_navigation(site, page.path),
        breadcrumbs=_breadcrumbs(site, page),
        updated=f"{page.updated.day} {page.updated:%B %Y}",
        body=page.body,
        related=_related(site, page),
    )


def render_error(site: SiteMap, status: int, message: str) -> str:
    """A short page for 404, 410 and 500."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="robots" content="noindex">'
        f"<title>{status} | {escape(site.name)}</title></head><body><h1>{status}</h1><p>{escape(message)}</p>"
        f'<p><a href="/">Home</a></p><p>A sample site written for acronis_pipeline, '
        f"not Acronis's documentation.</p></body></html>\n"
    )


def render_sitemap(site: SiteMap, base: str) -> str:
    """`sitemap.xml` of the pages that want to be in it, by path."""
    entries = "".join(
        f"  <url><loc>{escape(urljoin(base, page.path))}</loc><lastmod>{_lastmod(page)}</lastmod></url>\n"
        for _, page in sorted(site.pages.items())
        if page.in_sitemap
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{entries}</urlset>\n'
    )


def render_robots(base: str) -> str:
    """`robots.txt`: one folder is off limits."""
    return f"User-agent: *\nDisallow: /internal/\n\nSitemap: {urljoin(base, '/sitemap.xml')}\n"


def questions_and_answers(body: str) -> list[tuple[str, str]]:
    """Visible question and answer blocks (`class="qa"`) of a page as plain text, in order."""
    return [
        (_plain(match[1] or match[3]), _plain(match[2] or match[4])) for match in _QUESTION_AND_ANSWER.finditer(body)
    ]


@cache
def _template() -> Template:
    return Template((_HERE / "template.html").read_text("utf-8"))


def _faq_json_ld(body: str) -> str:
    """schema.org FAQPage made from what the page shows, so that the two cannot differ."""
    pairs = questions_and_answers(body)
    if not pairs:
        return ""
    entities = [
        {"@type": "Question", "name": question, "acceptedAnswer": {"@type": "Answer", "text": answer}}
        for question, answer in pairs
    ]
    document = {"@context": "https://schema.org", "@type": "FAQPage", "mainEntity": entities}
    # "<" escaped: text such as "</script>" must not end the element.
    text = json.dumps(document, ensure_ascii=False, indent=1).replace("<", "\\u003c")
    return f'<script type="application/ld+json">\n{text}\n</script>'


def _navigation(site: SiteMap, current: str) -> str:
    groups = [
        f"<li><span>{escape(title)}</span><ul>{''.join(_nav_item(site, path, current) for path in paths)}</ul></li>"
        for title, paths in site.sections
    ]
    return "\n".join(groups)


def _nav_item(site: SiteMap, path: str, current: str) -> str:
    page = site.pages.get(path)
    if page is None:  # taken down by an edit
        return ""
    mark = ' aria-current="page"' if path == current else ""
    return f'<li><a href="{path}"{mark}>{escape(page.title)}</a></li>'


def _breadcrumbs(site: SiteMap, page: Page) -> str:
    trail = ['<li><a href="/">Home</a></li>']
    section = site.section_of(page.path)
    if section:
        trail.append(f"<li>{escape(section)}</li>")
    if page.path != "/":
        trail.append(f'<li aria-current="page">{escape(page.title)}</li>')
    return "".join(trail)


def _related(site: SiteMap, page: Page) -> str:
    links = [
        f'<li><a href="{path}">{escape(site.pages[path].title)}</a></li>' for path in page.related if path in site.pages
    ]
    if not links:
        return ""
    return f'<aside class="related-links"><h2>Related articles</h2><ul>{"".join(links)}</ul></aside>'


def _lastmod(page: Page) -> str:
    return page.updated.isoformat() if page.edited else page.updated.strftime("%Y-%m-%d")


def _plain(html: str) -> str:
    return " ".join(unescape(_TAG.sub(" ", html)).split())
