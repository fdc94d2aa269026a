"""Two addresses of one page that differ in spelling: `/guide`, `/guide/`, `/Guide/` and `/guide/index.html`.

Some servers show one page at all of them, some another at each, and many know only one. So no spelling is rewritten
before it was asked for: redirects and canonical links say what a server means, and where there are neither, two
spellings are one page if they show the same content.
"""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit, urlunsplit

_INDEX = re.compile(r"/(?:index\.(?:html?|php|aspx?|jsp|cfm)|default\.(?:aspx?|html?)|home\.html?)$")


def key(url: str) -> str:
    """The same for all spellings that may mean one page, of a canonical address."""
    parts = urlsplit(url)
    path = _INDEX.sub("/", parts.path.lower()).rstrip("/")
    return urlunsplit(parts._replace(path=path))


class Spellings:
    """Which page each content has been seen at, among the spellings of its address.

    Parameters
    ----------
    live
        Addresses and content hashes of the pages before this crawl: these keep their names.
    """

    def __init__(self, live: Iterable[tuple[str, str]] = ()) -> None:
        self._first: dict[int, str] = {}  # by hash: the keys themselves would double the addresses
        for url, content_hash in sorted(live):
            self.alias_of(url, content_hash)

    def alias_of(self, url: str, content_hash: str) -> str | None:
        """The page with the same content that `url` is another spelling of; None makes `url` the one to name."""
        first = self._first.setdefault(hash((key(url), content_hash)), url)
        return None if first == url else first
