"""What an answered request turns out to be: a page to keep, another address, or the reason why it is none.

Pages in languages that nobody wants are not even asked for where the site says what they are.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from acronis_pipeline.content import Content, extract
from acronis_pipeline.content.removal import counts
from acronis_pipeline.core import retries
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.core.text import printable
from acronis_pipeline.crawl.fetching.fetch import Answer
from acronis_pipeline.crawl.fetching.scope import Scope
from acronis_pipeline.crawl.fetching.site_files import product_token
from acronis_pipeline.crawl.judging.formats import BINARY, LOG, NOT_READ, Formats, NotAPageError
from acronis_pipeline.crawl.judging.non_pages import (
    NESTED_TOO_DEEPLY,
    NO_CONTENT,
    NOTHING_LEARNT,
    SOFT_404,
    SoftNotFound,
    hidden_by,
    is_nested_too_deeply,
)

OTHER_LANGUAGE = "other language"

MAX_REMEMBERED = 500_000
"""Addresses in other languages kept in mind (some 60 MB); beyond these a page's own language decides."""

_GUESS_MIN_WORDS = 40
"""Less text, or mostly code, and a guess is no better than chance."""
NOINDEX = "noindex"
_NOTHING_THERE = frozenset({NOINDEX, SOFT_404, OTHER_LANGUAGE, BINARY, LOG})
_AGENT_RULE = re.compile(r"\s*([\w-]+)\s*:(.*)", re.DOTALL)
_VALUED_DIRECTIVES = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})
Outcome = Literal["page", "redirect", "alias", "refused", "failed"]
_ABSENT = frozenset({404, 410})


class Languages:
    """What `site.languages` wants (nothing named: every language), and what the site says of its addresses.

    Fed from two threads: a set's own operations need no lock.
    """

    def __init__(self, wanted: Iterable[str] = ()) -> None:
        self._wanted = tuple(tag.lower().replace("_", "-") for tag in wanted)
        self._other: set[str] = set()

    @property
    def everything(self) -> bool:
        """Whether every language is wanted."""
        return not self._wanted

    def wants(self, tag: str) -> bool:
        """Whether a language tag is wanted: `en` stands for `en-GB`, and a page that says only `pt` may be `pt-BR`.

        `x-default` is the page for everyone else, which may be in any language.
        """
        tag = tag.strip().lower().replace("_", "-")
        if self.everything or tag == "x-default":
            return True
        return any(f"{tag}-".startswith(f"{wanted}-") or wanted.startswith(f"{tag}-") for wanted in self._wanted)

    def note(self, alternates: Iterable[tuple[str, str]]) -> None:
        """Remember which canonical addresses are in languages that are not wanted."""
        if self.everything:
            return
        for url, tag in alternates:
            if self.wants(tag):
                self._other.discard(url)  # in two languages at once, says the site; the page will tell
            elif len(self._other) < MAX_REMEMBERED:
                self._other.add(url)

    def why_not(self, url: str) -> str | None:
        """Reason not to ask for a canonical address, in words fit for counting."""
        return OTHER_LANGUAGE if url in self._other else None

    def wants_page(self, declared: str | None, header: str | None, text: str) -> bool:
        """Whether a page is in a wanted language, by `<html lang>`, else Content-Language, else a guess from its text.

        A header that names several languages is believed if one of them is wanted.
        """
        if self.everything:
            return True
        if declared:
            return self.wants(declared)
        if header and header.strip():
            return any(self.wants(tag) for tag in header.split(","))
        if len(text.split()) < _GUESS_MIN_WORDS:
            return True
        import py3langid  # a second of loading, and few pages fail to say what they are

        return self.wants(py3langid.classify(text[:5_000])[0])


@dataclass(frozen=True)
class Reading:
    """A page as read.

    `links` are the canonical addresses on the same site that it leads to, whatever the scope says of them. `alias_of`
    is the canonical address that it names instead of its own. `no_page` is why it is not kept, if it is not. Of a page
    of another format, `html` is what was made from it and `media_type` what it was. `removed` are the pieces that rules
    took out of its main content, by rule.
    """

    html: str = ""
    title: str = ""
    language: str | None = None
    content_hash: str = ""
    links: tuple[str, ...] = ()
    alias_of: str | None = None
    no_page: str | None = None
    media_type: str = "text/html"
    removed: Mapping[str, int] = field(default_factory=dict)

    @property
    def nothing_there(self) -> bool:
        """Whether there is no page to keep; otherwise `no_page` says why we were not shown it."""
        return self.no_page in _NOTHING_THERE or (self.no_page or "").startswith(NOT_READ)


def read(
    answer: Answer,
    site: SiteSettings,
    scope: Scope,
    *,
    languages: Languages,
    formats: Formats,
    not_found: SoftNotFound = NOTHING_LEARNT,
    extracting: Callable[..., Content] = extract,
) -> Reading:
    """Decode and extract a page, obeying its robots directives. Takes 2–50 ms of CPU, a PDF 6 ms a page elsewhere.

    Parameters
    ----------
    answer
        A complete answer with status 200.
    languages
        Learns which addresses the page says to be in other languages.
    not_found
        What the site's "not found" page is like.
    extracting
        `content.extract`, or what does the same elsewhere.
    """
    try:
        media_type, html = formats.read(answer)
    except NotAPageError as error:
        return Reading(no_page=error.reason)
    if is_nested_too_deeply(html):
        return Reading(no_page=NESTED_TOO_DEEPLY)
    content = extracting(html, url=answer.url, selector=site.content_selector)
    directives = {directive.lower() for directive in content.robots}
    agent = product_token(site)
    directives |= header_directives(answer, agent) | _meta_directives(html, agent)
    in_language = languages.wants_page(content.language, answer.headers.get("content-language"), content.markdown)
    links = _links(content, answer.url, scope, languages, whole_page=in_language or _is_front(answer.url, scope))
    if directives & {"noindex", "none"}:
        no_page = NOINDEX
    elif not_found.is_like(content, answer.url):
        no_page = SOFT_404
    elif content.method == "forward":
        no_page = NO_CONTENT  # its target is among the links
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
        removed=counts(content.removed),
    )


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
    for tag in re.findall(
        rf"<meta\b[^<>]{{0,1000}}\bname\s*=\s*[\"']?{re.escape(agent)}[\"'\s][^<>]{{0,1000}}>", html, re.IGNORECASE
    ):
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


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of a visit, as `visits` records it.

    `refused` says that there is nothing to keep, `failed` that we were not shown what there is: what is held of the
    page stays. `reason` is in words fit for counting, `target` the address that a redirect or an alias leads to,
    `status` the HTTP status (301 for redirects that are all permanent, else 302).
    """

    outcome: Outcome
    reason: str | None = None
    target: str | None = None
    status: int | None = None

    @classmethod
    def of(cls, visit: dict[str, Any]) -> "Verdict":
        """From a row of `visits`."""
        return cls(visit["outcome"], visit["reason"], visit["target"], visit["status"])

    @property
    def absent(self) -> bool:
        """A sighting of absence."""
        return self.outcome == "refused" or (self.outcome == "failed" and self.status in _ABSENT)

    @property
    def forbidden(self) -> bool:
        """The site or the settings do not want the page to be kept."""
        return self.outcome == "refused" and self.reason in {NOINDEX, OTHER_LANGUAGE}

    @property
    def moved_for_good(self) -> bool:
        return self.outcome == "redirect" and self.status == 301

    @property
    def refuses_us(self) -> bool:
        """Whether the server said itself that there is nothing for us, not that it is busy (4xx, but 408, 425, 429)."""
        return self.status is not None and 400 <= self.status < 500 and self.status not in retries.STATUSES

    @property
    def definite(self) -> bool:
        """Whether the site said something: not a time-out, nor that it is busy or broken."""
        if self.outcome != "failed":
            return True
        return self.status is not None and self.status < 500 and self.status != 429


def of_answer(answer: Answer, formats: Formats) -> Verdict | None:
    """What can be said without reading the body; None if it must be read."""
    status = answer.status
    if status != 200:
        return Verdict("failed", f"HTTP {status}", status=status)
    if not formats.reads(answer.media_type):
        return Verdict("refused", f"{NOT_READ}: {printable(answer.media_type)}", status=status)
    if answer.truncated:
        return Verdict("failed", "too large", status=status)
    return None


def of_reading(reading: Reading, answer: Answer, scope: Scope, *, live: bool) -> Verdict:
    """What a page that was read is. Of a page that is `live`, emptiness is an accident until proven otherwise."""
    status = answer.status
    if reason := scope.why_not(answer.url) or (reading.no_page if reading.nothing_there else None):
        return Verdict("refused", reason, status=status)
    if reading.no_page == NO_CONTENT and not live:
        return Verdict("refused", reading.no_page, status=status)
    if reading.no_page:
        return Verdict("failed", reading.no_page, status=status)
    if reading.alias_of:
        return Verdict("alias", target=reading.alias_of, status=status)
    return Verdict("page", status=status)
