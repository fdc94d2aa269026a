"""Removing from a parsed page what is not its content: navigation, banners, footers, widgets, link lists.

Each rule only looks at elements that are still there. Elements are destroyed after a rule has looked at all of them:
selectolax nodes below a destroyed one point to freed memory.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence

from selectolax.lexbor import LexborHTMLParser, LexborNode

from acronis_pipeline.content import clutter
from acronis_pipeline.content.elements import HEADING_TAGS, HEADINGS, ancestors, outermost

_SHORT_TAGS = HEADING_TAGS - {"h1"} | {"p", "div", "section", "figcaption"}
_CONTROL_TAGS = frozenset({"a", "label", "small", "span", "time"})
_PROSE_TAGS = frozenset({"p", "li", "td", "th", "dd", "dt", "strong", "em", "b", "i", "code"})
_PHRASE_CHARACTERS = 140
_MOST_OF_THE_PAGE = 0.5
_ONLY_LINKS = 0.8


def remove(tree: LexborHTMLParser, *, keep: Collection[int]) -> None:
    """Take the clutter out of the body, in place.

    Parameters
    ----------
    keep
        `mem_id`s of elements that hold the content: neither they nor what they stand in is removed.
    """
    body = tree.body
    if body is None:
        return
    kept = _with_ancestors(body, keep)
    _destroy(_tagged_as_clutter(body, kept))
    _destroy(_named_as_clutter(body, kept))
    _destroy(_contents_lists(body))
    _destroy(_feedback_sections(body))
    _destroy(_stock_phrases(body, kept))
    _destroy(_calls_to_action(body))
    _destroy(_related_sections(body))


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


def _destroy(nodes: Iterable[LexborNode]) -> None:
    doomed = {node.mem_id: node for node in nodes}
    # A rule may name one twice. Only the outermost: destroying an element destroys what is in it.
    for node in outermost(doomed.values()):
        node.decompose()


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
    return node.tag in clutter.TAGS or (node.attributes.get("role") or "").strip().lower() in clutter.ROLES


def _clutter_by_tag(node: LexborNode) -> bool:
    tag, attributes = node.tag or "", node.attributes
    classes = attributes.get("class") or ""
    if tag == "aside":
        return not clutter.ADMONITION.search(classes)
    if tag == "header":
        return not node.css_first("h1, h2")
    if tag == "button":
        return not _is_disclosure(node)
    if tag == "form":
        return not node.css_first("h1, h2, main, article")
    return _is_hidden(attributes) and not clutter.COLLAPSED.search(classes) and attributes.get("role") != "tabpanel"


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
        if _is_consent_or_frame(node) or (_has_clutter_class(node) and unlinked_words(node) < limit)
    ]


def _is_consent_or_frame(node: LexborNode) -> bool:
    classes = _classes(node)
    if any(clutter.CONSENT.fullmatch(name) for name in classes):
        return True
    made_of_words = node.tag in {"section", "a", "span", "dt"} or "section" in classes
    return not made_of_words and bool(clutter.IDS.fullmatch((node.attributes.get("id") or "").lower()))


def _has_clutter_class(node: LexborNode) -> bool:
    return any(clutter.NAMES.fullmatch(name) for name in _classes(node))


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
        if before is not None and clutter.CONTENTS_HEADING.fullmatch(_phrase(before)):
            doomed.append(before)
    return doomed


def _feedback_sections(body: LexborNode) -> list[LexborNode]:
    """A heading that asks for feedback, with the short answers below it."""
    doomed: list[LexborNode] = []
    for heading in body.css("h2, h3, h4, h5, h6"):
        if clutter.FEEDBACK_QUESTION.fullmatch(_phrase(heading)):
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
        and clutter.PHRASES.fullmatch(_phrase(node))
    ]


def _calls_to_action(body: LexborNode) -> list[LexborNode]:
    in_headings = _in_headings(body)
    return [
        link
        for link in body.css("a")
        if clutter.CALL_TO_ACTION.fullmatch(_phrase(link))
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
        if not clutter.RELATED_HEADING.fullmatch(_phrase(heading)):
            continue
        below = _section_below(heading)
        total = sum(map(words, below))
        if total and total - sum(map(unlinked_words, below)) >= _ONLY_LINKS * total:
            doomed += [heading, *below]
    return doomed


def _section_below(heading: LexborNode) -> list[LexborNode]:
    """Element siblings up to the next heading of the same or a higher level."""
    below: list[LexborNode] = []
    node = heading.next
    while node is not None and not (node.tag in HEADING_TAGS and (node.tag or "") <= (heading.tag or "")):
        if node.is_element_node:
            below.append(node)
        node = node.next
    return below


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
