"""Boxes and tabs of documentation generators, rewritten so that plain Markdown keeps what they say.

The title of a note, tip or warning leads into its text and opens no section of its own (MkDocs Material, Sphinx,
Docusaurus, GitHub, Bootstrap and Hugo themes). The name of a tab goes in front of what it shows, where a page has only
a row of names above all of it (MkDocs Material, sphinx-design, Docusaurus, Bootstrap, and the ARIA roles).
"""

import re
from collections.abc import Iterator, Sequence
from html import escape

from selectolax.lexbor import LexborHTMLParser, LexborNode

from acronis_pipeline.content.elements import HEADING_TAGS, following, lead_in

_TITLES = (
    ".admonition-title, [class*=admonitionHeading], [class*=admonition-heading], .markdown-alert-title, "
    ".callout-title, .starlight-aside__title, .topic-title, .sidebar-title, "
    ".sidebarblock > .content > .title, .custom-block-title"
)
_BOXES = "[class*=admonition], [class*=callout], [class~=alert], [class~=notice], .markdown-alert, aside"
_TYPED = (
    ".admonition, .alert, .theme-admonition, .callout, .custom-block, .markdown-alert, .bd-callout, aside, "
    "[role=note], [class~=warning], [class~=caution], [class~=danger], [class~=important], [class~=deprecated]"
)
_TYPE = re.compile(r"(?:.*[-_])?(warning|caution|danger|important|deprecated)")
"""What a style sheet says by colour and picture alone; a note without the word is a paragraph like others."""
_BOX_WORDS = 250
"""A larger element of such a name is a part of the page, and its heading a heading."""
_GITHUB = re.compile(r"^(\s*<p>\s*)\[!(NOTE|TIP|IMPORTANT|WARNING|CAUTION|INFO)\](?:\s|<br\s*/?>)*", re.IGNORECASE)


def to_paragraphs(tree: LexborHTMLParser, body: LexborNode) -> None:
    """Rewrite the titles of admonitions, in place."""
    for title in reversed(body.css(_TITLES)):  # innermost first: a renamed element is a copy
        if title.text().strip():
            lead_in(tree, title)
    for box in reversed(body.css(_BOXES)):
        heading = next((node for node in box.iter() if node.text().strip()), None)
        if heading is not None and heading.tag in HEADING_TAGS and len(box.text(separator=" ").split()) <= _BOX_WORDS:
            lead_in(tree, heading)
    for box in body.css(_TYPED):
        _say_type(tree, box)
    for icon in body.css(".admonitionblock td.icon"):  # Asciidoctor sets its boxes in tables
        if said := icon.text().strip():
            icon.inner_html = f"<p><strong>{escape(said.rstrip(':'))}:</strong></p>"
    for quotation in reversed(body.css("blockquote")):
        inner = quotation.inner_html or ""
        if match := _GITHUB.match(inner):
            title = f"<strong>{match[2].capitalize()}:</strong> "
            quotation.inner_html = match[1] + title + inner[match.end() :]


def _say_type(tree: LexborHTMLParser, box: LexborNode) -> None:
    """Put the type of a box without a title into words."""
    found = (_TYPE.fullmatch(name) for name in (box.attributes.get("class") or "").lower().split())
    kind = next((match[1] for match in found if match), "")
    first = next((node for node in box.iter(include_text=True) if node.text().strip()), None)
    if not kind or first is None or box.tag not in {"div", "aside", "section", "p"}:
        return
    opening = first.text().strip()[:40].casefold()
    titled = first.is_element_node and (first.tag == "strong" or first.css_first("strong, b") is not None)
    if titled or opening.startswith(kind) or opening.endswith(":") or len(box.text().split()) > _BOX_WORDS:
        return
    if box.tag == "p" or not first.is_element_node:
        first.insert_before(f"{kind.capitalize()}: ")
    else:
        title = tree.create_node("p")
        title.inner_html = f"<strong>{kind.capitalize()}:</strong>"
        first.insert_before(title)


def name_panels(tree: LexborHTMLParser) -> None:
    """Put each tab's name above its panel, in place; rows of tabs whose panels are not on the page stay as they are.

    To be called while the rows of names are still there: they are navigation to whoever removes clutter.
    """
    if tree.body is None:
        return
    for label in reversed(tree.body.css("label.sd-tab-label")):
        lead_in(tree, label)
    for row in reversed(tree.body.css("[role=tablist], .tabbed-labels, ul.nav-tabs")):  # innermost first
        pairs = list(_pairs(tree.body, row))
        for name, panel in pairs:
            text = " ".join(name.text(separator=" ").split())
            title = tree.create_node("p")
            title.inner_html = f"<strong>{escape(text)}:</strong>"
            first = panel.child
            if text and first is not None:
                first.insert_before(title)
        if pairs:
            row.decompose()


def _pairs(body: LexborNode, row: LexborNode) -> Iterator[tuple[LexborNode, LexborNode]]:
    """Names and panels: by the panel's id where the name tells it, else by position."""
    names = row.css("[role=tab], a[data-toggle=tab], a[data-bs-toggle=tab]") or row.css("label")
    by_id = [(name, panel) for name in names if (panel := _named(body, name)) is not None]
    if len(by_id) == len(names):
        yield from by_id
        return
    panels = _following_panels(row)
    if len(panels) == len(names):
        yield from zip(names, panels, strict=True)


def _named(body: LexborNode, name: LexborNode) -> LexborNode | None:
    attributes = name.attributes
    href = attributes.get("href") or ""
    target = (
        attributes.get("aria-controls") or attributes.get("data-bs-target") or attributes.get("data-target") or href
    )
    identity = target.removeprefix("#")
    if not identity or target.startswith(("/", "http")):
        return None
    quoted = identity.replace("\\", "").replace('"', "")
    return body.css_first(f'[id="{quoted}"]')


def _following_panels(row: LexborNode) -> Sequence[LexborNode]:
    """Panels among what follows the row, not those of rows inside them."""
    for sibling in following(row):
        if sibling.attributes.get("role") == "tabpanel":
            siblings = [sibling, *following(sibling)]
            return [node for node in siblings if node.attributes.get("role") == "tabpanel"]
        if panels := [node for node in sibling.iter() if _is_panel(node)]:
            return panels
    return []


def _is_panel(node: LexborNode) -> bool:
    classes = (node.attributes.get("class") or "").split()
    return node.attributes.get("role") == "tabpanel" or "tabbed-block" in classes or "tab-pane" in classes
