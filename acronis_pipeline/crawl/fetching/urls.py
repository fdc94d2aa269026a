"""Addresses: one canonical spelling for each, and two spellings of one page.

Of `/guide`, `/guide/`, `/Guide/` and `/guide/index.html` some servers show one page at all, some another at each, and
many know only one. So no spelling is rewritten before it was asked for: redirects and canonical links say what a server
means, and where there are neither, two spellings are one page if they show the same content.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote_to_bytes, urljoin, urlsplit, urlunsplit

from w3lib.url import safe_url_string

MAX_URL_CHARS = 2_000
"""Longer addresses come from link loops, not from people."""

_MAX_REMEMBERED = 8_192
"""Spellings of addresses that are not plain: navigation repeats its links on every page. Some 3 MB, 32 MB at worst."""

_PLAIN = re.compile(
    r"https?://(?=[^/]{1,63}/)[a-z0-9]+(?:[.-][a-z0-9]+)*(?::(?:[1-9]\d{3}|[1-5]\d{4}))?(?:/[\w~-][\w.~-]*)*/?",
    re.ASCII,
)
"""Addresses that are spelt as `canonical` spells them, of the kind that most links are."""
_DEFAULT_PORTS = {"http": 80, "https": 443}
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_TRACKING = re.compile(
    r"(utm_\w+|gclid|gclsrc|dclid|gbraid|wbraid|gad_\w+|srsltid|fbclid|msclkid|yclid|twclid|ttclid|li_fat_id|igshid"
    r"|mc_cid|mc_eid|_ga|_gl|_kx|mkt_tok|_hsenc|_hsmi|hsctatracking|hsa_\w+|(?:pk|mtm|piwik|matomo)_\w+|wt\.mc_id|vero_id"
    r"|_openstat)",
    re.IGNORECASE,
)
_SESSION = re.compile(
    r"(phpsessid|jsessionid|aspsessionid\w*|asp\.net_sessionid|session_?id|sess_?id|cfid|cftoken|oscsid|zenid)",
    re.IGNORECASE,
)
_PERHAPS_SESSION = re.compile(r"(sid|session|sess)=(?=[^&]*\d)[\w-]{16,}", re.IGNORECASE)
"""Names that mean other things too (`sid=12`, a story): only with a value as long and mixed as a session's."""
_SESSION_IN_PATH = re.compile(
    r";(?:jsessionid|phpsessid|sid|cfid|cftoken)=[^/?;]*|/\((?:[ASFX]\([\w-]{16,}\))+\)(?=/|$)", re.IGNORECASE
)
"""Java's, PHP's and ColdFusion's; ASP.NET's are a segment of their own: `/(S(lit3py55t21z5v55vlm25s55))/`."""
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_INDEX = re.compile(r"/(?:index\.(?:html?|php|aspx?|jsp|cfm)|default\.(?:aspx?|html?)|home\.html?)$", re.IGNORECASE)


def canonical(url: str, base: str | None = None, *, drop: re.Pattern[str] | None = None) -> str | None:
    """The one spelling of an http(s) address, or None if it is not one that a crawler should ask for.

    Scheme and host in lower case, no default port, no fragment, dot segments resolved, percent-escapes only where
    needed, tracking and session parameters (and those whose name matches `drop`) left out, the others sorted by name;
    several of one name keep their order, which may matter. The path keeps its trailing slash or lack of one and its
    `index.html`: servers answer differently, so only their answers tell (see `spellings`). Idempotent.
    """
    if len(url) <= MAX_URL_CHARS and _PLAIN.fullmatch(url):
        return url
    try:
        return _respelt(urljoin(base, url.strip()) if base else url.strip(), drop)
    except ValueError:
        return None


@lru_cache(_MAX_REMEMBERED)
def _respelt(url: str, drop: re.Pattern[str] | None) -> str | None:
    """`canonical` of an address that stands for itself."""
    try:
        parts = urlsplit(safe_url_string(url))
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    host = (host or "").rstrip(".")
    if parts.scheme not in _DEFAULT_PORTS or not host or parts.username is not None or parts.password is not None:
        return None
    host = f"[{host}]" if ":" in host else host
    netloc = host if port in (None, _DEFAULT_PORTS[parts.scheme]) else f"{host}:{port}"
    path = _without_dot_segments(_without_session(_plain_escapes(parts.path)))
    result = urlunsplit((parts.scheme, netloc, path, _query(_plain_escapes(parts.query), drop), ""))
    return result if len(result) <= MAX_URL_CHARS else None


def plain_path(path: str) -> str:
    """A file's path without dot segments and needless escapes."""
    return _without_dot_segments(_plain_escapes(path))


def _without_session(path: str) -> str:
    while (shorter := _SESSION_IN_PATH.sub("", path)) != path:
        path = shorter
    return path


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


def _query(query: str, drop: re.Pattern[str] | None) -> str:
    kept = [part for part in query.split("&") if part and not _is_noise(part, drop)]
    return "&".join(sorted(kept, key=lambda part: part.split("=", 1)[0]))


def _is_noise(parameter: str, drop: re.Pattern[str] | None) -> bool:
    name = parameter.split("=", 1)[0]
    if _TRACKING.fullmatch(name) or _SESSION.fullmatch(name) or _PERHAPS_SESSION.fullmatch(parameter):
        return True
    return drop is not None and drop.fullmatch(name) is not None


def without_index(path: str) -> str:
    """A path without the file that a server shows for its folder."""
    return _INDEX.sub("/", path)


def key(url: str) -> str:
    """The same for all spellings that may mean one page, of a canonical address."""
    parts = urlsplit(url)
    path = without_index(parts.path.lower()).rstrip("/")
    return urlunsplit(parts._replace(path=path))


class Spellings:
    """Which page each content has been seen at, among the spellings of its address.

    `live` are addresses and content hashes of the pages before this crawl: these keep their names.
    """

    def __init__(self, live: Iterable[tuple[str, str]] = ()) -> None:
        self._first: dict[int, str] = {}  # by hash: the keys themselves would double the addresses
        for url, content_hash in sorted(live):
            self.alias_of(url, content_hash)

    def alias_of(self, url: str, content_hash: str) -> str | None:
        """The page with the same content that `url` is another spelling of; None makes `url` the one to name."""
        first = self._first.setdefault(hash((key(url), content_hash)), url)
        return None if first == url else first
