"""A local folder behind the interface of the network: its files answer like a server's, its listing is its sitemap.

Size and time of modification are the validators, so an unchanged file answers 304, and a listing vouches for pages as a
sitemap with exact lastmods does.
"""

import asyncio
import datetime as dt
import logging
import os
import posixpath
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import httpx2

from acronis_pipeline.core.errors import SiteDownError, SiteError
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl.fetching.fetch import Answer, Ask, FetchError
from acronis_pipeline.crawl.fetching.pace import Pace
from acronis_pipeline.crawl.fetching.scope import Scope
from acronis_pipeline.crawl.judging.formats import media_type_of_file

_log = logging.getLogger(__name__)

CHANGING = "changed while it was read"

_NO_PAGES_IN = frozenset(
    {"node_modules", "bower_components", "__pycache__", "site-packages", "venv", "_includes", "_layouts", "_partials"}
    | {"_templates", "_static", "_data", "_sass"}
)
"""Besides hidden folders: other people's code, and what static site generators make pages from or with."""
_NAVIGATION = frozenset({"summary.md", "_sidebar.md", "_navbar.md", "_footer.md"})
"""Tables of contents of mdBook, GitBook and docsify."""
_INDEXES = frozenset({"index", "_index", "readme"})
_OF_A_FOLDER = "{path}/"


@dataclass
class Listing:
    """The pages of a folder: file and lastmod by address, and what is in it but no page of ours, by reason."""

    files: dict[str, Path] = field(default_factory=dict)
    lastmods: dict[str, str | None] = field(default_factory=dict)
    outside: Counter[str] = field(default_factory=Counter)


def scan(folder: Path, site: SiteSettings, scope: Scope) -> Listing:
    """List a folder and everything below it, in alphabetical order. Takes about 20 µs a file.

    Links to folders are not followed, since what they lead to is in the folder anyway or none of ours; links to files
    are, within the folder.

    Raises
    ------
    SiteError
        There is no such folder, or no page in it.
    """
    if not folder.is_dir():
        raise SiteDownError(f"there is no folder {folder}; check the path (site.url), or mount it")
    found = Listing()
    for path in _files(folder, found.outside):
        if media_type_of_file(path.name) is None or path.name.lower() in _NAVIGATION:
            continue
        url = scope.canonical(address(path.relative_to(folder).as_posix(), site))
        try:
            reason = scope.why_not(url) if url else "not an address"
            reason = reason or ("its address is another file's" if url in found.files else None)
            reason = reason or (None if _stays_inside(path, folder) else "link out of the folder")
            modified_s = path.stat().st_mtime
        except OSError as error:
            reason, modified_s = _why(error), 0.0
        if url is None or reason:
            found.outside[reason or ""] += 1
        else:
            found.files[url] = path
            found.lastmods[url] = dt.datetime.fromtimestamp(modified_s, dt.UTC).isoformat(timespec="microseconds")
    if not found.files:
        why = "".join(f", {count} {reason}" for reason, count in found.outside.most_common(3))
        raise SiteError(
            f"{folder} holds not a single page ({', '.join(site.formats)}{why}); check site.url, site.formats, "
            "site.include and site.exclude"
        )
    return found


def address(path: str, site: SiteSettings) -> str:
    """Where the file at `path` (relative to the folder, with slashes) is found: below `site.published_at`, if set.

    A `{path}` in that stands for the path without its ending; where a slash follows, an index stands for its folder.
    Other files than pages of text (PDFs) keep their names.
    """
    if site.published_at is None:
        return site.url + quote(path)
    base, placeholder, rest = site.published_at.partition("{path}")
    stem, ending = posixpath.splitext(path)
    if not placeholder or ending.lower() == ".pdf":
        return base.rstrip("/") + "/" + quote(path)
    folder, name = posixpath.split(stem)
    if _OF_A_FOLDER in site.published_at and name.lower() in _INDEXES:
        return base + (quote(folder) + rest if folder else rest.removeprefix("/"))
    return base + quote(stem) + rest


class FolderFetcher:
    """Answers for the files of a listing as `Fetcher` does for a site's addresses."""

    def __init__(self, folder: Path, listing: Listing, site: SiteSettings) -> None:
        self.pace = Pace(0.0, site.concurrency)
        self.requests = 0
        self.received_bytes = 0
        self._folder, self._files, self._site = folder, listing.files, site

    async def get(self, url: str, ask: Ask) -> Answer:
        """The file's content, or 304 if it is what it was, or 404.

        Raises FetchError if it cannot be read, or was written to meanwhile.
        """
        self.requests += 1
        answer = await asyncio.to_thread(self._read, url, ask)
        self.received_bytes += len(answer.body)
        return answer

    def _read(self, url: str, ask: Ask) -> Answer:
        path = self._files.get(url)
        if path is None:
            return Answer(url, 404, httpx2.Headers())
        try:
            if not _stays_inside(path, self._folder):
                raise FetchError("link out of the folder", f"{path} leads out of {self._folder}")
            # Not to wait for a pipe, nor to follow what was made a link just now.
            file = os.open(path.resolve(), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return Answer(url, 404, httpx2.Headers())
        except OSError as error:
            raise FetchError(_why(error), str(error)) from error
        with open(file, "rb") as stream:
            state = os.fstat(file)
            if not stat.S_ISREG(state.st_mode):
                raise FetchError("not a file", f"{path} is no regular file")
            media_type = media_type_of_file(path.name) or ""
            headers = httpx2.Headers({"Content-Type": media_type, "ETag": _etag(state)})
            if ask.validators(url).get("If-None-Match") == headers["etag"]:
                return Answer(url, 304, headers)
            cap = ask.max_bytes or ask.cap(media_type, None) or self._site.max_page_bytes
            if not ask.reads(media_type) or state.st_size > cap:
                return Answer(url, 200, headers, truncated=state.st_size > cap)
            body = stream.read(cap + 1)
            if _etag(os.fstat(file)) != headers["etag"] or len(body) != state.st_size:
                raise FetchError(CHANGING, f"{path} was written to")
        return Answer(url, 200, headers, body)


def _files(folder: Path, outside: Counter[str]) -> Iterator[Path]:
    """Files below a folder, without those of folders that hold no pages."""
    waiting = [folder]
    while waiting:
        current = waiting.pop()
        try:
            entries = sorted(os.scandir(current), key=lambda entry: entry.name)
        except OSError as error:
            _log.warning("%s: %s; left out", current, error.strerror)
            outside[f"folder: {_why(error)}"] += 1
            continue
        folders: list[Path] = []
        for entry in entries:
            if entry.name.startswith(".") or entry.name in _NO_PAGES_IN:
                continue
            if entry.is_dir():
                if entry.is_symlink():
                    outside["link to a folder"] += 1
                else:
                    folders.append(current / entry.name)
            elif entry.is_file() or entry.is_symlink():
                yield current / entry.name
        waiting += reversed(folders)


def _stays_inside(path: Path, folder: Path) -> bool:
    return path.resolve(strict=True).is_relative_to(folder.resolve())


def _etag(state: os.stat_result) -> str:
    return f'"{state.st_mtime_ns:x}-{state.st_size:x}"'


def _why(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
