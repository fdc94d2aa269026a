"""What an answered request turns out to be: a page to keep, or the reason why it is none."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from selectolax.lexbor import LexborHTMLParser

from acronis_pipeline.content import extract
from acronis_pipeline.crawl.charset import decode_html
from acronis_pipeline.crawl.fetch import Answer
from acronis_pipeline.crawl.urls import Scope

MIN_CONTENT_CHARS = 40
"""Less text than a short sentence is nothing to answer questions from."""

NOINDEX = "noindex"
NO_CONTENT = "no content of its own"
LOGIN_WALL = "login wall"
EMPTY_WITHOUT_SCRIPTS = "empty without JavaScript"
"""Reasons why an HTML answer is no page. The last two say that we were not shown it, the others that there is none."""

_LOGIN_MAX_WORDS = 120
"""A form with a password beside more text than this is a page that happens to have one (a portal's documentation)."""

_HTML = frozenset({"text/html", "application/xhtml+xml", ""})
_AGENT_RULE = re.compile(r"\s*([\w-]+)\s*:(.*)", re.DOTALL)
_VALUED_DIRECTIVES = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})


def is_html(media_type: str) -> bool:
    """Whether a body of this media type is worth reading; a server that does not say gets the benefit of the doubt."""
    return media_type in _HTML


@dataclass(frozen=True)
class Reading:
    """A page as read.

    `links` are the canonical addresses on the same site that it leads to, whatever the scope says of them. `alias_of`
    is the canonical address that it names instead of its own. `no_page` is why it is not kept, if it is not.
    """

    html: str
    title: str
    language: str | None
    content_hash: str
    links: tuple[str, ...]
    alias_of: str | None = None
    no_page: str | None = None


def read(answer: Answer, scope: Scope, *, selector: str | None, agent: str) -> Reading:
    """Decode and extract a page, obeying its robots directives. Takes 2–50 ms of CPU.

    Parameters
    ----------
    answer
        A complete HTML answer with status 200.
    selector
        `site.content_selector`.
    agent
        Our product token, for X-Robots-Tag headers that address one robot.
    """
    html = decode_html(answer.body, answer.content_type)
    content = extract(html, url=answer.url, selector=selector)
    directives = {directive.lower() for directive in content.robots} | header_directives(answer, agent)
    follow = not directives & {"nofollow", "none"}
    spelt = (scope.canonical(link, answer.url) for link in content.links) if follow else ()
    return Reading(
        html=html,
        title=content.title,
        language=content.language,
        content_hash=content.content_hash,
        links=tuple(dict.fromkeys(link for link in spelt if link and scope.is_same_site(link))),
        alias_of=_alias(content.canonical_url, answer.url, scope),
        no_page=NOINDEX if directives & {"noindex", "none"} else _nothing_to_keep(html, content.markdown),
    )


def header_directives(answer: Answer, agent: str) -> set[str]:
    """Directives in X-Robots-Tag headers that address everyone or us."""
    directives: set[str] = set()
    for line in answer.headers.get_list("x-robots-tag"):
        addressed = _AGENT_RULE.fullmatch(line)
        if addressed and addressed[1].lower() not in _VALUED_DIRECTIVES:
            if addressed[1].lower() != agent:
                continue
            line = addressed[2]
        directives |= {part.strip().lower() for part in line.split(",")}
    return directives


def _alias(declared: str | None, url: str, scope: Scope) -> str | None:
    """The address a page declares as its own, where that is believable.

    A template that names the front page on every page is a well-known mistake; following it would leave one page.
    """
    target = scope.canonical(declared, url) if declared else None
    if target is None or target == url or scope.why_not(target):
        return None
    is_front = urlsplit(target).path in {"/", scope.prefix}
    return None if is_front and urlsplit(target).path != urlsplit(url).path else target


def _nothing_to_keep(html: str, markdown: str) -> str | None:
    words = markdown.split()
    if len(words) > _LOGIN_MAX_WORDS:
        return None
    tree = LexborHTMLParser(html)
    if tree.css_first('input[type="password" i]'):
        return LOGIN_WALL
    if sum(map(len, words)) >= MIN_CONTENT_CHARS:
        return None
    has_script = tree.css_first("script") is not None
    tree.strip_tags(["script", "style", "noscript", "template"])
    shown = "".join(tree.body.text().split()) if tree.body else ""
    return EMPTY_WITHOUT_SCRIPTS if has_script and len(shown) < MIN_CONTENT_CHARS else NO_CONTENT
