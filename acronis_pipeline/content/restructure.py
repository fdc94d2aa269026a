"""Rewriting the cleaned page so that plain Markdown can say what its markup says.

Questions hidden behind a click become headings, definition lists become lists, tables are rewritten (`tables`), links
become their text, and every heading gets a mark by which its anchor is found again after conversion.
"""

import re
from html import escape

from selectolax.lexbor import LexborHTMLParser, LexborNode

from acronis_pipeline.content import bounds, tables, widgets
from acronis_pipeline.content.elements import (
    HEADING_TAGS,
    HEADINGS,
    Levels,
    ancestors,
    inside,
    lead_in,
    previous_content,
    rename,
)
from acronis_pipeline.content.inline import FOOTNOTE_MARKS
from acronis_pipeline.content.markdown import MARK

_INLINE_ONLY = frozenset({"li", "td", "th", "blockquote", "dd", "caption"})
_BLOCKS = "p, ul, ol, dl, table, pre, div, blockquote, section, h1, h2, h3, h4, h5, h6"
_CLOSED = _INLINE_ONLY | {"summary", "dt", "button", "a"}
"""Elements in which a heading would break what they are."""
_QUESTION_WORDS = 3
_MOST_WORDS = 6
"""In what an image stands for within a sentence."""
_FILE_NAME = re.compile(r"\S+\.\w{2,4}|(?:images?|screenshots?|logo|icon)\W*\w*", re.IGNORECASE)
_PERMALINK_TEXT = re.compile(
    r"\W*(?:(?:direct |perma|copy )?link(?: to .*)?|permalink(?: to .*)?|anchor|copy|edit)?\W*", re.IGNORECASE
)


def restructure(tree: LexborHTMLParser) -> tuple[str | None, ...]:
    """Rewrite the body in place; returns the anchor of each heading, in the order of their marks.

    Links are left as they are: once the content is found they are read (`references`), then `unlink` takes them away.
    """
    body = tree.body
    if body is None:
        return ()
    bounds.keep(body)
    _headings_without_permalinks(body)
    for link in body.css(FOOTNOTE_MARKS):
        link.decompose()
    widgets.to_paragraphs(tree, body)
    _questions_to_headings(tree, body)
    _buttons_to_headings(tree, body)
    _details_to_sections(tree, body)
    levels = Levels(body)
    for node in reversed(body.css("dl")):
        _definitions_to_list(tree, node, levels)
    _images_to_text(body)
    tables.rewrite(tree, body)
    anchors = _mark_headings(body)
    body.unwrap_tags(["mark", "ins", "u", "font", "button"])
    return anchors


def unlink(tree: LexborHTMLParser) -> None:
    """Leave the text of links only."""
    if tree.body is not None:
        tree.body.unwrap_tags(["a"])


def flattened(fragment: str) -> str:
    """A fragment for use below a heading of ours: its own headings are paragraphs, its links text."""
    tree = LexborHTMLParser(fragment)
    for heading in tree.css(HEADINGS):
        rename(tree, heading, "p")
    tree.unwrap_tags(["a"])
    return (tree.body.inner_html if tree.body else "") or ""


def _headings_without_permalinks(body: LexborNode) -> None:
    for heading in body.css(HEADINGS):
        for link in heading.css("a"):
            attributes = link.attributes
            if (attributes.get("href") or "#").startswith("#") and _PERMALINK_TEXT.fullmatch(link.text()):
                target = attributes.get("id") or attributes.get("name") or (attributes.get("href") or "")[1:]
                if target and not heading.id:
                    heading.attrs["id"] = target
                link.decompose()
    for link in body.css("a[href^='#']"):  # beside a heading: "#", "¶", "🔗"
        text = link.text().strip()
        if text and not re.search(r"\w", text):
            before = previous_content(link)
            if before is not None and before.tag in HEADING_TAGS and not before.id:
                before.attrs["id"] = (link.attributes.get("href") or "")[1:]
            link.decompose()


def _questions_to_headings(tree: LexborHTMLParser, body: LexborNode) -> None:
    """Questions that are marked up as such (schema.org), or are a paragraph in bold that ends in a question mark."""
    levels = Levels(body)
    for node in reversed(body.css('[itemtype$="schema.org/Question"] [itemprop~="name"]')):
        if node.tag not in HEADING_TAGS and not node.css_first(HEADINGS) and not inside(node, HEADING_TAGS | _CLOSED):
            rename(tree, node, f"h{levels.below(node)}")
    levels = Levels(body)
    for paragraph in body.css("p"):
        bold = paragraph.css_first("strong, b")
        text = " ".join(paragraph.text().split())
        if (
            bold is not None
            and text.endswith("?")
            and len(text.split()) >= _QUESTION_WORDS
            and " ".join(bold.text().split()) == text
            and not inside(paragraph, _CLOSED)
        ):
            paragraph.inner_html = escape(text)
            rename(tree, paragraph, f"h{levels.below(paragraph)}")


def _buttons_to_headings(tree: LexborHTMLParser, body: LexborNode) -> None:
    """An accordion's buttons are its questions; MadCap Flare calls them drop-down heads."""
    levels = Levels(body)
    for button in body.css("button, .MCDropDownHead, .MCExpandingHead"):
        heading = button.parent
        if heading is not None and heading.tag in HEADING_TAGS:
            if len(heading.text().split()) > len(button.text().split()):  # "Copy link" beside the heading
                button.decompose()
        elif not inside(button, {"summary", "p", "dt", "figcaption", *HEADING_TAGS, *_INLINE_ONLY}):
            rename(tree, button, f"h{levels.below(button)}")


def _details_to_sections(tree: LexborHTMLParser, body: LexborNode) -> None:
    # Innermost first: an element that was given another tag is a copy, and what was in it is one too.
    levels = Levels(body)
    for details in reversed(body.css("details")):
        summary = details.css_first("summary")
        if summary is not None:
            for nested in summary.css(HEADINGS + ", p, div"):
                nested.unwrap()
            if inside(details, _INLINE_ONLY) or _goes_on_after(details, summary):
                lead_in(tree, summary)
            else:
                depth = sum(ancestor.tag == "details" for ancestor in ancestors(details))
                rename(tree, summary, f"h{min(6, levels.below(details) + depth)}", identity=details.id)
        details.unwrap()


def _goes_on_after(details: LexborNode, summary: LexborNode) -> bool:
    """Whether the text around a collapsed aside goes on after it, which a heading would claim for itself.

    A question opens a section all the same: what follows a list of them is hardly ever part of the text before it.
    """
    if summary.text().strip().endswith("?"):
        return False
    following = details.next
    while following is not None and not (following.text() or "").strip():
        following = following.next
    return following is not None and following.tag not in {"details", "section", "div", *HEADING_TAGS}


def _definitions_to_list(tree: LexborHTMLParser, node: LexborNode, levels: Levels) -> None:
    """Questions and documented functions become sections, other long definitions paragraphs below their term, short
    ones a list of `**term**: definition`."""
    terms, definitions = node.css("dt"), node.css("dd")
    for definition in definitions:
        parts = definition.css(_BLOCKS)
        if len(parts) == 1 and parts[0].tag == "p":  # written as a paragraph, as Sphinx and Markdown do
            parts[0].unwrap()
    asked = any(term.text().strip().endswith("?") for term in terms)
    documented = any(term.id and "sig" in (term.attributes.get("class") or "").split() for term in terms)
    if (asked or documented) and not inside(node, _INLINE_ONLY):
        level = levels.below(node)
        for term in terms:
            rename(tree, term, f"h{level}", identity=term.id)
        for definition in definitions:
            rename(tree, definition, "div")
    elif any(definition.css_first(_BLOCKS) for definition in definitions):
        for term in terms:
            lead_in(tree, term)
        for definition in definitions:
            rename(tree, definition, "div")
    else:
        node.inner_html = _as_list(node)
    rename(tree, node, "div")


def _as_list(node: LexborNode) -> str:
    items: list[str] = []
    names: list[str] = []
    for part in node.css("dt, dd"):
        if part.tag == "dt":
            for colon in part.css(".colon"):  # Sphinx sets one after the names of fields
                colon.decompose()
            names.append((part.inner_html or "").strip().removesuffix(":"))
        else:
            name = f"<strong>{', '.join(names)}</strong>: " if names else ""
            items.append(f"<li>{name}{part.inner_html or ''}</li>")
            names = []
    return "<ul>" + "".join(items) + "".join(f"<li><strong>{name}</strong></li>" for name in names) + "</ul>"


def _images_to_text(body: LexborNode) -> None:
    """In a cell an image is a value ("Yes", "Supported"), in a sentence a word ("click the … icon").

    One that stands alone is a picture, whose description adds nothing to search for.
    """
    for image in body.css("img"):
        label = " ".join((image.attributes.get("alt") or "").split())
        if label and (inside(image, {"td", "th"}) or _is_a_word(image, label)):
            image.insert_before(label)
        image.decompose()


def _is_a_word(image: LexborNode, label: str) -> bool:
    parent = image.parent
    if parent is None or parent.tag not in {"p", "li", "dd", "dt", "span", "strong", "b", "em"}:
        return False
    around = " ".join(part.text() or "" for part in parent.iter(include_text=True) if not part.is_element_node)
    return bool(re.search(r"\w", around)) and len(label.split()) <= _MOST_WORDS and not _FILE_NAME.fullmatch(label)


def _mark_headings(body: LexborNode) -> tuple[str | None, ...]:
    anchors: list[str | None] = []
    for number, heading in enumerate(body.css(HEADINGS)):
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
    before, parent = previous_content(heading), heading.parent
    if before is not None and before.tag in {"a", "span"} and not (before.text() or "").strip():
        return before.id or before.attributes.get("name")
    if before is None and parent is not None and parent.tag in {"section", "div", "header", "article", "details"}:
        if parent.tag == "header" and parent.parent is not None:
            return parent.id or parent.parent.id
        return parent.id
    return None
