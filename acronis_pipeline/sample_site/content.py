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
"""

import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from acronis_pipeline.core.errors import SiteError

_HERE = Path(__file__).parent
_REQUIRED = ("title", "description", "updated")
_OPTIONAL = ("related", "sitemap")


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

    Parameters
    ----------
    edits
        Folder laid out as `pages/`: a file there replaces or adds the page of the same name; an empty file takes the
        page down (410 Gone).

    Raises
    ------
    SiteError
        A file is not a page; names the file and the line to add.
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
