"""What the whole page says about itself, read before anything is removed from it.

The title of a page without the name of the site.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from selectolax.lexbor import LexborHTMLParser

from acronis_pipeline.content.markdown import Heading

_FORWARD = re.compile(r"\s*[0-5](?:\.\d*)?\s*[;,]\s*url\s*=\s*['\"]?([^'\"]+)", re.IGNORECASE)


@dataclass(frozen=True)
class PageMetadata:
    """`heading` is the first h1 anywhere on the page; titles are as written, site name included."""

    title: str
    og_title: str
    site_name: str
    heading: str
    language: str | None
    canonical_url: str | None
    links: tuple[str, ...]
    alternates: tuple[tuple[str, str], ...]
    """Addresses whose language the page names (`hreflang` of links in its head and body), and that language."""
    robots: frozenset[str]
    forwards: bool
    """Whether the page sends its reader on at once (`<meta http-equiv=refresh>`); the target is among the links."""


def read(tree: LexborHTMLParser, url: str) -> PageMetadata:
    base = base_address(tree, url)
    robots = _robots(tree)
    target = _forward_target(tree, base, url)
    links = () if robots & {"nofollow", "none"} else _links(tree, base)
    return PageMetadata(
        title=_text(tree, "title"),
        og_title=_meta(tree, "og:title"),
        site_name=_meta(tree, "og:site_name"),
        heading=_text(tree, "h1"),
        language=_language(tree),
        canonical_url=_canonical(tree, base),
        links=tuple(dict.fromkeys([target, *links])) if target else links,
        alternates=_alternates(tree, base),
        robots=robots,
        forwards=target is not None,
    )


def _text(tree: LexborHTMLParser, selector: str) -> str:
    node = tree.css_first(selector)
    return " ".join(node.text().split()) if node else ""


def _meta(tree: LexborHTMLParser, name: str) -> str:
    node = tree.css_first(f'meta[property="{name}"], meta[name="{name}"]')
    return " ".join((node.attributes.get("content") or "").split()) if node else ""


def base_address(tree: LexborHTMLParser, url: str) -> str:
    """What relative links are resolved against."""
    node = tree.css_first("base[href]")
    return (absolute(url, node.attributes["href"]) if node else None) or url


def _robots(tree: LexborHTMLParser) -> frozenset[str]:
    tags = tree.css("meta[name][content]")
    named = (tag.attributes for tag in tags if (tag.attributes["name"] or "").strip().lower() == "robots")
    directives = (part.strip().lower() for tag in named for part in (tag["content"] or "").split(","))
    return frozenset(part for part in directives if part)


def _language(tree: LexborHTMLParser) -> str | None:
    """Primary subtag ("en" of "en-US"), so that regional variants compare equal."""
    node = tree.css_first("html[lang]")
    declared = (node.attributes["lang"] if node else None) or _meta(tree, "og:locale")
    primary = declared.replace("_", "-").split("-")[0].strip().lower()
    return primary if primary.isalpha() and 2 <= len(primary) <= 3 else None


def _canonical(tree: LexborHTMLParser, base: str) -> str | None:
    node = tree.css_first('link[rel~="canonical" i][href]')
    return absolute(base, node.attributes["href"]) if node else None


def _forward_target(tree: LexborHTMLParser, base: str, url: str) -> str | None:
    node = tree.css_first('meta[http-equiv="refresh" i][content]')
    match = _FORWARD.match(node.attributes["content"] or "") if node else None
    target = absolute(base, match[1]) if match else None
    return None if target == absolute(url, "") else target  # a page may reload itself


def _links(tree: LexborHTMLParser, base: str) -> tuple[str, ...]:
    hrefs: dict[str | None, None] = {}  # navigation names the same few addresses again and again
    for node in tree.css("a[href], area[href]"):
        attributes = node.attributes
        if "nofollow" not in (attributes.get("rel") or "").lower().split():
            hrefs[attributes["href"]] = None
    found = (absolute(base, href) for href in hrefs)
    return tuple(dict.fromkeys(target for target in found if target))


def _alternates(tree: LexborHTMLParser, base: str) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for node in tree.css('link[rel~="alternate" i][hreflang][href], a[hreflang][href]'):
        target = absolute(base, node.attributes["href"])
        language = (node.attributes["hreflang"] or "").strip().lower()
        if target and language:
            found.setdefault(target, language)
    return tuple(found.items())


def absolute(base: str, href: str | None) -> str | None:
    """`href` resolved against `base` without its fragment; None if that is no http(s) address."""
    if href is None:
        return None
    try:
        target = urldefrag(urljoin(base, "".join(href.split("\n")).strip())).url
        parts = urlsplit(target)
        return target if parts.scheme in {"http", "https"} and parts.hostname else None
    except ValueError:  # "http://[": what a browser would not follow either
        return None


_SEPARATOR = re.compile(r"\s+(?:[|·•»«:>–—-]|::)\s+")
_SITE_WORDS = re.compile(
    r"\b(?:docs?|documentation|help cent(?:er|re)|support|knowledge ?base|kb|wiki|blog|portal|official site)\b",
    re.IGNORECASE,
)


def page_title(page: PageMetadata, headings: Sequence[Heading], url: str) -> str:
    """The page's own h1 where there is one, else its `<title>` without the site name, else words of its address."""
    for heading in headings:
        if heading.level == 1:
            return heading.text
    short = without_site_name(page.title or page.og_title, site_name=page.site_name, host=urlsplit(url).hostname or "")
    # A logo is often an h1 too, but it does not stand at the front of every page's title.
    if page.heading and short.casefold().startswith(page.heading.casefold()):
        return page.heading
    return short or page.heading or _from_address(url)


def without_site_name(title: str, *, site_name: str, host: str) -> str:
    """Strip a leading or trailing part that names the site, as in "Restore a disk | Example Docs"."""
    separators = _SEPARATOR.findall(title)
    parts = _SEPARATOR.split(title)
    if len(parts) == 1:
        return title.strip()
    if _names_site(parts[-1], site_name, host) or (separators[-1].strip() in {"|", "·", "•"} and not site_name):
        return title[: title.rindex(separators[-1] + parts[-1])].strip()
    if _names_site(parts[0], site_name, host):
        return title[len(parts[0]) + len(separators[0]) :].strip()
    return title.strip()


def _names_site(part: str, site_name: str, host: str) -> bool:
    if site_name:
        return part.casefold().strip() == site_name.casefold()
    squeezed = re.sub(r"\W", "", part).casefold()
    labels = [label for label in host.casefold().split(".")[:-1] if len(label) > 3]
    return bool(_SITE_WORDS.search(part)) or any(label.replace("-", "") in squeezed for label in labels)


def _from_address(url: str) -> str:
    parts = urlsplit(url)
    names = [name for name in parts.path.split("/") if name and not name.startswith("index.")]
    if not names:
        return parts.hostname or ""
    return " ".join(re.split(r"[-_]+", unquote(names[-1]).rsplit(".", 1)[0])).strip().capitalize()
