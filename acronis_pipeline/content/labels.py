"""What a reader sees, or hears from a screen reader, that stands in attributes: icons, states of controls, values.

A check mark in a table of editions is its content, the arrow of a menu is none: an icon speaks where there is text of
the page (cells, items, paragraphs), and not in buttons, headings and navigation. Shadow trees are attached as a
browser attaches them.
"""

import re
from collections.abc import Sequence
from html import unescape

from selectolax.lexbor import LexborHTMLParser, LexborNode

from acronis_pipeline.content.elements import HEADING_TAGS, ancestors

_PLACES = frozenset({"td", "th", "li", "dd", "dt", "p", "caption", "figcaption"})
_CELLS = frozenset({"td", "th", "dd"})
_SILENT = HEADING_TAGS | {"nav", "button", "summary", "pre", "select", "header", "footer"}
_SILENT_ROLES = frozenset({"navigation", "toolbar", "menu", "menubar", "tablist", "search", "button"})
_ICONS = (
    "svg, i, mat-icon, [role=img], span[title], span[aria-label], em[title], span[class*=icon], span.glyphicon, span.fa"
)
_NAMES = ("aria-label", "title", "data-original-title", "data-bs-original-title", "data-tooltip", "data-tip")
FOR_SCREEN_READERS = re.compile(
    r"sr-?only|visually-?hidden|hidden-?visually|(?:u-)?screen-?reader(?:-?(?:text|only))?|show-for-sr|a11y-(?:hidden|only)"
    r"|assistive-?text|element-invisible|cdk-visually-hidden|vh|aria-only|accessibly-hidden|off-?screen"
)
_PERHAPS_FOR_SCREEN_READERS = ", ".join(
    f"[class*={part} i]"
    for part in "sr-only sronly hidden screen -sr a11y assistive invisible vh aria accessibly off".split()
)
"""Fewer elements to look at closely; in a style sheet's language there are no patterns."""
_ABOUT_LINK = re.compile(
    r".*\b(?:new (?:tab|window)|external|permalink|(?:link|anchor) to|copy|skip to|expand|collapse|toggle)\b.*"
    r"|anchor|link",
    re.IGNORECASE,
)
_DECORATION = re.compile(
    r".*\b(?:chevron|arrow|caret|expand|collapse|toggle|external|permalink|anchor|copy|logo|avatar|menu|hamburger)\b.*"
    r"|icons?|images?|link|svg|.*\bnew (?:tab|window)\b.*",
    re.IGNORECASE,
)
_YES = frozenset(
    "check tick checkmark yes true ok done success supported included available enabled checked greentick "
    "greencheck".split()
)
_NO = frozenset(
    "times xmark cross x close cancel clear no false ban unsupported unavailable disabled excluded uncheck redcross "
    "crossmark not-supported not-included not-available".split()
)
_ORNAMENTS = frozenset(
    "fa fas far fal fad fab fi icon icons bi mdi ti glyphicon octicon lucide feather ph ri la las lar pi dashicons "
    "material symbols outlined rounded sharp circle square fill filled line solid outline o alt lg xl sm 2x 3x fw "
    "round bold regular light thin mark sign green red text danger ui svg status cell table symbol i img badge heavy "
    "white black color primary".split()
)
_LIGATURES = re.compile(r"material-(?:icons|symbols).*|mat-icon|google-symbols")
_BLOCK = re.compile(r"<(?:p|div|h[1-6]|ul|ol|dl|table|pre|section|article|main|blockquote)\b", re.IGNORECASE)
_FIELD_TYPES = frozenset({"hidden", "submit", "button", "reset", "image", "file", "password"})


def attach_shadows(html: str) -> str:
    """The page with the content of declarative shadow trees in place, slots filled: a browser shows it there."""
    if "shadowrootmode" not in html.lower():
        return html
    tree = LexborHTMLParser(html)
    for template in reversed(tree.css("template[shadowrootmode]")):
        host = template.parent
        written = template.html or ""
        if host is None:
            continue
        shadow = LexborHTMLParser(written[written.find(">") + 1 : written.rfind("<")])
        root = shadow.body
        template.decompose()
        if root is None:
            continue
        named = {child.attributes.get("slot") or "": "" for child in host.iter()}
        default = ""
        for child in host.iter(include_text=True):
            slot = (child.attributes.get("slot") or "") if child.is_element_node else ""
            if slot:
                named[slot] += child.html or ""
            else:
                default += child.html or ""
        for slot in root.css("slot"):
            name = slot.attributes.get("name") or ""
            filled = named.get(name, "") if name else default
            holder = "div" if _BLOCK.search(filled) else "span"
            part = LexborHTMLParser(f"<{holder}>{filled}</{holder}>").css_first(holder) if filled.strip() else None
            if part is not None:
                slot.insert_before(part)
                slot.decompose()
            else:
                slot.unwrap()
        host.inner_html = root.inner_html or ""
    return tree.html or html


def to_text(tree: LexborHTMLParser) -> None:
    """Put the labels of icons, the states of controls and text for screen readers into the page's text, in place."""
    body = tree.body
    if body is None:
        return
    _noscript(body)
    _controls(body)
    _for_screen_readers(body)
    _icons(body)
    _empty_cells(body)


def _place(node: LexborNode) -> LexborNode | None:
    """The innermost cell, item or paragraph that an element stands in; None in what is no text of the page."""
    place: LexborNode | None = None
    for ancestor in ancestors(node):
        tag = ancestor.tag or ""
        if tag in _SILENT or (ancestor.attributes.get("role") or "") in _SILENT_ROLES:
            return None
        if tag == "form" and place is None:
            return None
        if place is None and tag in _PLACES:
            place = ancestor
        if tag == "table":
            return place
    return place


def _words(node: LexborNode) -> str:
    return " ".join(node.text(separator=" ").split())


def _noscript(body: LexborNode) -> None:
    """What is shown without scripts is what we see; but not the request to turn them on, nor an image's double."""
    for node in body.css("noscript"):
        place = _place(node)
        before = node.prev
        while before is not None and not before.is_element_node:
            before = before.prev
        images = node.css("img")
        double = before is not None and before.tag == "img" and (before.attributes.get("alt") or "").strip()
        if place is None and (node.css_first("iframe, img") or not node.css_first("p, ul, ol, table, dl")):
            continue
        if (images and double) or re.search(r"javascript", node.text(), re.IGNORECASE):
            continue
        node.unwrap()


def _controls(body: LexborNode) -> None:
    for node in body.css("input, select, textarea, progress, meter, [role=checkbox], [role=switch], [role=radio]"):
        place = _place(node)
        if place is None:
            continue
        said = _state(node, place)
        if said:
            node.insert_before(said)
            node.decompose()


def _state(node: LexborNode, place: LexborNode) -> str:
    tag, attributes = node.tag, node.attributes
    kind = (attributes.get("type") or "text").lower()
    role = attributes.get("role") or ""
    if (tag == "input" and kind in {"checkbox", "radio"}) or role in {"checkbox", "switch", "radio"}:
        is_on = "checked" in attributes or (attributes.get("aria-checked") or "") == "true"
        if place.tag in _CELLS and not _words(place):
            return "Yes" if is_on else "No"
        return "[x] " if is_on else "[ ] "
    if tag == "input":
        return "" if kind in _FIELD_TYPES - {"submit", "button"} else (attributes.get("value") or "").strip()
    if tag == "select":
        chosen = node.css_first("option[selected]") or node.css_first("option")
        return _words(chosen) if chosen is not None else ""
    if tag == "textarea":
        return _words(node)
    return _words(node) or _share(attributes.get("value"), attributes.get("max"))


def _share(value: str | None, most: str | None) -> str:
    try:
        number, whole = float(value or ""), float(most or "1")
    except ValueError:
        return ""
    return f"{100 * number:.0f} %" if whole == 1 else f"{value} of {most}"


def _for_screen_readers(body: LexborNode) -> None:
    """Text that is hidden from the eye beside a sign or a number says what that means."""
    for node in body.css(_PERHAPS_FOR_SCREEN_READERS):
        if not any(FOR_SCREEN_READERS.fullmatch(name.lower()) for name in (node.attributes["class"] or "").split()):
            continue
        place, said = _place(node), _words(node)
        if place is None or not said or node.tag in {"a", "label", "button"} or _ABOUT_LINK.fullmatch(said):
            continue
        if node.css_first("a, input, button, h1, h2, h3, h4, h5, h6"):
            continue
        del node.attrs["class"]
        for sibling in [*_elements_of(node.parent)]:
            # Its visible double is for the eye only.
            if (sibling.attributes.get("aria-hidden") or "") == "true" and sibling.mem_id != node.mem_id:
                sibling.decompose()


def _elements_of(node: LexborNode | None) -> Sequence[LexborNode]:
    return list(node.iter()) if node is not None else ()


def _icons(body: LexborNode) -> None:
    for node in body.css(_ICONS):
        if node.tag != "svg" and any(found.mem_id != node.mem_id for found in node.css("svg, i, img")):
            continue  # the icon within speaks
        text = _words(node) if node.tag != "svg" else ""
        ligature = any(_LIGATURES.fullmatch(name) for name in [*_classes(node), node.tag or ""])
        if re.search(r"\w", text) and not ligature:
            continue
        place = _place(node)
        if place is None:
            if ligature:
                node.decompose()
            continue
        said = _label(node, place, text if ligature else "")
        if said:
            node.replace_with(f"{said} " if said else "")
        elif ligature and place.tag in _PLACES - {"p"}:
            node.decompose()


def _label(node: LexborNode, place: LexborNode, ligature: str) -> str:
    alone = _words(place) in {"", ligature, _words(node)}
    name = _name(node)
    in_link = next((ancestor for ancestor in ancestors(node) if ancestor.tag == "a"), None)
    if in_link is not None and not (alone and place.tag in _CELLS):
        return ""
    if name and (not _DECORATION.fullmatch(name) or (alone and place.tag in _CELLS)):
        known = _yes_or_no(name) if place.tag in _CELLS and alone else ""
        return known or ("" if name.casefold() in _words(place).casefold() else name)
    known = _yes_or_no(ligature) or next(filter(None, map(_yes_or_no, _icon_names(node))), "")
    if not known or (not alone and place.tag == "p"):
        return ""
    if alone:
        return known
    return {"Yes": "✓", "No": "✗"}[known]


def _name(node: LexborNode) -> str:
    attributes = node.attributes
    said = next((attributes[key] or "" for key in _NAMES if (attributes.get(key) or "").strip()), "")
    if not said and node.tag == "svg":
        title = node.css_first("title")
        said = title.text() if title is not None else ""
    return re.sub(r"\s+icon$", "", " ".join(unescape(said).split()), flags=re.IGNORECASE)


def _icon_names(node: LexborNode) -> Sequence[str]:
    used = [(use.attributes.get("href") or use.attributes.get("xlink:href") or "") for use in node.css("use")]
    data = [node.attributes.get(key) or "" for key in ("data-icon", "data-lucide", "data-feather", "name")]
    return [*_classes(node), *(name.rpartition("#")[2] for name in used), *data]


def _yes_or_no(name: str) -> str:
    """What the name of an icon says, or "" if neither yes nor no."""
    parts = [part for part in re.split(r"[-_\s.:]+", re.sub(r"([a-z])([A-Z])", r"\1-\2", name).lower()) if part]
    own = [part for part in parts if part not in _ORNAMENTS]
    joined = "-".join(own)
    return "Yes" if joined in _YES else "No" if joined in _NO else ""


def _empty_cells(body: LexborNode) -> None:
    """Cells that a style sheet fills: their class says yes or no, or an attribute holds the value."""
    for cell in body.css("td"):
        if cell.text().strip() or cell.css_first("img, svg, input, object, iframe, canvas, video"):
            continue
        nodes = [cell, *cell.css("*")]
        named = next((name for node in nodes if (name := _name(node))), "")
        said = named or next((known for node in nodes for name in _classes(node) if (known := _yes_or_no(name))), "")
        if said:
            cell.insert_child((_yes_or_no(said) or said) if said == named else said)


def _classes(node: LexborNode) -> Sequence[str]:
    return (node.attributes.get("class") or "").split()
