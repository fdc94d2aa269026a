"""Addresses: one canonical spelling for each, and which of them belong to the site."""

import posixpath
import re
from dataclasses import dataclass, replace
from urllib.parse import unquote_to_bytes, urljoin, urlsplit, urlunsplit

from w3lib.url import safe_url_string

from acronis_pipeline.errors import SiteError
from acronis_pipeline.settings import SiteSettings

MAX_URL_CHARS = 2_000
"""Longer addresses come from link loops, not from people."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_TRACKING = re.compile(
    r"(utm_\w+|gclid|gclsrc|dclid|gbraid|wbraid|fbclid|msclkid|yclid|twclid|igshid|mc_cid|mc_eid|_ga|_gl|mkt_tok"
    r"|_hsenc|_hsmi|hsctatracking|phpsessid|jsessionid)",
    re.IGNORECASE,
)
_SESSION_IN_PATH = re.compile(r";jsessionid=[^/?;]*", re.IGNORECASE)
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_REPEATED_SEGMENTS = re.compile(r"(/[^/]+(?:/[^/]+)?)\1{3,}(?:/|$)")
_NOT_HTML = re.compile(
    r"\.(7z|avi|bmp|bz2|deb|dmg|docx?|eot|epub|exe|gif|gz|ico|iso|jar|jpe?g|m4[av]|mkv|mov|mp[34]|mpe?g|msi|od[st]|ogg"
    r"|otf|ov[af]|pdf|pkg|png|pptx?|rar|rpm|svg|tar|tgz|tiff?|ttf|wav|web[mp]|woff2?|xlsx?|xz|zip|zst)",
    re.IGNORECASE,
)
"""Not worth a request. Endings that product pages have in their names too (`node.js`) are left to the media type."""


def canonical(url: str, base: str | None = None) -> str | None:
    """The one spelling of an http(s) address, or None if it is not one that a crawler should ask for.

    Scheme and host in lower case, no default port, no fragment, dot segments resolved, percent-escapes only where
    needed, tracking and session parameters dropped, the other parameters sorted. The path keeps its trailing slash or
    lack of one: servers answer differently. Idempotent.
    """
    try:
        joined = urljoin(base, url.strip()) if base else url.strip()
        parts = urlsplit(safe_url_string(joined))
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not host or parts.username is not None or parts.password is not None:
        return None
    host = f"[{host}]" if ":" in host else host
    netloc = host if port in (None, _DEFAULT_PORTS[parts.scheme]) else f"{host}:{port}"
    path = _plain_escapes(_without_dot_segments(_SESSION_IN_PATH.sub("", parts.path)))
    result = urlunsplit((parts.scheme, netloc, path, _plain_escapes(_query(parts.query)), ""))
    return result if len(result) <= MAX_URL_CHARS else None


def _without_dot_segments(path: str) -> str:
    """RFC 3986, 5.2.4; empty segments (`//`) are kept, as some servers give them a meaning."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments and segments[-1] in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept)


def _plain_escapes(text: str) -> str:
    """Decode what needs no escape, write the remaining escapes in upper case."""

    def respell(match: re.Match[str]) -> str:
        byte = unquote_to_bytes(match[0])
        return byte.decode("ascii") if byte[0] in _UNRESERVED else match[0].upper()

    return _ESCAPE.sub(respell, text)


def _query(query: str) -> str:
    parameters = [part for part in query.split("&") if part and not _TRACKING.fullmatch(part.split("=", 1)[0])]
    return "&".join(sorted(parameters))


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
    """

    scheme: str
    netloc: str
    prefix: str
    include: tuple[re.Pattern[str], ...] = ()
    exclude: tuple[re.Pattern[str], ...] = ()

    @classmethod
    def of(cls, site: SiteSettings) -> "Scope":
        """Scope of a configured site.

        Raises
        ------
        SiteError
            If the start page is no crawlable address or a pattern is not a regular expression.
        """
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
        parts = urlsplit(url)
        return parts.netloc == self.netloc and (parts.scheme == self.scheme or parts.port is None)

    def canonical(self, url: str, base: str | None = None) -> str | None:
        """Canonical spelling, with the site's own scheme for addresses of the site."""
        spelt = canonical(url, base)
        if spelt is None or not self.is_same_site(spelt):
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
        if _NOT_HTML.fullmatch(extension):
            return f"not HTML: {extension.lower()}"
        if _REPEATED_SEGMENTS.search(path):
            return "path repeats itself"
        if self.include and not any(pattern.search(url) for pattern in self.include):
            return "not included"
        if any(pattern.search(url) for pattern in self.exclude):
            return "excluded"
        return None


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
