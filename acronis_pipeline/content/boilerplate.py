"""Removing from a parsed page what is not its content: navigation, banners, footers, widgets, link lists.

Class names, ids, roles and stock phrases that mark clutter were collected from the markup of MkDocs Material,
Docusaurus, Sphinx, Hugo Docsy, GitBook, VitePress, Zendesk, Confluence, OneTrust and Bootstrap sites. Each rule only
looks at elements that are still there. Elements are destroyed after a rule has looked at all of them: selectolax nodes
below a destroyed one point to freed memory.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import takewhile

from selectolax.lexbor import LexborHTMLParser, LexborNode

from acronis_pipeline.content.elements import HEADING_TAGS, HEADINGS, ancestors, following, outermost
from acronis_pipeline.content.removal import Removals

TAGS = frozenset(
    "script style noscript template iframe object embed canvas svg nav footer dialog select option input textarea "
    "video audio map".split()
)
"""Elements that never hold main content. `header`, `aside`, `form` and `button` sometimes do."""

ROLES = frozenset(
    "navigation banner contentinfo search complementary dialog alertdialog menu menubar toolbar tablist".split()
)

_PREFIX = (
    r"(?:(?:site|page|article|docs?|md|theme|global|main|post|content|app|block|nav|footer|header|vp|bd|js|c|o|m)"
    r"[-_]+)*"
)
_SUFFIX = (
    r"(?:[-_]+(?:container|wrapper|wrap|list|block|section|box|bar|widget|nav|inner|area|items?|links?|content|menu|left"
    r"|right|primary|secondary|panel|title|header|button|btn|form|text|topics?|articles?|posts?|pages?|mobile|desktop))*"
)
_NAMES = (
    r"breadcrumbs?|crumbs|skip(?:[-_]?(?:to[-_]?content|link|nav))?|headerlink|hash-?link|header-?anchor|permalink"
    r"|nav(?:igation|bar)?|side-?nav|side-?bar|pagination|pager|paginator|prev-?next|next-?prev|previous-?next"
    r"|toc|table-?of-?contents|on-?this-?page|in-?this-?article|related|see-?also|recommended|feedback|page-?feedback"
    r"|helpful|was-?this-?(?:page-?)?helpful|rating|share|sharing|social|newsletter|subscribe|promo|advert(?:isement)?|ads?"
    r"|edit-?(?:this-?)?(?:page|link|url|on-?github)|page-?meta|last-?(?:updated?|modified)|git-?revision-?date.*"
    r"|copy-?(?:btn|button|code|page)?|clipboard|btn-?clipboard|back-?to-?top|scroll-?to-?top|disqus(?:_thread)?|comments?"
    r"|byline|author|meta|meta-?data|meta-?group|version-?badge|popup-?body|mctextpopupbody"
    r"|sr-?only|visually-?hidden|screen-?reader-?text|announcement|announce|modal|popup|pop-?over|lightbox|tooltip"
    r"|search|version-?(?:switcher|selector|banner|warning)|(?:language|locale|edition)-?(?:switcher|selector|picker)"
    r"|source-?file|linenos|line-?numbers?|gutter|footer|site-?footer|no-?print"
)
NAMES = re.compile(rf"{_PREFIX}(?:{_NAMES}){_SUFFIX}")
"""Class names; a whole name must match, so that `has-sidebar` or `with-toc` on a layout element does not."""

CONSENT = re.compile(r"(?:.*[-_])?(?:cookies?|consent|gdpr|onetrust|cookiebot|cybotcookiebot\w*|ccpa)(?:[-_].*)?")
"""Consent notices go however large they are; on a short page they are larger than the content."""

IDS = re.compile(
    rf"(?:{_PREFIX}(?:breadcrumbs?|side-?bar|toc|table-?of-?contents|on-?this-?page|feedback|page-?nav|nav(?:igation|bar)?"
    rf"|footer|site-?footer|disqus_thread|search|skip-?link){_SUFFIX}"
    r"|(?:cookie|consent)[-_]?(?:banner|notice|bar|popup|modal|message|consent|manager)|onetrust[-_].*|cybotcookiebot\w*)"
)
"""Narrower than class names: headings and sections have ids made of their own words."""

ADMONITION = re.compile(
    r"\b(?:note|tip|hint|info|warning|caution|danger|important|attention|admonition|callout|aside--\w+"
    r"|starlight-aside)\b"
)
"""An `aside` of this class is content."""

COLLAPSED = re.compile(
    r"accordion|collaps|expand|tab|faq|answer|panel|toggle|details|disclosure|content", re.IGNORECASE
)
"""What is hidden at first under such a class is content that a click shows."""

_DATE = r"[\w,./:\s+-]{4,50}"
_THIS = r"(?:was|is|did) this (?:page|article|information|topic|answer|document|content|help)?"
PHRASES = re.compile(
    r"skip to (?:main )?content|skip to navigation|back to top|(?:go )?to top|on this page"
    r"|in this (?:article|page|topic)|edit (?:(?:this )?(?:page|article)|on git(?:hub|lab))(?: on git(?:hub|lab))?"
    r"|(?:view|show) (?:page )?source(?: code)?|copied!?|copy(?: (?:page|link|url|code|to clipboard|permalink))?"
    r"|print(?: (?:this )?(?:page|article))?|share(?: this)?(?: (?:page|article))?|(?:download|save) (?:as )?pdf"
    r"|report (?:an issue|a problem)(?: with this page)?|suggest (?:an )?edits?"
    r"|(?:send|give|leave) (?:us )?feedback|loading(?:\.\.\.|…)?"
    rf"|(?:this page was )?(?:last|page last) (?:updated?|modified|edited|reviewed|changed)(?: on| at|:)?\s*{_DATE}"
    rf"|(?:updated|published|posted|modified)(?: on|:)\s*{_DATE}"
    rf"|{_THIS}\s?(?:helpful|help|help you|useful)(?: to you)?\??(?:\s*(?:yes|no|👍|👎|\W))*"
    r"|(?:updated |posted |last updated )?(?:about )?(?:an?|\d+) (?:minute|hour|day|week|month|year)s? ago"
    r"|rate this (?:page|article|topic).{0,40}|thank(?:s| you) for your feedback.{0,80}|\d+ min(?:ute)?s? read"
    r"|\d+ out of \d+ found this helpful",
    re.IGNORECASE,
)
"""A short block that says only this is a widget, whatever its class."""

CALL_TO_ACTION = re.compile(
    r"(?:learn|read|find out|see|show|view|discover) more(?: details)?|view all|show less"
    r"|(?:try|buy|order|download) (?:it )?now|try (?:it )?(?:for )?free|(?:start )?(?:your )?free trial"
    r"|(?:sign up|get started)(?: now| free| for free)?|contact (?:us|sales)|(?:request|book) a demo"
    r"|open topic with navigation",
    re.IGNORECASE,
)
"""A link that stands alone and says only this leads elsewhere; within a sentence it is part of the sentence."""

FEEDBACK_QUESTION = re.compile(
    rf"{_THIS}\s?(?:helpful|help|help you|useful).*|how (?:can|could) we improve.*"
    r"|rate this (?:page|article|topic).*|still need help\??|have more questions\?.*",
    re.IGNORECASE,
)

RELATED_HEADING = re.compile(
    r"(?:related|recommended|similar|more)\s(?:links|articles|topics|pages|content|information|documentation|reading|resources"
    r"|posts|guides|tasks|concepts|questions)|see also|further reading|read more|you (?:may|might) also (?:like|want).*"
    r"|recently viewed(?: articles)?|articles in this section|popular articles",
    re.IGNORECASE,
)
"""A section under such a heading goes if it is nothing but links; with prose in it, it stays."""

CONTENTS_HEADING = re.compile(
    r"(?:table of |page )?contents|on this page|in this (?:article|page|topic|section|guide)|jump to|quick links",
    re.IGNORECASE,
)


_SHORT_TAGS = HEADING_TAGS - {"h1"} | {"p", "div", "section", "figcaption"}
_CONTROL_TAGS = frozenset({"a", "label", "small", "span", "time"})
_PROSE_TAGS = frozenset({"p", "li", "td", "th", "dd", "dt", "strong", "em", "b", "i", "code"})
_PHRASE_CHARACTERS = 140
_WORDLESS = frozenset({"script", "style", "template"})
"""What is in them is no text that a reader sees."""
_MOST_OF_THE_PAGE = 0.5
_ONLY_LINKS = 0.8


def remove(tree: LexborHTMLParser, *, keep: Collection[int], removals: Removals) -> None:
    """Take the clutter out of the body, in place.

    `keep` are `mem_id`s of elements that hold the content: neither they nor what they stand in is removed. `removals`
    is told what goes.
    """
    body = tree.body
    if body is None:
        return
    kept = _with_ancestors(body, keep)
    rules: dict[str, Callable[[], list[LexborNode]]] = {
        "element": lambda: _tagged_as_clutter(body, kept),
        "class or id": lambda: _named_as_clutter(body, kept),
        "list of contents": lambda: _contents_lists(body),
        "question for feedback": lambda: _feedback_sections(body),
        "stock phrase": lambda: _stock_phrases(body, kept),
        "call to action": lambda: _calls_to_action(body),
        "related links": lambda: _related_sections(body),
    }
    for name, rule in rules.items():
        # A rule may name one twice. Only the outermost: destroying an element destroys what is in it.
        doomed = outermost({node.mem_id: node for node in rule()}.values())
        removals.note(name, [node for node in doomed if node.tag not in _WORDLESS])
        for node in doomed:
            node.decompose()


def words(node: LexborNode) -> int:
    """Number of words in an element."""
    return len(node.text(separator=" ").split())


def unlinked_words(node: LexborNode) -> int:
    """Number of words that are in no link: what tells prose from a list of links."""
    return words(node) - sum(words(link) for link in node.css("a"))


def _with_ancestors(body: LexborNode, keep: Collection[int]) -> set[int]:
    kept = {body.mem_id, *keep}
    for node in body.traverse():
        if node.mem_id in keep:
            for ancestor in ancestors(node):
                if ancestor.mem_id in kept:
                    break
                kept.add(ancestor.mem_id)
    return kept


def _elements(root: LexborNode) -> Iterator[LexborNode]:
    return (node for node in root.traverse() if node.is_element_node and node.mem_id != root.mem_id)


def _tagged_as_clutter(body: LexborNode, kept: set[int]) -> list[LexborNode]:
    in_headings = _in_headings(body)
    return [
        node
        for node in _elements(body)
        if node.mem_id not in kept
        and (_never_content(node) or (node.mem_id not in in_headings and _clutter_by_tag(node)))
    ]


def _in_headings(body: LexborNode) -> set[int]:
    """What stands in a heading is its text, its accordion button, or the permalink that gives its anchor away."""
    return {node.mem_id for heading in body.css(HEADINGS) for node in heading.traverse()}


def _never_content(node: LexborNode) -> bool:
    return node.tag in TAGS or (node.attributes.get("role") or "").strip().lower() in ROLES


def _clutter_by_tag(node: LexborNode) -> bool:
    tag, attributes = node.tag or "", node.attributes
    classes = attributes.get("class") or ""
    if tag == "aside":
        return not ADMONITION.search(classes)
    if tag == "header":
        return not node.css_first("h1, h2")
    if tag == "button":
        return not _is_disclosure(node)
    if tag == "form":
        return not node.css_first("h1, h2, main, article")
    return _is_hidden(attributes) and not COLLAPSED.search(classes) and attributes.get("role") != "tabpanel"


def _is_disclosure(button: LexborNode) -> bool:
    """Whether a button is the heading of a section that it opens, as in an accordion."""
    opens = "aria-expanded" in button.attributes or "aria-controls" in button.attributes
    return opens and words(button) >= 3


def _is_hidden(attributes: dict[str, str | None]) -> bool:
    style = (attributes.get("style") or "").replace(" ", "").lower()
    return (
        ("hidden" in attributes and attributes["hidden"] != "until-found")
        or (attributes.get("aria-hidden") or "").lower() == "true"
        or "display:none" in style
    )


def _named_as_clutter(body: LexborNode, kept: set[int]) -> list[LexborNode]:
    # Most of a page's text under a name like "content-sidebar" is the content.
    limit = max(20.0, _MOST_OF_THE_PAGE * unlinked_words(body))
    kept = kept | _in_headings(body)
    candidates = (node for node in body.css("[class], [id]") if node.mem_id not in kept)
    return [
        node
        for node in candidates
        if _is_consent_or_frame(node)
        or (any(NAMES.fullmatch(name) for name in _classes(node)) and unlinked_words(node) < limit)
    ]


def _is_consent_or_frame(node: LexborNode) -> bool:
    classes = _classes(node)
    if any(CONSENT.fullmatch(name) for name in classes):
        return True
    made_of_words = node.tag in {"section", "a", "span", "dt"} or "section" in classes
    return not made_of_words and bool(IDS.fullmatch((node.attributes.get("id") or "").lower()))


def _classes(node: LexborNode) -> Sequence[str]:
    return (node.attributes.get("class") or "").lower().split()


def _contents_lists(body: LexborNode) -> list[LexborNode]:
    """Lists of links to places within the page, with the line that introduces them."""
    doomed: list[LexborNode] = []
    for node in body.css("ul, ol"):
        links = node.css("a")
        local = [link for link in links if (link.attributes.get("href") or "").startswith("#")]
        if len(local) < 2 or len(local) < len(links) or unlinked_words(node) > 0.1 * words(node):
            continue
        doomed.append(node)
        before = _previous_element(node)
        if before is not None and CONTENTS_HEADING.fullmatch(_phrase(before)):
            doomed.append(before)
    return doomed


def _feedback_sections(body: LexborNode) -> list[LexborNode]:
    """A heading that asks for feedback, with the short answers below it."""
    doomed: list[LexborNode] = []
    for heading in body.css("h2, h3, h4, h5, h6"):
        if FEEDBACK_QUESTION.fullmatch(_phrase(heading)):
            below = _section_below(heading)
            doomed += [heading, *(below if sum(map(words, below)) < 60 else [])]
    return doomed


def _stock_phrases(body: LexborNode, kept: set[int]) -> list[LexborNode]:
    in_headings = _in_headings(body)
    return [
        node
        for node in _elements(body)
        if (node.tag in _SHORT_TAGS or (_is_control(node) and node.mem_id not in in_headings))
        and node.mem_id not in kept
        and PHRASES.fullmatch(_phrase(node))
    ]


def _calls_to_action(body: LexborNode) -> list[LexborNode]:
    in_headings = _in_headings(body)
    return [
        link
        for link in body.css("a")
        if CALL_TO_ACTION.fullmatch(_phrase(link))
        and link.mem_id not in in_headings
        and (_is_control(link) or (link.parent is not None and _phrase(link.parent) == _phrase(link)))
    ]


def _is_control(node: LexborNode) -> bool:
    """In prose, a word like "Copy" names a button of the product ("click Copy")."""
    parent = node.parent
    return node.tag in _CONTROL_TAGS and parent is not None and parent.tag not in _PROSE_TAGS


def _related_sections(body: LexborNode) -> list[LexborNode]:
    doomed: list[LexborNode] = []
    for heading in body.css("h2, h3, h4, h5, h6"):
        if not RELATED_HEADING.fullmatch(_phrase(heading)):
            continue
        below = _section_below(heading)
        total = sum(map(words, below))
        if total and total - sum(map(unlinked_words, below)) >= _ONLY_LINKS * total:
            doomed += [heading, *below]
    return doomed


def _section_below(heading: LexborNode) -> list[LexborNode]:
    """Element siblings up to the next heading of the same or a higher level."""
    own = heading.tag or ""
    return list(takewhile(lambda node: node.tag not in HEADING_TAGS or (node.tag or "") > own, following(heading)))


def _previous_element(node: LexborNode) -> LexborNode | None:
    before = node.prev
    while before is not None and not before.is_element_node:
        before = before.prev
    return before


def _phrase(node: LexborNode) -> str:
    """The text of a short element without surrounding punctuation; empty for a long one."""
    text = node.text_lexbor() or ""
    if len(text) > 4 * _PHRASE_CHARACTERS:  # indentation counts here
        return ""
    phrase = " ".join(text.split()).strip(" :.¶#|·»›→←↑")
    return phrase if len(phrase) <= _PHRASE_CHARACTERS else ""
