"""The site's files, read and checked: pages, navigation, redirects.

A page is a header of ``key: value`` lines, a line of three dashes, and an HTML fragment (the main content below the
page's own h1, which is the title):

    title: Replication
    description: Keep a second copy of every backup somewhere else.
    updated: 2026-06-30
    related: /docs/retention/, /docs/tape/
    ---
    <p>…</p>

Optional keys are `related` and `sitemap: no`. The address follows from the file: ``docs/trial.html`` is
``/docs/trial/``.

A page is shown in the template with the clutter of a real site; beside pages stand the files that crawlers read.
"""

import json
import re
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from html import escape, unescape
from pathlib import Path
from string import Template
from urllib.parse import urljoin

from acronis_pipeline.core.errors import SiteError

_HERE = Path(__file__).parent
_REQUIRED = ("title", "description", "updated")
_OPTIONAL = ("related", "sitemap")
_QUESTION_AND_ANSWER = re.compile(
    r'<section class="qa">\s*<h[23][^>]*>(.*?)</h[23]>(.*?)</section>'
    r'|<details class="qa"[^>]*>\s*<summary>(.*?)</summary>(.*?)</details>',
    re.DOTALL,
)
_TAG = re.compile(r"<[^>]+>")


@dataclass(frozen=True)
class Page:
    """One page before it is put into the template."""

    path: str
    """Address on the site, with a slash at both ends."""
    title: str
    description: str
    updated: datetime
    """Fixed in the page's header, so that it is the same on every machine; of an edited page, its file's time."""
    body: str
    related: tuple[str, ...] = ()
    in_sitemap: bool = True
    edited: bool = False


@dataclass(frozen=True)
class SiteMap:
    """All pages by path, and how they hang together."""

    name: str
    pages: dict[str, Page]
    sections: tuple[tuple[str, tuple[str, ...]], ...]
    """Navigation: section titles with the paths below them."""
    redirects: dict[str, str]
    gone: frozenset[str] = frozenset()
    """Paths taken down by an empty file in the folder of edits."""

    def section_of(self, path: str) -> str | None:
        return next((title for title, paths in self.sections if path in paths), None)


def load_site(edits: Path | None = None) -> SiteMap:
    """The bundled site, shadowed by the files of `edits`.

    That is a folder laid out as `pages/`: a file there replaces or adds the page of the same name; an empty file takes
    the page down (410 Gone). Raises a SiteError that names the file and the line to add if a file is not a page.
    """
    site = _bundled_site()
    if edits is None:
        return site
    pages, gone = dict(site.pages), set()
    for path, file in _page_files(edits):
        text = _read(file)
        if text.strip():
            pages[path] = parse_page(path, text, file, edited_at=file.stat().st_mtime)
        else:
            pages.pop(path, None)
            gone.add(path)
    return SiteMap(site.name, pages, site.sections, site.redirects, frozenset(gone))


def parse_page(path: str, text: str, file: Path, *, edited_at: float | None = None) -> Page:
    """Read one page file; `edited_at` (POSIX seconds) replaces the date in its header."""
    header, dashes, body = text.partition("\n---\n")
    if not dashes:
        raise SiteError(f"{file} has no line '---' between its header and its HTML; see {_HERE / 'pages'} for the form")
    fields = dict(_header_line(line, file) for line in header.splitlines() if line.strip())
    missing = [name for name in _REQUIRED if name not in fields]
    if missing:
        raise SiteError(f"{file} lacks {', '.join(missing)} in its header; add a line '{missing[0]}: …'")
    return Page(
        path=path,
        title=fields["title"],
        description=fields["description"],
        updated=_date(fields["updated"], file) if edited_at is None else datetime.fromtimestamp(int(edited_at), UTC),
        body=body.strip(),
        related=tuple(part.strip() for part in fields.get("related", "").split(",") if part.strip()),
        in_sitemap=fields.get("sitemap", "yes") != "no",
        edited=edited_at is not None,
    )


@cache
def _bundled_site() -> SiteMap:
    about = tomllib.loads((_HERE / "site.toml").read_text("utf-8"))
    pages = {path: parse_page(path, _read(file), file) for path, file in _page_files(_HERE / "pages")}
    sections = tuple((section["title"], tuple(section["pages"])) for section in about["sections"])
    return SiteMap(about["name"], pages, sections, about["redirects"])


def _page_files(folder: Path) -> list[tuple[str, Path]]:
    return [(_address(file.relative_to(folder)), file) for file in sorted(folder.rglob("*.html"))]


def _address(relative: Path) -> str:
    name = relative.with_suffix("").as_posix()
    return "/" if name == "index" else f"/{name}/"


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise SiteError(f"{file} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error


def _header_line(line: str, file: Path) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or name not in _REQUIRED + _OPTIONAL:
        raise SiteError(f"{file}: {line!r} is not a header line; write 'name: value' with {_REQUIRED + _OPTIONAL}")
    return name, value.strip()


def _date(value: str, file: Path) -> datetime:
    try:
        return datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise SiteError(f"{file}: updated is {value!r}; write a date such as 2026-06-30") from error


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
