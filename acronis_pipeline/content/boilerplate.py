"""Removing from a parsed page what is not its content: navigation, banners, footers, widgets, link lists.

Each rule goes by the words of `clutter`, only looks at elements that are still there, and knows whether one stands
around the main content or in it. There, words like "Print" are what is documented, and a box with prose is content
whatever its class is called: clutter has controls, links or nothing to say. Elements are destroyed after a rule has
looked at all of them: selectolax nodes below a destroyed one point to freed memory.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import takewhile

from selectolax.lexbor import LexborHTMLParser, LexborNode

from acronis_pipeline.content.clutter import (
    ADMONITION,
    CALL_TO_ACTION,
    COLLAPSED,
    COMMANDS,
    CONSENT,
    CONTENTS_HEADING,
    FEEDBACK_QUESTION,
    FURNITURE,
    IDS,
    NAMES,
    PHRASES,
    RELATED_HEADING,
    ROLES,
    TAGS,
)
from acronis_pipeline.content.elements import HEADING_TAGS, HEADINGS, ancestors, following, outermost
from acronis_pipeline.content.removal import Removals

_SOMETIMES_CONTENT = frozenset({"nav", "footer", "dialog"})
_CONTROL_ROLES = frozenset({"search", "menu", "menubar", "toolbar", "tablist"})
_OTHER_NAVIGATION = re.compile(r"breadcrumb|paginat|pager|toc\b|table of contents|on this page|skip|prev|next|language")
_MOST_CARDS = 100
_CONTROLS = "form, input, textarea, select, iframe"
_TABLE_PARTS = frozenset("table thead tbody tfoot tr td th caption".split())
_IN_LINE = frozenset("span code em strong b i kbd small mark abbr time samp var cite dfn sub sup label".split())
_PLACES = frozenset({"td", "th", "dt", "dd", "caption", "blockquote", "figcaption", "li"})
_SEEN = re.compile(r"[\w✓✔✅✗✘❌×–—•●○]")
_SENTENCE = re.compile(r"\w[)\]\"'”’]?(?:[.!?:;](?:\s|$)|[。！？…])")
_CREDITS = re.compile(
    r"©|\ball rights reserved\b|\b(?:powered|built|made|generated|created) (?:by|with)\b|\bcopyright\b", re.IGNORECASE
)
_LONG_FORM = 60
"""Words."""

_SHORT_TAGS = HEADING_TAGS - {"h1"} | {"p", "div", "section", "figcaption"}
_CONTROL_TAGS = frozenset({"a", "label", "small", "span", "time"})
_PROSE_TAGS = frozenset({"p", "li", "td", "th", "dd", "dt", "strong", "em", "b", "i", "code"})
_PHRASE_CHARACTERS = 140
_MAX_NAMES, _MAX_NAME_CHARS = 100, 80
"""Of an element's classes; longer names are made by a program, or to keep one busy."""
_WORDLESS = frozenset({"script", "style", "template"})
"""What is in them is no text that a reader sees."""
_MOST_OF_THE_PAGE = 0.5
_ONLY_LINKS = 0.8


def remove(tree: LexborHTMLParser, *, keep: Collection[int], content: Sequence[LexborNode], removals: Removals) -> None:
    """Take the clutter out of the body, in place.

    `keep` are `mem_id`s of elements that hold the content: neither they nor what they stand in is removed. `content`
    are the elements that the page declares to be its main content, empty if it does not. `removals` is told what goes.
    """
    body = tree.body
    if body is None:
        return
    kept = _with_ancestors(body, keep)
    where = _Where.of(body, content)
    rules: dict[str, Callable[[], list[LexborNode]]] = {
        "element": lambda: _tagged_as_clutter(body, kept, where),
        "class or id": lambda: _named_as_clutter(body, kept, where),
        "list of contents": lambda: _contents_lists(body),
        "question for feedback": lambda: _feedback_sections(body, where),
        "stock phrase": lambda: _stock_phrases(body, kept, where),
        "call to action": lambda: _calls_to_action(body, where),
        "related links": lambda: _related_sections(body),
        "foot of the content": lambda: _feet(body, where),
    }
    for name, rule in rules.items():
        # A rule may name one twice. Only the outermost: destroying an element destroys what is in it.
        doomed = outermost({node.mem_id: node for node in rule()}.values())
        removals.note(name, [node for node in doomed if node.tag not in _WORDLESS])
        for node in doomed:
            node.decompose()


@dataclass(frozen=True)
class _Where:
    """`mem_id`s of the elements within the declared content, in text of the page outside navigation, and in code."""

    in_content: Set[int]
    in_text: Set[int]
    in_code: Set[int]
    with_controls: Set[int]
    """What holds something to fill in or to press."""

    @classmethod
    def of(cls, body: LexborNode, content: Sequence[LexborNode]) -> "_Where":
        in_content, in_code = _below(content), _below(body.css("pre, code, kbd, samp"))
        controls = [*body.css(_CONTROLS), *(node for node in body.css("button") if not _stays_in_a_box(node))]
        with_controls = {node.mem_id for control in controls for node in ancestors(control)}
        if content:
            return cls(in_content, in_content, in_code, with_controls)
        around = _below(body.css("header, nav, footer, aside, [role=navigation], [role=banner], [role=contentinfo]"))
        return cls(in_content, {node.mem_id for node in _elements(body)} - around, in_code, with_controls)


def _below(nodes: Sequence[LexborNode]) -> set[int]:
    return {below.mem_id for node in outermost(nodes) for below in _elements(node)}


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


def _tagged_as_clutter(body: LexborNode, kept: set[int], where: _Where) -> list[LexborNode]:
    in_headings = _in_headings(body)
    shown_by = _controlled(body)
    doomed: list[LexborNode] = []
    left = [body]
    while left:  # what stands in clutter need not be looked at
        for node in left.pop().iter():
            if node.mem_id not in kept and (
                _never_content(node, where)
                or (node.mem_id not in in_headings and _clutter_by_tag(node, where, shown_by))
            ):
                doomed.append(node)
            else:
                left.append(node)
    return doomed


def _controlled(body: LexborNode) -> set[str]:
    """Ids of elements that a control of the page shows and hides."""
    found: set[str] = set()
    for control in body.css("[aria-controls], [data-target], [data-bs-target], [href^='#'], [for]"):
        attributes = control.attributes
        for name in ("aria-controls", "data-target", "data-bs-target", "href", "for"):
            found.update((attributes.get(name) or "").replace("#", " ").split())
    return found


def _in_headings(body: LexborNode) -> set[int]:
    """What stands in a heading is its text, its accordion button, or the permalink that gives its anchor away."""
    return {node.mem_id for heading in body.css(HEADINGS) for node in heading.traverse()}


def _never_content(node: LexborNode, where: _Where) -> bool:
    tag, role = node.tag, (node.attributes.get("role") or "").strip().lower()
    if tag not in TAGS and role not in ROLES:
        return False
    if node.mem_id not in where.in_content or (tag in TAGS and tag not in _SOMETIMES_CONTENT):
        return True
    if tag == "footer" or role == "contentinfo":
        return False  # judged once its clutter is gone
    if tag == "dialog":
        return "open" not in node.attributes or not _speaks(node, where)
    if tag == "nav" or role == "navigation":
        return not _is_index(node)
    return role in _CONTROL_ROLES or not _speaks(node, where)


def _is_index(node: LexborNode) -> bool:
    """Whether navigation in the content is a page's list of what there is, with some words about each."""
    named = f"{node.attributes.get('class') or ''} {node.attributes.get('aria-label') or ''}".lower()
    if _OTHER_NAVIGATION.search(named):
        return False
    links = node.css("a")
    if len(links) > _MOST_CARDS:
        return False
    described = [link for link in links if link.css_first("p, h2, h3, h4") or _phrase_after(link)]
    return len(described) >= 2 and 2 * len(described) >= len(links)


def _phrase_after(link: LexborNode) -> str:
    """What an item says beside its link."""
    item = next((node for node in ancestors(link) if node.tag in {"li", "dt", "p", "div", "nav"}), None)
    if item is None or item.tag in {"nav", "div"} or len(item.css("a")) > 1:
        return ""
    return " ".join(item.text().split()).removeprefix(" ".join(link.text().split())).strip(" -–—:")


def _clutter_by_tag(node: LexborNode, where: _Where, shown_by: Set[str]) -> bool:
    tag, attributes = node.tag or "", node.attributes
    classes = attributes.get("class") or ""
    inside = node.mem_id in where.in_content
    if tag == "aside":
        return not (ADMONITION.search(classes) or (inside and _speaks(node, where, at_least=2)))
    if tag == "header":
        return not node.css_first("h1, h2") and not (
            inside and (node.css_first("h3, h4, h5, h6") or _speaks(node, where))
        )
    if tag == "button":
        return not (_is_disclosure(node) or (inside and _names_a_button(node)))
    if tag == "form":
        return not node.css_first("h1, h2, main, article") and not (inside and _is_prose_in_a_form(node))
    if not _is_hidden(node, inside=inside) or COLLAPSED.search(classes) or attributes.get("role") == "tabpanel":
        return False
    return not (inside and _is_shown_by_a_control(node, shown_by) and 2 * unlinked_words(node) > words(node))


def _names_a_button(button: LexborNode) -> bool:
    """Whether a button is a picture of the one that the text around it, or its cell, speaks of."""
    holder = next((node for node in ancestors(button) if node.tag in _PROSE_TAGS | {"figcaption"}), None)
    if holder is None or not button.text().strip():
        return False
    if _phrase(holder) == _phrase(button):
        return holder.tag in {"td", "th"}
    said = " ".join(part.text() or "" for part in holder.iter(include_text=True) if not part.is_element_node)
    return re.search(r"\w", said) is not None


def _is_prose_in_a_form(form: LexborNode) -> bool:
    """Sites of some frameworks have one form around everything."""
    return words(form) >= _LONG_FORM and len(form.css("p, li, td, pre")) >= 3


def _is_shown_by_a_control(node: LexborNode, shown_by: Set[str]) -> bool:
    if node.id and node.id in shown_by:
        return True
    before = _previous_element(node)
    if before is None:
        return False
    opens = "aria-expanded" in before.attributes or before.css_first("[aria-expanded]") is not None
    return opens or COLLAPSED.search(before.attributes.get("class") or "") is not None


def _speaks(node: LexborNode, where: _Where, *, at_least: int = 6) -> bool:
    """Whether a box says something of its own: sentences, code or a table, and nothing to fill in or to press."""
    prose = unlinked_words(node)
    if prose < at_least or 2 * prose < words(node) or node.mem_id in where.with_controls:
        return False
    if any(_is_for_pressing(link) for link in node.css("a")):
        return False
    text = " ".join(node.text(separator=" ").split())
    if _CREDITS.search(text):
        return False
    return node.css_first("h2, h3, h4, h5, h6, pre, table, dl") is not None or _SENTENCE.search(text) is not None


def _is_for_pressing(link: LexborNode) -> bool:
    """Whether a link is made to look like a button, or says what a salesman says."""
    looks = re.search(r"\b(?:btn|button|cta)\b", link.attributes.get("class") or "") is not None
    return looks or CALL_TO_ACTION.fullmatch(_phrase(link)) is not None


def _stays_in_a_box(button: LexborNode) -> bool:
    """Whether a button speaks of no form: it copies code, opens a section, or is a picture of one in a sentence."""
    copies = re.fullmatch(r"copy.*|copied!?|", _phrase(button), re.IGNORECASE) is not None
    return copies or _is_disclosure(button) or _names_a_button(button)


def _is_disclosure(button: LexborNode) -> bool:
    """Whether a button is the heading of a section that it opens, as in an accordion."""
    opens = "aria-expanded" in button.attributes or "aria-controls" in button.attributes
    return opens and words(button) >= 3


def _is_hidden(node: LexborNode, *, inside: bool) -> bool:
    """Hidden at first; `aria-hidden` hides from screen readers only, and within a line of text it is read."""
    attributes = node.attributes
    style = (attributes.get("style") or "").replace(" ", "").lower()
    if ("hidden" in attributes and attributes["hidden"] != "until-found") or "display:none" in style:
        return True
    if (attributes.get("aria-hidden") or "").lower() != "true":
        return False
    parent = node.parent
    in_text = parent is not None and parent.tag in _PROSE_TAGS and node.tag in _IN_LINE
    return not (inside and in_text and _SEEN.search(node.text()))


def _named_as_clutter(body: LexborNode, kept: set[int], where: _Where) -> list[LexborNode]:
    # Most of a page's text under a name like "content-sidebar" is the content.
    limit = max(20.0, _MOST_OF_THE_PAGE * unlinked_words(body))
    kept = kept | _in_headings(body)
    candidates = (node for node in body.css("[class], [id]") if node.mem_id not in kept)
    return [
        node
        for node in candidates
        if (_is_consent_or_frame(node) or _is_named(node, limit)) and not _is_content_by_place(node, where)
    ]


def _is_named(node: LexborNode, limit: float) -> bool:
    return any(NAMES.fullmatch(name) for name in _classes(node)) and unlinked_words(node) < limit


def _is_content_by_place(node: LexborNode, where: _Where) -> bool:
    """Whether an element is content although its name is one that clutter has."""
    names = _classes(node)
    if any(FURNITURE.fullmatch(name) for name in names):
        return False
    if node.mem_id in where.in_code:  # highlighters call a comment a comment
        return True
    if node.mem_id not in where.in_content or node.tag in {"a", "nav"}:
        return False
    if node.tag in _TABLE_PARTS or (node.tag in _IN_LINE and _stands_in_a_sentence(node)):
        return True
    if ADMONITION.search(" ".join(names)) and words(node):
        return True
    box = node.parent
    if box is not None and (box.tag == "aside" or any(NAMES.fullmatch(name) for name in _classes(box))):
        return 2 * unlinked_words(node) > words(node) and _speaks(box, where)  # the title of a box that stays, for one
    return _speaks(node, where)


def _stands_in_a_sentence(node: LexborNode) -> bool:
    parent = node.parent
    return parent is not None and parent.tag in _PROSE_TAGS and words(parent) > words(node)


def _is_consent_or_frame(node: LexborNode) -> bool:
    classes = _classes(node)
    if any(CONSENT.fullmatch(name) for name in classes):
        return True
    made_of_words = node.tag in {"section", "a", "span", "dt"} or "section" in classes
    return not made_of_words and bool(IDS.fullmatch((node.attributes.get("id") or "").lower()[: _MAX_NAME_CHARS + 1]))


def _classes(node: LexborNode) -> Sequence[str]:
    names = (node.attributes.get("class") or "").lower().split()
    return [name for name in names[:_MAX_NAMES] if len(name) <= _MAX_NAME_CHARS]


def _contents_lists(body: LexborNode) -> list[LexborNode]:
    """Lists of links to places within the page, with the line that introduces them."""
    doomed: list[LexborNode] = []
    for node in body.css("ul, ol"):
        links = node.css("a")
        local = [link for link in links if (link.attributes.get("href") or "").startswith("#")]
        if len(local) < 2 or len(local) < len(links) or unlinked_words(node) > 0.1 * words(node):
            continue
        if any(ancestor.tag in {"td", "th"} for ancestor in ancestors(node)):
            continue
        doomed.append(node)
        before = _previous_element(node)
        if before is not None and CONTENTS_HEADING.fullmatch(_phrase(before)):
            doomed.append(before)
    return doomed


def _feedback_sections(body: LexborNode, where: _Where) -> list[LexborNode]:
    """A heading that asks for feedback, with the short answers below it."""
    doomed: list[LexborNode] = []
    for heading in body.css("h2, h3, h4, h5, h6"):
        if FEEDBACK_QUESTION.fullmatch(_phrase(heading)):
            below = _section_below(_heading_block(heading), heading.tag or "")
            short = sum(map(words, below)) < 60
            if short and not any(node.tag in {"p", "ul", "ol"} and _speaks(node, where) for node in below):
                doomed += [heading, *below]
    return doomed


def _stock_phrases(body: LexborNode, kept: set[int], where: _Where) -> list[LexborNode]:
    in_headings = _in_headings(body)
    return [
        node
        for node in _elements(body)
        if (node.tag in _SHORT_TAGS or (_is_control(node) and node.mem_id not in in_headings))
        and node.mem_id not in kept
        and node.mem_id not in where.in_code
        and (phrase := _phrase(node))
        and PHRASES.fullmatch(phrase)
        and not (node.mem_id in where.in_text and _is_documented(node, phrase))
    ]


def _is_documented(node: LexborNode, phrase: str) -> bool:
    """Whether a stock phrase in the main content is what the page is about.

    A heading is if something stands below it; so are cells and terms, and items that are no links or buttons. Of other
    elements, only a paragraph with a word that products have for a command ("Copy") is, unless it can be pressed.
    """
    heading = node if node.tag in HEADING_TAGS else node.css_first(HEADINGS)
    if heading is not None:
        return any(unlinked_words(below) for below in _section_below(_heading_block(heading), heading.tag or ""))
    place = next((ancestor for ancestor in ancestors(node) if ancestor.tag in _PLACES), None)
    if place is not None and place.tag != "li":
        return True
    pressed = node.tag == "a" or node.css_first("a, button, svg, img") is not None or _can_be_pressed(node)
    return not pressed and (place is not None or (node.tag == "p" and COMMANDS.fullmatch(phrase) is not None))


def _heading_block(heading: LexborNode) -> LexborNode:
    """The heading, or the element that holds nothing but it: what comes after that is its section."""
    block = heading
    while (parent := block.parent) is not None and parent.tag in {"div", "header", "span", "hgroup"}:
        if _phrase(parent) != _phrase(heading):
            break
        block = parent
    return block


def _can_be_pressed(node: LexborNode) -> bool:
    attributes = node.attributes
    return (
        "onclick" in attributes
        or "tabindex" in attributes
        or (attributes.get("role") or "") in {"button", "link"}
        or (node.parent is not None and node.parent.tag in {"a", "button"})
    )


def _calls_to_action(body: LexborNode, where: _Where) -> list[LexborNode]:
    in_headings = _in_headings(body)
    return [
        link
        for link in body.css("a")
        if CALL_TO_ACTION.fullmatch(_phrase(link))
        and link.mem_id not in in_headings
        and (_is_control(link) or (link.parent is not None and _phrase(link.parent) == _phrase(link)))
        and not (link.mem_id in where.in_text and any(node.tag in {"td", "th", "dd"} for node in ancestors(link)))
    ]


def _feet(body: LexborNode, where: _Where) -> list[LexborNode]:
    """Footers within the content that say nothing of it, now that dates and links are gone from them."""
    doomed: list[LexborNode] = []
    for node in body.css("footer, [role=contentinfo]"):
        cited = any(ancestor.tag in {"blockquote", "figure", "td", "li"} for ancestor in ancestors(node))
        if node.mem_id in where.in_content and not cited and not _speaks(node, where):
            doomed.append(node)
    return doomed


def _is_control(node: LexborNode) -> bool:
    """In prose, a word like "Copy" names a button of the product ("click Copy")."""
    parent = node.parent
    return node.tag in _CONTROL_TAGS and parent is not None and parent.tag not in _PROSE_TAGS


def _related_sections(body: LexborNode) -> list[LexborNode]:
    doomed: list[LexborNode] = []
    for heading in body.css("h2, h3, h4, h5, h6"):
        if not RELATED_HEADING.fullmatch(_phrase(heading)):
            continue
        below = _section_below(_heading_block(heading), heading.tag or "")
        total = sum(map(words, below))
        if total and total - sum(map(unlinked_words, below)) >= _ONLY_LINKS * total:
            doomed += [heading, *below]
    return doomed


def _section_below(heading: LexborNode, level: str = "") -> list[LexborNode]:
    """Element siblings up to the next heading of the same or a higher level, which is its tag unless given."""
    own = level or heading.tag or ""
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
