"""Which element of a page holds its content, and what to do when the page does not say."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from acronis_pipeline.content.boilerplate import unlinked_words, words
from acronis_pipeline.content.elements import HEADINGS, ancestors, outermost
from acronis_pipeline.content.markdown import Heading, with_headings, without_marks
from acronis_pipeline.core.errors import SettingsError

_MAIN = "main, [role=main]"
_CONTAINERS = (
    "#main-content, #maincontent, #content, #main, .main-content, .article-body, .markdown-body, .post-content, "
    ".entry-content, .doc-content, .documentation, .rst-content, .document, [itemprop=articleBody], "
    "[itemprop=mainContentOfPage]"
)
_WHOLE_ARTICLE = 0.8
"""An article with this share of main's prose is the content; what stands beside it is clutter of unknown name."""
_SUSPICIOUS_SHARE = 0.3
_SUSPICIOUS_WORDS = 150


@dataclass(frozen=True)
class Found:
    """The elements that hold the content; `doubtful` if the page may hold it elsewhere."""

    nodes: Sequence[LexborNode]
    method: str
    doubtful: bool

    @property
    def html(self) -> str:
        return "\n".join(node.html or "" for node in self.nodes)


def claimed(tree: LexborHTMLParser, selector: str | None) -> set[int]:
    """`mem_id`s of what the page (or the user) says is its content, not to be removed as clutter."""
    chosen = _selected(tree, selector)
    mains = tree.css(_MAIN)
    identities = {node.mem_id for node in chosen + mains}
    for heading in tree.css("h1"):
        if not identities or any(ancestor.mem_id in identities for ancestor in ancestors(heading)):
            identities.add(heading.mem_id)
    return identities


def declared(tree: LexborHTMLParser, selector: str | None) -> list[LexborNode]:
    """Where the page (or the user) says that its content is, before anything was removed; empty if nowhere."""
    if chosen := outermost(_selected(tree, selector)):
        return chosen
    for query in (_MAIN, "article", _CONTAINERS):
        if found := outermost(tree.css(query)):
            articles = [node for main in found for node in outermost(main.css("article"))] if query == _MAIN else []
            # Some themes put their navigation into main, too.
            prose = sum(map(unlinked_words, found)) if len(articles) == 1 else 0
            return articles if prose and unlinked_words(articles[0]) >= _WHOLE_ARTICLE * prose else found
    return []


def find(tree: LexborHTMLParser, selector: str | None) -> Found:
    """Look for the content in an already cleaned page: selector, then main, article, well-known containers."""
    if tree.body is None:
        return Found((), "empty", doubtful=False)
    # Links are unwrapped later on, which would leave a chosen one without a node.
    if chosen := outermost([node for node in _selected(tree, selector) if node.tag != "a"]):
        return Found(chosen, "selector", doubtful=False)
    total = words(tree.body)
    for method, query in (("main", _MAIN), ("article", "article"), ("container", _CONTAINERS)):
        nodes = [node for node in outermost(tree.css(query)) if words(node)]
        if nodes:
            nodes = _narrowed(nodes) if method == "main" else nodes
            found = sum(map(words, nodes))
            doubtful = found < _SUSPICIOUS_WORDS and found < _SUSPICIOUS_SHARE * total
            return Found(nodes, method, doubtful)
    return Found((_descended(tree.body),), "body", doubtful=total > 0)


def second_opinion(
    tree: LexborHTMLParser, url: str, markdown: str, headings: tuple[Heading, ...], method: str
) -> tuple[str, tuple[Heading, ...], str]:
    """What trafilatura finds in the cleaned page, where that is better than what was found by markup.

    Against the whole body it has to keep half of the text and every heading, of which it loses some on long pages;
    against a suspiciously short element it has to find twice the text.
    """
    from trafilatura import extract

    # Given a bare fragment trafilatura loses every heading; given a document it does not.
    body = without_marks((tree.body.inner_html if tree.body else "") or "")
    text = extract(
        f"<html><head><title>{escape(url)}</title></head><body>{body}</body></html>",
        url=url,
        output_format="markdown",
        include_tables=True,
        include_formatting=True,
        include_comments=False,
    )
    other, other_headings = with_headings(text or "", ())
    anchors = {heading.text: heading.anchor for heading in reversed(headings)}
    other_headings = tuple(replace(heading, anchor=anchors.get(heading.text)) for heading in other_headings)
    size, other_size = len(markdown.split()), len(other.split())
    if method == "body":
        better = other_size >= 0.5 * size and len(other_headings) >= len(headings)
    else:
        better = other_size >= 2 * size
    return (other, other_headings, "trafilatura") if better else (markdown, headings, method)


def _selected(tree: LexborHTMLParser, selector: str | None) -> list[LexborNode]:
    if not selector:
        return []
    try:
        return tree.css(selector)
    except SelectolaxError as error:
        raise SettingsError(
            f"site.content_selector = {selector!r} is not a CSS selector; write one such as 'main .article-body'"
        ) from error


def _narrowed(mains: list[LexborNode]) -> list[LexborNode]:
    """The one article in main that holds nearly all of its prose, or main itself."""
    main = max(mains, key=words)
    for article in outermost(main.css("article")):
        if article.mem_id != main.mem_id and words(article) >= max(1, _WHOLE_ARTICLE * words(main)):
            return [article]
    return [main]


def _descended(body: LexborNode) -> LexborNode:
    """The smallest element that still holds nearly all prose and every heading that its parent held."""
    node = body
    while True:
        prose, headings = words(node), len(node.css(HEADINGS))
        child = max(node.iter(), key=words, default=None)
        if child is None or words(child) < 0.9 * prose or len(child.css(HEADINGS)) < headings:
            return node
        node = child
