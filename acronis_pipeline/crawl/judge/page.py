"""What an answered request turns out to be: a page to keep, or the reason why it is none."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from acronis_pipeline.content import Content, extract
from acronis_pipeline.crawl.judge.formats import ALL_FORMATS, BINARY, LOG, NOT_READ, Formats, NotAPageError
from acronis_pipeline.crawl.judge.languages import ALL_LANGUAGES, Languages
from acronis_pipeline.crawl.judge.languages import OTHER_LANGUAGE as OTHER_LANGUAGE
from acronis_pipeline.crawl.judge.scope import Scope
from acronis_pipeline.crawl.judge.soft404 import NOTHING_LEARNT, SoftNotFound
from acronis_pipeline.crawl.judge.soft404 import SOFT_404 as SOFT_404
from acronis_pipeline.crawl.judge.walls import EMPTY_WITHOUT_SCRIPTS as EMPTY_WITHOUT_SCRIPTS
from acronis_pipeline.crawl.judge.walls import LOGIN_WALL as LOGIN_WALL
from acronis_pipeline.crawl.judge.walls import NESTED_TOO_DEEPLY, hidden_by, is_nested_too_deeply
from acronis_pipeline.crawl.judge.walls import NO_CONTENT as NO_CONTENT
from acronis_pipeline.crawl.site.fetch import Answer

NOINDEX = "noindex"
_NOTHING_THERE = frozenset({NOINDEX, SOFT_404, OTHER_LANGUAGE, BINARY, LOG})

_AGENT_RULE = re.compile(r"\s*([\w-]+)\s*:(.*)", re.DOTALL)
_VALUED_DIRECTIVES = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})


@dataclass(frozen=True)
class Reading:
    """A page as read.

    `links` are the canonical addresses on the same site that it leads to, whatever the scope says of them. `alias_of`
    is the canonical address that it names instead of its own. `no_page` is why it is not kept, if it is not. Of a page
    of another format, `html` is what was made from it and `media_type` what it was.
    """

    html: str
    title: str
    language: str | None
    content_hash: str
    links: tuple[str, ...]
    alias_of: str | None = None
    no_page: str | None = None
    media_type: str = "text/html"

    @property
    def nothing_there(self) -> bool:
        """Whether there is no page to keep; otherwise `no_page` says why we were not shown it."""
        return self.no_page in _NOTHING_THERE or (self.no_page or "").startswith(NOT_READ)


def read(
    answer: Answer,
    scope: Scope,
    *,
    selector: str | None,
    agent: str,
    languages: Languages = ALL_LANGUAGES,
    not_found: SoftNotFound = NOTHING_LEARNT,
    formats: Formats = ALL_FORMATS,
    extracting: Callable[..., Content] = extract,
) -> Reading:
    """Decode and extract a page, obeying its robots directives. Takes 2–50 ms of CPU, a PDF 6 ms a page elsewhere.

    Parameters
    ----------
    answer
        A complete answer with status 200.
    selector
        `site.content_selector`.
    agent
        Our product token, for directives that address one robot.
    languages
        Learns which addresses the page says to be in other languages.
    not_found
        What the site's "not found" page is like.
    formats
        Which are wanted, and what they may cost.
    extracting
        `content.extract`, or what does the same elsewhere.
    """
    try:
        media_type, html = formats.read(answer)
    except NotAPageError as error:
        return _unread(error.reason)
    if is_nested_too_deeply(html):
        return _unread(NESTED_TOO_DEEPLY)
    content = extracting(html, url=answer.url, selector=selector)
    directives = {directive.lower() for directive in content.robots}
    directives |= header_directives(answer, agent) | _meta_directives(html, agent)
    in_language = languages.wants_page(content.language, answer.headers.get("content-language"), content.markdown)
    links = _links(content, answer.url, scope, languages, whole_page=in_language or _is_front(answer.url, scope))
    if directives & {"noindex", "none"}:
        no_page = NOINDEX
    elif not_found.is_like(content, answer.url):
        no_page = SOFT_404
    else:
        no_page = hidden_by(html, content.title, content.markdown) or (None if in_language else OTHER_LANGUAGE)
    return Reading(
        html=html,
        title=content.title,
        language=content.language,
        content_hash=content.content_hash,
        links=() if directives & {"nofollow", "none"} else links,
        alias_of=_alias(content.canonical_url, answer.url, scope),
        no_page=no_page,
        media_type=media_type,
    )


def _unread(reason: str) -> Reading:
    return Reading(html="", title="", language=None, content_hash="", links=(), no_page=reason)


def _links(content: Content, url: str, scope: Scope, languages: Languages, *, whole_page: bool) -> tuple[str, ...]:
    """Where a page leads: its links and its versions in other languages, without those that are not wanted.

    A page in another language leads to its wanted versions only, unless it is the front page, where one chooses.
    """
    spelt = [(scope.canonical(target, url), tag) for target, tag in content.alternates]
    alternates = [(target, tag) for target, tag in spelt if target and not scope.why_not(target)]
    languages.note(alternates)
    onward = [scope.canonical(link, url) for link in content.links] if whole_page else []
    onward += [target for target, tag in alternates if languages.wants(tag) and target != url]
    same_site = (link for link in onward if link and scope.is_same_site(link) and not languages.why_not(link))
    return tuple(dict.fromkeys(same_site))


def _meta_directives(html: str, agent: str) -> set[str]:
    """Directives in `<meta name="acronis-pipeline" content="noindex">`: those that address us by name."""
    directives: set[str] = set()
    for tag in re.findall(rf"<meta\b[^>]*\bname\s*=\s*[\"']?{re.escape(agent)}[\"'\s][^>]*>", html, re.IGNORECASE):
        content = re.search(r"\bcontent\s*=\s*[\"']?([^\"'>]*)", tag, re.IGNORECASE)
        directives |= {part.strip().lower() for part in content[1].split(",")} if content else set()
    return directives


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
    return None if _is_front(target, scope) and urlsplit(target).path != urlsplit(url).path else target


def _is_front(url: str, scope: Scope) -> bool:
    return urlsplit(url).path in {"/", scope.prefix}
