"""Which addresses belong to the site, and which of those are worth a request.

Not worth one are addresses without end, seen by their spelling alone: calendars, filters that combine, folders within
folders.
"""

import logging
import posixpath
import re
from collections import Counter
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from acronis_pipeline.core.errors import SiteError
from acronis_pipeline.core.settings import PageFormat, SiteSettings
from acronis_pipeline.crawl.fetching.urls import canonical, plain_path

_REPEATED_SEGMENTS = re.compile(r"(/[^/]+(?:/[^/]+)?)\1{3,}(?:/|$)")
_NO_PAGES = (
    r"7z|avi|bmp|bz2|deb|dmg|docx?|eot|epub|exe|gif|gz|ico|iso|jar|jpe?g|m4[av]|mkv|mov|mp[34]|mpe?g|msi|od[st]|ogg"
    r"|otf|ov[af]|pkg|png|pptx?|rar|rpm|svg|tar|tgz|tiff?|ttf|wav|web[mp]|woff2?|xlsx?|xz|zip|zst"
)
"""Endings not worth a request; those that product pages have in their names too (`node.js`) are left to the media
type."""
_FORMAT_ENDINGS: dict[PageFormat, str] = {"pdf": "pdf", "markdown": "md|mdx|markdown", "text": "txt|text"}
_FOR_MACHINES = re.compile(
    r"/(?:robots|humans|security|(?:app-)?ads|llms(?:-full)?|CMakeLists|requirements(?:-[\w-]+)?)\.txt$", re.I
)
"""Text that a program reads, or (`llms.txt`) that says again what the pages say."""
_log = logging.getLogger(__name__)
TOO_DEEP = "path too deep"
REPEATS = "path repeats itself"
TOO_MANY_PARAMETERS = "too many query parameters"
TOO_MANY_VARIANTS = "too many queries of one path"
TOO_MANY_ALIKE = "too many similar addresses"
MAX_SEGMENTS = 20
"""Relative links on a page that answers at any depth grow the path for ever; real sites stay below a dozen."""
MAX_SAME_SEGMENT = 3
"""`/en/shop/en/help/en/shop/en/`: a link without its leading slash, followed again and again."""
MAX_PARAMETERS = 8
"""Pages have one to four parameters; filters of a shop are added one by one."""
MIN_SIMILAR_URLS = 1_000
"""Allowed at least unless `site.max_similar_urls` says otherwise: a smaller page budget ends by itself."""
MAX_PATTERNS = 50_000
"""Patterns counted at most (some 10 MB). What comes after is not counted; the page budget ends it too."""
_MAX_WARNINGS = 5
_ID = re.compile(
    r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"  # UUID
    r"|(?=[a-f]*\d)[0-9a-f]{12,}"  # digest
    r"|\d+",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Scope:
    """Which addresses belong to the crawl.

    Parameters
    ----------
    scheme, netloc
        Of the site, in canonical spelling. Only this host and port are ever asked; on default ports http and https
        are the same site, spelt with the site's own scheme.
    prefix
        Path that every page starts with; ends in a slash unless the user gave one that does not.
    include, exclude
        Searched in the whole canonical address.
    drop
        Names of query parameters that make no difference on this site.
    unwanted
        Endings that cannot be pages, a full stop before them.
    """

    scheme: str
    netloc: str
    prefix: str
    include: tuple[re.Pattern[str], ...] = ()
    exclude: tuple[re.Pattern[str], ...] = ()
    drop: re.Pattern[str] | None = None
    unwanted: re.Pattern[str] = re.compile(rf"\.(?:{_NO_PAGES})", re.IGNORECASE)

    @classmethod
    def of(cls, site: SiteSettings) -> "Scope":
        """Scope of a configured site.

        Raises
        ------
        SiteError
            If the start page is no crawlable address or a pattern is not a regular expression.
        """
        if site.folder is not None:
            return FolderScope.of_folder(site)
        start = canonical(site.url)
        if start is None:
            raise SiteError(f"{site.url!r} cannot be crawled; write it as https://host/path, without user or password")
        parts = urlsplit(start)
        return cls(
            scheme=parts.scheme,
            netloc=parts.netloc,
            prefix=_prefix(site, parts.path),
            include=_patterns("include", site.include),
            exclude=_patterns("exclude", site.exclude),
            drop=_names(site.drop_parameters),
            unwanted=_unwanted(site),
        )

    def moved_to(self, start: str, site: SiteSettings) -> "Scope":
        """The scope once it is known where the start page really is: it may add a slash or switch to https."""
        parts = urlsplit(start)
        asked = urlsplit(canonical(site.url) or start)
        path = parts.path if parts.path == asked.path + "/" else asked.path
        return replace(self, scheme=parts.scheme, prefix=_prefix(site, path))

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.netloc}"

    def is_same_site(self, url: str) -> bool:
        """Whether a canonical address is on the site's host and port."""
        if url.startswith(f"{self.scheme}://{self.netloc}/"):
            return True
        parts = urlsplit(url)
        return parts.netloc == self.netloc and (parts.scheme == self.scheme or parts.port is None)

    def canonical(self, url: str, base: str | None = None) -> str | None:
        """Canonical spelling, with the site's own scheme for addresses of the site."""
        spelt = canonical(url, base, drop=self.drop)
        if spelt is None or spelt.startswith(f"{self.scheme}:") or not self.is_same_site(spelt):
            return spelt
        return urlunsplit(urlsplit(spelt)._replace(scheme=self.scheme))

    def redirect(self, location: str, base: str) -> tuple[str, str | None]:
        """Target of a redirect that may go anywhere on the site, and the reason if it leaves it; see `fetch.Ask`."""
        target = self.canonical(location, base)
        if target is None or not self.is_same_site(target):
            return target or location, "off-site"
        return target, None

    def why_not(self, url: str) -> str | None:
        """Reason why a canonical address is out of scope, in words fit for counting; None if it is in scope."""
        if not self.is_same_site(url):
            return "off-site"
        path = urlsplit(url).path
        if not path.startswith(self.prefix):
            return f"outside {self.prefix}"
        extension = posixpath.splitext(path)[1]
        if self.unwanted.fullmatch(extension):
            return f"not a page: {extension.lower()}"
        if _FOR_MACHINES.search(path):
            return f"not a page: {posixpath.basename(path)}"
        if _REPEATED_SEGMENTS.search(path):
            return "path repeats itself"
        searched = self._searched(url)
        if self.include and not any(pattern.search(searched) for pattern in self.include):
            return "not included"
        if any(pattern.search(searched) for pattern in self.exclude):
            return "excluded"
        return None

    def _searched(self, url: str) -> str:
        return url


@dataclass(frozen=True)
class FolderScope(Scope):
    """The files of a local folder, by their `file:` addresses. No other scope lets such an address in.

    `include` and `exclude` are searched in the path below the folder, from its slash on.
    """

    root: str = "/"

    @classmethod
    def of_folder(cls, site: SiteSettings) -> Scope:
        """Scope of a folder: the files themselves, or where `site.published_at` says they are on the web."""
        if site.published_at is not None:
            base = site.published_at.partition("{path}")[0].rstrip("/") + "/"
            prefix = urlsplit(base).path + (site.path_prefix or "").lstrip("/")
            return Scope.of(site.model_copy(update={"url": base, "path_prefix": prefix}))
        root = urlsplit(site.url).path
        return cls(
            scheme="file",
            netloc="",
            prefix=root + quote((site.path_prefix or "").lstrip("/")),
            include=_patterns("include", site.include),
            exclude=_patterns("exclude", site.exclude),
            unwanted=_unwanted(site),
            root=root,
        )

    def is_same_site(self, url: str) -> bool:
        return url.startswith(f"file://{self.root}")

    def canonical(self, url: str, base: str | None = None) -> str | None:
        try:
            parts = urlsplit(urljoin(base or f"file://{self.root}", url.strip()))
        except ValueError:
            return None
        if parts.scheme != "file":
            return canonical(url, base)
        spelt = f"file://{plain_path(parts.path)}"
        return spelt if self.is_same_site(spelt) else None

    def _searched(self, url: str) -> str:
        return unquote(url.removeprefix(f"file://{self.root[:-1]}"))


def _prefix(site: SiteSettings, start_path: str) -> str:
    if site.path_prefix is not None:
        return "/" + site.path_prefix.lstrip("/")
    return start_path[: start_path.rfind("/") + 1]


def _patterns(name: str, expressions: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    compiled = []
    for expression in expressions:
        try:
            compiled.append(re.compile(expression))
        except re.error as error:
            raise SiteError(f"site.{name}: {expression!r} is not a regular expression ({error}); mend it") from error
    return tuple(compiled)


def _unwanted(site: SiteSettings) -> re.Pattern[str]:
    others = [ending for format_, ending in _FORMAT_ENDINGS.items() if format_ not in site.formats]
    return re.compile(rf"\.(?:{'|'.join([_NO_PAGES, *others])})", re.IGNORECASE)


def _names(names: tuple[str, ...]) -> re.Pattern[str] | None:
    """One expression for names that may end in `*`."""
    if not names:
        return None
    return re.compile("|".join(re.escape(name).replace(r"\*", ".*") for name in names), re.IGNORECASE)


class Traps:
    """Counts addresses of a kind during one crawl, and says when there are too many.

    Give it each address that a link leads to once, but not those that the sitemap lists: a site may have any number of
    pages that it lists itself. The same addresses in the same order get the same answers.
    """

    def __init__(self, site: SiteSettings) -> None:
        # A knowledge base of numbered articles looks like a calendar; half of a budget is left for what is neither.
        alike = site.max_similar_urls or max(MIN_SIMILAR_URLS, site.max_pages // 2)
        self._limits = {TOO_MANY_VARIANTS: site.max_query_variants, TOO_MANY_ALIKE: alike}
        self._counts: Counter[tuple[str, str]] = Counter()
        self._warned: set[tuple[str, str]] = set()

    def why_not(self, url: str) -> str | None:
        """Reason not to ask for a canonical address, in words fit for counting; None counts it as asked for."""
        parts = urlsplit(url)
        segments = [segment for segment in parts.path.lower().split("/") if segment]
        parameters = parts.query.split("&") if parts.query else []
        if len(segments) > MAX_SEGMENTS:
            return TOO_DEEP
        if any(count > MAX_SAME_SEGMENT for count in Counter(segments).values()):
            return REPEATS
        if len(parameters) > MAX_PARAMETERS:
            return TOO_MANY_PARAMETERS
        kinds = [(TOO_MANY_ALIKE, _pattern(parts.path, parameters))]
        if len(parameters) > 1:
            kinds.append((TOO_MANY_VARIANTS, parts.path))
        for kind in kinds:
            if self._counts[kind] >= self._limits[kind[0]]:
                self._warn(kind)
                return kind[0]
        for kind in kinds:
            if kind in self._counts or len(self._counts) < MAX_PATTERNS:
                self._counts[kind] += 1
        return None

    def _warn(self, kind: tuple[str, str]) -> None:
        if kind in self._warned or len(self._warned) >= _MAX_WARNINGS:
            return
        self._warned.add(kind)
        reason, what = kind
        setting = "site.max_query_variants" if reason == TOO_MANY_VARIANTS else "site.max_similar_urls"
        _log.warning(
            "crawl: %s like %s: after %d no more are followed; exclude them, or raise %s if they are pages",
            reason,
            what,
            self._limits[reason],
            setting,
        )


def _pattern(path: str, parameters: list[str]) -> str:
    """The address with numbers and ids as `#` and values of parameters as `*`: `/2026/11/` is `/#/#/`."""
    names = "&".join(f"{parameter.split('=', 1)[0]}=*" for parameter in parameters)
    shape = _ID.sub("#", unquote(path))
    return f"{shape}?{names}" if names else shape
