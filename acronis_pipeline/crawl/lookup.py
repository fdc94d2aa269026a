"""Pages by every spelling of their address: what people paste, what a gold file names, what a link says.

Fragment, default port, case of the host, needless escapes and tracking parameters never matter. Where the crawl met an
address, it knows where the site leads from there (redirects, canonical links, print versions); of others, spellings
that servers treat alike are one page: http and https, `www.`, a slash or an index file at the end, upper and lower
case, composed and decomposed letters, and last `.html` or not.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import unquote, urljoin, urlsplit

from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.core.text import normal_form
from acronis_pipeline.crawl.fetching.scope import Scope
from acronis_pipeline.crawl.fetching.urls import canonical, without_index
from acronis_pipeline.store import Store, tables

_ENDINGS = (".html", ".htm", ".php", ".aspx", ".md")


class Addresses:
    """Where addresses lead among the `pages` that are held.

    Parameters
    ----------
    pages
        Canonical addresses; of several that a spelling may mean, the first is meant.
    hops
        Where an address that is no page itself leads, see `hops_of`.
    spell
        The canonical spelling of an address, as the crawl spells it.
    site
        The site's front page; empty for a local folder.
    """

    def __init__(
        self,
        pages: Iterable[str],
        hops: Mapping[str, str],
        spell: Callable[[str], str | None] = canonical,
        site: str = "",
    ) -> None:
        self._pages = dict.fromkeys(pages)
        self._spell, self._site = spell, site
        self._ends = {url: end for url in hops if (end := _end(url, hops, self._pages)) in self._pages}
        self._like: tuple[dict[str, list[str]], ...] = tuple(defaultdict(list) for _ in _LIKENESSES)
        for known, page in [*((url, url) for url in self._pages), *self._ends.items()]:
            for index, likeness in zip(self._like, _LIKENESSES, strict=True):
                index[likeness(known)].append(page)

    @classmethod
    def of(cls, store: Store, site: SiteSettings, *, live_only: bool) -> "Addresses":
        """What is held of a site: live pages, and after them those that are gone unless `live_only`."""
        rows = store.read(tables.PAGES, columns=["url", "gone_at"]).to_pylist()
        pages = [
            row["url"]
            for row in sorted(rows, key=lambda row: (row["gone_at"] is not None, row["url"]))
            if not (live_only and row["gone_at"])
        ]
        # Unlike `site.url` (which may be `sample` or a sitemap), a page that is held is on the site that was crawled.
        crawled = site if site.folder or not pages else site.model_copy(update={"url": pages[0]})
        on_the_web = urljoin(pages[0], "/") if pages and pages[0].startswith("http") else ""
        return cls(pages, hops_of(store), Scope.of(crawled).canonical if pages else canonical, on_the_web)

    def __bool__(self) -> bool:
        return bool(self._pages)

    def page(self, asked: str) -> str | None:
        """The page that an address means, or None. A path alone, or a host without its scheme, is on the site."""
        try:
            spelt = self.spelt(asked)
            urlsplit(spelt)
        except ValueError:  # "http://["
            return None
        if spelt in self._pages:
            return spelt
        if spelt in self._ends:
            return self._ends[spelt]
        for index, likeness in zip(self._like, _LIKENESSES, strict=True):
            if found := index.get(likeness(spelt)):
                return found[0]
        return None

    def spelt(self, asked: str) -> str:
        """The canonical spelling of what a person wrote; raises ValueError for what cannot be an address."""
        asked = asked.strip().strip("<>")
        host = urlsplit(self._site).netloc
        if host and asked.lower().partition("/")[0] in {host, host.removeprefix("www."), f"www.{host}"}:
            asked = f"//{asked}"
        return self._spell(urljoin(self._site, asked) if self._site else asked) or asked

    def beginning(self, path: str) -> str:
        """The beginning of an address or a path, as pages have it: itself if one begins so, else the page it means."""
        whole = "://" in path
        if any((page if whole else _path(page)).startswith(path) for page in self._pages):
            return path
        page = self.page(path)
        return path if page is None else page if whole else _path(page)


def _path(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _as_written(url: str) -> str:
    """Without what servers hardly ever tell apart: scheme, `www.`, index file, slash at the end, Unicode's forms."""
    parts = urlsplit(url)
    path = normal_form(unquote(without_index(parts.path))).rstrip("/")
    return f"{parts.netloc.removeprefix('www.')}{path}?{normal_form(unquote(parts.query))}"


def _in_any_case(url: str) -> str:
    return _as_written(url).casefold()


def _without_ending(url: str) -> str:
    path, _, query = _in_any_case(url).rpartition("?")
    ending = next((ending for ending in _ENDINGS if path.endswith(ending)), "")
    return f"{path.removesuffix(ending).rstrip('/')}?{query}"


_LIKENESSES = (_as_written, _in_any_case, _without_ending)
"""From the strictest to the loosest."""


def hops_of(store: Store) -> dict[str, str]:
    """Where each address leads that redirects or declares another as its own, one step."""
    visits = store.read(tables.VISITS, columns=["url", "target"], where="target IS NOT NULL")
    return {url: urljoin(url, target) for url, target in zip(*visits.to_pydict().values(), strict=True)}


def forwarding(store: Store) -> dict[str, str]:
    """The address that each of these finally leads to."""
    hops = hops_of(store)
    return {url: _end(url, hops) for url in hops}


def _end(url: str, hops: Mapping[str, str], pages: Mapping[str, None] | None = None) -> str:
    """Where hops end, or at the first page on the way."""
    seen = {url}
    while (following := hops.get(url)) is not None and following not in seen:
        seen.add(following)
        url = following
        if pages and url in pages:
            break
    return url
