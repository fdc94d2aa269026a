"""Rewriting the cleaned page so that plain Markdown can say what its markup says.

Questions hidden behind a click become headings, definition lists become lists, layout tables become their contents,
links become their text, and every heading gets a mark by which its anchor is found again after conversion.
"""

import re
from collections.abc import Sequence

from selectolax.lexbor import LexborHTMLParser, LexborNode

from acronis_pipeline.content.markdown import MARK

_HEADING_TAGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_HEADINGS = "h1, h2, h3, h4, h5, h6"
_INLINE_ONLY = frozenset({"li", "td", "th", "blockquote", "dd", "caption"})
_BLOCKS = "p, ul, ol, dl, table, pre, div, blockquote, section, h1, h2, h3, h4, h5, h6"
_PERMALINK_TEXT = re.compile(
    r"\W*(?:(?:direct |perma|copy )?link(?: to .*)?|permalink(?: to .*)?|anchor|copy|edit)?\W*", re.IGNORECASE
)


def restructure(tree: LexborHTMLParser) -> tuple[str | None, ...]:
    """Rewrite the body in place; returns the anchor of each heading, in the order of their marks."""
    body = tree.body
    if body is None:
        return ()
    _headings_without_permalinks(body)
    _buttons_to_headings(tree, body)
    _details_to_sections(tree, body)
    for node in reversed(body.css("dl")):
        _definitions_to_list(tree, node)
    _layout_tables_to_contents(body)
    _images_to_text(body)
    anchors = _mark_headings(body)
    body.unwrap_tags(["a", "mark", "ins", "u", "font", "button"])
    return anchors


def flattened(fragment: str) -> str:
    """A fragment for use below a heading of ours: its own headings are paragraphs, its links text."""
    tree = LexborHTMLParser(fragment)
    for heading in tree.css(_HEADINGS):
        _rename(tree, heading, "p")
    tree.unwrap_tags(["a"])
    return (tree.body.inner_html if tree.body else "") or ""


def _headings_without_permalinks(body: LexborNode) -> None:
    for heading in body.css(_HEADINGS):
        for link in heading.css("a"):
            attributes = link.attributes
            if (attributes.get("href") or "#").startswith("#") and _PERMALINK_TEXT.fullmatch(link.text()):
                target = attributes.get("id") or attributes.get("name") or (attributes.get("href") or "")[1:]
                if target and not heading.id:
                    heading.attrs["id"] = target
                link.decompose()


def _buttons_to_headings(tree: LexborHTMLParser, body: LexborNode) -> None:
    """An accordion's buttons are its questions; MadCap Flare calls them drop-down heads."""
    for button in body.css("button, .MCDropDownHead, .MCExpandingHead"):
        heading = button.parent
        if heading is not None and heading.tag in _HEADING_TAGS:
            if len(heading.text().split()) > len(button.text().split()):  # "Copy link" beside the heading
                button.decompose()
        elif not _inside(button, {"summary", *_HEADING_TAGS, *_INLINE_ONLY}):
            _rename(tree, button, f"h{_level_below(button)}")


def _details_to_sections(tree: LexborHTMLParser, body: LexborNode) -> None:
    # Innermost first: an element that was given another tag is a copy, and what was in it is one too.
    for details in reversed(body.css("details")):
        summary = details.css_first("summary")
        if summary is not None:
            for nested in summary.css(_HEADINGS + ", p, div"):
                nested.unwrap()
            if _inside(details, _INLINE_ONLY):
                summary.inner_html = f"<strong>{summary.inner_html}</strong>"
                _rename(tree, summary, "p")
            else:
                _rename(tree, summary, f"h{min(6, _level_below(details) + _depth(details))}", identity=details.id)
        details.unwrap()


def _definitions_to_list(tree: LexborHTMLParser, node: LexborNode) -> None:
    """Questions and long definitions become sections, short ones a list of `**term**: definition`."""
    terms, definitions = node.css("dt"), node.css("dd")
    sections = not _inside(node, _INLINE_ONLY) and any(term.text().strip().endswith("?") for term in terms)
    if sections:
        level = _level_below(node)
        for term in terms:
            _rename(tree, term, f"h{level}", identity=term.id)
        for definition in definitions:
            _rename(tree, definition, "div")
    elif any(definition.css_first(_BLOCKS) for definition in definitions):
        for term in terms:
            term.inner_html = f"<strong>{term.inner_html}</strong>"
            _rename(tree, term, "p")
        for definition in definitions:
            _rename(tree, definition, "div")
    else:
        node.inner_html = _as_list(node)
    _rename(tree, node, "div")


def _as_list(node: LexborNode) -> str:
    items: list[str] = []
    names: list[str] = []
    for part in node.css("dt, dd"):
        if part.tag == "dt":
            names.append((part.inner_html or "").strip())
        else:
            name = f"<strong>{', '.join(names)}</strong>: " if names else ""
            items.append(f"<li>{name}{part.inner_html or ''}</li>")
            names = []
    return "<ul>" + "".join(items) + "".join(f"<li><strong>{name}</strong></li>" for name in names) + "</ul>"


def _layout_tables_to_contents(body: LexborNode) -> None:
    for table in reversed(body.css("table")):
        laid_out = (table.attributes.get("role") or "") in {"presentation", "none"}
        # Line numbers beside code are the other table that holds no data.
        if (
            laid_out
            or table.css_first("h1, h2, h3, pre")
            or len(table.css("table")) > 1
            or len(table.css("td, th")) == 1
        ):
            for part in table.css("td, th"):
                part.insert_before("\n")
                part.attrs["role"] = "presentation"
            _unwrap_parts(table)


def _unwrap_parts(table: LexborNode) -> None:
    for tag in ("caption", "thead", "tbody", "tfoot", "tr", "td", "th", "colgroup"):
        for part in table.css(tag):
            part.unwrap()
    table.unwrap()


def _images_to_text(body: LexborNode) -> None:
    """In a table an image is a value ("Yes", "Supported"); elsewhere its description adds nothing to search for."""
    for image in body.css("img"):
        label = " ".join((image.attributes.get("alt") or "").split())
        if label and _inside(image, {"td", "th"}):
            image.insert_before(label)
        image.decompose()


def _mark_headings(body: LexborNode) -> tuple[str | None, ...]:
    anchors: list[str | None] = []
    for number, heading in enumerate(body.css(_HEADINGS)):
        anchors.append(_anchor(heading))
        heading.insert_child(MARK.format(number))
    return tuple(anchors)


def _anchor(heading: LexborNode) -> str | None:
    """The id that leads to a heading: its own, of something in it, of the section it opens, or just before it."""
    if heading.id:
        return heading.id
    inner = heading.css_first("[id], a[name]")
    if inner is not None:
        return inner.id or inner.attributes.get("name")
    following = heading.next
    if following is not None and following.tag == "a" and not following.text().strip():
        return (following.attributes.get("href") or "").removeprefix("#") or following.id
    before, parent = _previous_content(heading), heading.parent
    if before is not None and before.tag in {"a", "span"} and not (before.text() or "").strip():
        return before.id or before.attributes.get("name")
    if before is None and parent is not None and parent.tag in {"section", "div", "header", "article", "details"}:
        if parent.tag == "header" and parent.parent is not None:
            return parent.id or parent.parent.id
        return parent.id
    return None


def _previous_content(node: LexborNode) -> LexborNode | None:
    before = node.prev
    while before is not None and (before.is_comment_node or before.is_empty_text_node):
        before = before.prev
    return before


def _level_below(node: LexborNode) -> int:
    """Level for a heading made here: one below the heading before it in the page."""
    current: LexborNode | None = node
    while current is not None:
        before = current.prev
        while before is not None:
            inside = before.css(_HEADINGS) if before.is_element_node and before.tag != "details" else []
            # Siblings that are made headings by the same rule are on the same level.
            real = [h for h in inside if "data-made" not in h.attributes and not _inside(h, {"details", "dt"})]
            if real:
                return min(6, int((real[-1].tag or "h1")[1]) + 1)
            before = before.prev
        current = current.parent
    return 2


def _depth(details: LexborNode) -> int:
    """Number of `details` around this one."""
    depth, parent = 0, details.parent
    while parent is not None:
        depth += parent.tag == "details"
        parent = parent.parent
    return depth


def _rename(tree: LexborHTMLParser, node: LexborNode, tag: str, identity: str | None = None) -> None:
    """Give an element another tag, keeping its contents."""
    renamed = tree.create_node(tag)
    renamed.inner_html = node.inner_html or ""
    renamed.attrs["data-made"] = ""
    if identity or node.id:
        renamed.attrs["id"] = identity or node.id
    node.replace_with(renamed)


def _inside(node: LexborNode, tags: Sequence[str] | frozenset[str] | set[str]) -> bool:
    parent = node.parent
    while parent is not None:
        if parent.tag in tags:
            return True
        parent = parent.parent
    return False
