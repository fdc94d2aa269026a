"""What the whole page says about itself, read before anything is removed from it."""

import re
from dataclasses import dataclass
from urllib.parse import urldefrag, urljoin, urlsplit

from selectolax.lexbor import LexborHTMLParser

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
