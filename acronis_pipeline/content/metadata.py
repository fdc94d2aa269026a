"""What a page says about itself and where it leads: title, language, robots, links, and the words of its links.

`read` looks at the whole page before anything is removed from it. `page_title` takes the site's name off the title.
`references` are links within the main content with the words that people wrote for them: short descriptions of what
they lead to.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from selectolax.lexbor import LexborHTMLParser, LexborNode

from acronis_pipeline.content.markdown import Heading

_LINK_TEXT_MAX_CHARS = 160
_SAYS_NOTHING = re.compile(
    r"(?:click |tap |see |look |read |go |right |over |available |found )?(?:it |more )?(?:here|there|this|that|now)"
    r"|(?:this |that |the |our )?"
    r"(?:page|link|article|section|topic|document|guide|post|site|website|example|image|file)s?"
    r"|(?:learn|read|find out|see|show|view|discover|know)(?: it)?(?: more| details| all)?"
    r"(?: here| details| information)?"
    r"|(?:for )?(?:more|further|additional)(?: details| info(?:rmation)?| about this)?|details|continue(?: reading)?"
    r"|source|next|prev(?:ious)?|back|top|home|up|edit|download|above|below|first|second|last|yes|no|ok|start|open|close",
    re.IGNORECASE,
)
_ADDRESS = re.compile(
    r"\w+://|www\.|mailto:|\S+@\S+\.\w|(?:[\w-]+\.)+(?:com|org|net|io|dev|gov|edu)\b|\S*/\S*/\S*$|\.{0,2}/"
)
_FILE_NAME = re.compile(r"\S+\.(?:html?|md|pdf|php|aspx?|png|jpe?g|gif|svg|zip|gz)")
_LETTERS = re.compile(r"[^\W\d_]{2}")
_UNSPACED_LETTER = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_SEPARATOR = re.compile(r"\s+(?:[|·•»«:>–—-]|::)\s+")
_SITE_WORDS = re.compile(
    r"\b(?:docs?|documentation|help cent(?:er|re)|support|knowledge ?base|kb|wiki|blog|portal|official site)\b",
    re.IGNORECASE,
)
_NOTICE_WORDS = 20
"""Of a page that sends its reader on: "You are being redirected, click here if …"."""
_OTHER_LINKS = {
    "frame[src], iframe[src]": "src",
    "iframe[data-src]": "data-src",
    "object[data]": "data",
    ", ".join(
        f'link[rel~="{rel}" i][href]' for rel in ("next", "prev", "contents", "start", "index", "up", "chapter", "help")
    ): "href",
    "[data-href]": "data-href",
    "button[formaction], input[formaction]": "formaction",
    'form[action]:not([method="post" i]):not(:has(input, select, textarea))': "action",
}
"""Elements that lead somewhere without being links, and the attribute that says where."""
_SCRIPT_TARGET = re.compile(
    r"(?:\blocation(?:\.href)?\s*=(?!=)|\blocation\.(?:assign|replace)\s*\(|\bwindow\.open\s*\()"
    r"\s*(['\"`])([^'\"`\s<>{}$]{1,2000})\1\s*(?=[;,)}\n\r]|//|$)"
)
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
    if target is None and tree.body is not None and not _says_something(tree):
        targets = (found for script in tree.css("script:not([src])") for found in _script_targets(script.text()))
        target = next(filter(None, (absolute(base, found) for found in targets)), None)
    return None if target == absolute(url, "") else target  # a page may reload itself


def _says_something(tree: LexborHTMLParser) -> bool:
    """Whether a page that may only send its reader on has a text of its own."""
    shown = [node.text() for node in tree.css("body p, body li, body td, body h1, body h2, body main, body article")]
    return len(" ".join(shown).split()) > _NOTICE_WORDS


def _links(tree: LexborHTMLParser, base: str) -> tuple[str, ...]:
    """Where a reader can get from a page: by links, frames, and what scripts plainly make one of."""
    hrefs: dict[str | None, None] = {}  # navigation names the same few addresses again and again
    for node in tree.css("a[href], area[href]"):
        attributes = node.attributes
        if "nofollow" not in (attributes.get("rel") or "").lower().split():
            hrefs[attributes["href"]] = None
    for selector, attribute in _OTHER_LINKS.items():
        hrefs |= {node.attributes.get(attribute): None for node in tree.css(selector)}
    for select in tree.css("select[onchange]"):
        if "location" in (select.attributes["onchange"] or "") or "submit" not in (select.attributes["onchange"] or ""):
            values = (option.attributes["value"] or "" for option in select.css("option[value]"))
            hrefs |= {value: None for value in values if "/" in value or _FILE_NAME.fullmatch(value)}
    for node in tree.css("[onclick]"):
        hrefs |= dict.fromkeys(_script_targets(node.attributes["onclick"] or ""))
    for node in tree.css("script:not([src])"):
        hrefs |= dict.fromkeys(_script_targets(node.text()))
    found = (absolute(base, href) for href in hrefs)
    return tuple(dict.fromkeys(target for target in found if target))


def _script_targets(script: str) -> list[str]:
    """Addresses that a script sends its reader to in plain words; one that is put together is not read."""
    if "location" not in script and "open(" not in script:
        return []
    return [match[2].replace("\\/", "/") for match in _SCRIPT_TARGET.finditer(script)]


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


@dataclass(frozen=True)
class Reference:
    """A link: its absolute `target` and the `fragment` in it, the words it shows, and its `title` attribute."""

    target: str
    fragment: str | None
    text: str
    title: str | None


def references(nodes: Iterable[LexborNode], base: str) -> tuple[Reference, ...]:
    """References within the elements that hold the content, in order, each once.

    Left out are links whose text describes nothing: "here", "read more", addresses, file names, numbers, images.
    """
    found: dict[Reference, None] = {}
    for node in nodes:
        for link in node.css("a[href]"):
            href = link.attributes["href"] or ""
            target = absolute(base, href) or _in_the_same_folder(base, href)
            text = " ".join(link.text().split()).strip(" .,:;»›→¶#")
            if target is None or not describes(text):
                continue
            title = " ".join((link.attributes.get("title") or "").split())
            own_words = title if describes(title) and title.casefold() != text.casefold() else None
            found[Reference(target, urlsplit(urljoin(base, href.strip())).fragment or None, text, own_words)] = None
    return tuple(found)


def _in_the_same_folder(base: str, href: str) -> str | None:
    """`href` resolved against a local file; None if it leads elsewhere, or the page is none."""
    try:
        target = urldefrag(urljoin(base, href.strip())).url
    except ValueError:
        return None
    return target if base.startswith("file:") and target.startswith("file:") else None


def describes(text: str) -> bool:
    """Whether the text of a link says what stands at its target."""
    if not text or len(text) > _LINK_TEXT_MAX_CHARS or not (_LETTERS.search(text) or _UNSPACED_LETTER.search(text)):
        return False
    return not (_SAYS_NOTHING.fullmatch(text) or _ADDRESS.match(text) or _FILE_NAME.fullmatch(text))
