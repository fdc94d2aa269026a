"""Notes, tips and warnings: their title leads into their text, and no longer opens a section of its own.

Markup of MkDocs Material, Sphinx, Docusaurus, GitHub, Bootstrap and Hugo themes.
"""

import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

from acronis_pipeline.content.elements import HEADING_TAGS, lead_in

_TITLES = (
    ".admonition-title, [class*=admonitionHeading], [class*=admonition-heading], .markdown-alert-title, .callout-title"
)
_BOXES = "[class*=admonition], [class*=callout], [class~=alert], [class~=notice], .markdown-alert, aside"
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
    for quotation in reversed(body.css("blockquote")):
        inner = quotation.inner_html or ""
        if match := _GITHUB.match(inner):
            title = f"<strong>{match[2].capitalize()}:</strong> "
            quotation.inner_html = match[1] + title + inner[match.end() :]
