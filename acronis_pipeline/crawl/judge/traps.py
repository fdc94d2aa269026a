"""Addresses without end: calendars, filters that combine, folders within folders. Seen by their spelling alone."""

import logging
import re
from collections import Counter
from urllib.parse import unquote, urlsplit

from acronis_pipeline.settings import SiteSettings

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
