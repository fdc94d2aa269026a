"""What letters in a line owe to their mark-up: powers and indices, footnote marks, keys, quotes, formulas, code lines.

Plain text would run them together: 10<sup>6</sup> as 106, a list of commands as one.
"""

import re
from collections.abc import Iterator
from html import escape
from itertools import pairwise

from selectolax.lexbor import LexborHTMLParser, LexborNode

from acronis_pipeline.content.elements import inside, outermost

FOOTNOTE_MARKS = (
    "a.footnote-ref, a.footnote-reference, a.footnote-backref, [role=doc-noteref], [role=doc-backlink], a.fn-backref"
)
_RAISED = str.maketrans("0123456789+-−=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿ")
_SUPERSCRIPT = (
    "sup, span.sup, span.superscript, span[style*='vertical-align: super'], span[style*='vertical-align:super']"
)
_SUBSCRIPT = "sub, span.sub, span.subscript, span[style*='vertical-align: sub;'], span[style*='vertical-align:sub;']"
_ORDINAL = re.compile(r"(?:st|nd|rd|th|er|re|e|ère|ème|eme|a|o|ª|º)", re.IGNORECASE)
_SIGNS = re.compile(r"[^\w\s]+|TM|SM|\(?[RC]\)?", re.IGNORECASE)
_NUMBER = re.compile(r"[+\-−]?\d+(?:[.,]\d+)?")
_NOTE = re.compile(r"\[?\(?\d{1,3}(?:\s*,\s*\d{1,3})*\)?\]?")
_BASE = re.compile(
    r"(?:[\d)\]²³]|(?<![^\W\d_])(?:[^\W\d_]|[a-zµμ]{2})|(?<![^\W\d_])(?:sec|inch|yd|min|bar|mol|gal|log))$"
)
"""What a number above the line is a power of: a number, a bracket, a variable or a unit. After a word it is a note."""
_LINE_CLASS = re.compile(
    r"(?:(?:code|view|token|ec|cm|CodeMirror|react-code|hljs-ln|shiki|source|highlight)[-_]?)?line(?:[-_]wrapper)?|cl|row"
)
_NUMBERS_IN_CODE = (
    ".linenos, .lineno, .linenodiv, .line-numbers-rows, .hljs-ln-numbers, .line-number, .linenumber, .ln, .gutter, "
    ".lnt, .code-line-number, .CodeMirror-linenumber"
)
_TEX = "annotation[encoding='application/x-tex'], annotation[encoding='TeX'], annotation[encoding='LaTeX']"
_FORMULAS = ".katex-display, .katex, mjx-container, .MathJax_Display, .MathJax, .mwe-math-element, math"


def rewrite(tree: LexborHTMLParser, body: LexborNode) -> None:
    """Put into letters what the mark-up says, in place. Before boilerplate is removed: formulas stand twice."""
    formulas(body)
    _code(body)
    for node in outermost(body.css(_SUPERSCRIPT)):
        _raise(node)
    for node in outermost(body.css(_SUBSCRIPT)):
        _lower(node)
    _keys(body)
    _ruby(body)
    _quotes(body)
    _abbreviations(body)
    for node in body.css("time[datetime]"):
        if not node.text().strip():
            node.insert_child(node.attributes["datetime"] or "")
    for node in body.css("wbr"):
        node.decompose()
    for node in reversed(body.css("ol")):
        _numbered(tree, node)


def _raise(node: LexborNode) -> None:
    text = " ".join(node.text().split())
    before = _text_before(node)
    if node.css_first(FOOTNOTE_MARKS) is not None:
        node.decompose()
        return
    if not text:
        node.unwrap()
        return
    if node.css_first("a") is not None and not _NOTE.fullmatch(text):
        node.insert_before(" ")
        node.unwrap()
        return
    if _NOTE.fullmatch(text) and (not _NUMBER.fullmatch(text) or node.css_first("a") or not _BASE.search(before)):
        number = text.strip("[]()")
        said = number.translate(_RAISED) if number.isdecimal() else f" [{number}]"
    elif _ORDINAL.fullmatch(text) and before[-1:].isdigit():
        said = text
    elif _SIGNS.fullmatch(text):
        said = {"TM": "™", "SM": "℠", "R": "®", "(R)": "®", "C": "©", "(C)": "©"}.get(text.upper(), text)
    elif before and (_NUMBER.fullmatch(text) or _BASE.search(before)):
        said = f"^{text}" if re.fullmatch(r"[+\-−]?[\w.,]+", text) else f"^({text})"
    else:  # "beta" beside a name
        said = f" {text}" if before and not before[-1:].isspace() else text
    node.replace_with(said)


def _lower(node: LexborNode) -> None:
    text = " ".join(node.text().split())
    before = _text_before(node)
    if not text or not before or before[-1:].isspace():
        node.unwrap()
    elif text.isdigit() and before[-1:].isalpha():  # H2O, CO2, log2
        node.replace_with(text)
    else:
        node.replace_with(f"_{text}" if re.fullmatch(r"[\w.,+\-]+", text) else f"_({text})")


def _text_before(node: LexborNode) -> str:
    """The end of the text right before an element, within its line."""
    current: LexborNode | None = node
    for _ in range(4):
        if current is None:
            return ""
        before = current.prev
        while before is not None and before.is_comment_node:
            before = before.prev
        if before is not None:
            return "" if before.tag in {"br", "p", "div"} else (before.text() or "")[-12:]
        current = current.parent
        if current is None or current.tag in {"p", "td", "th", "li", "div", "dd", "dt", "body"}:
            return ""
    return ""


def _keys(body: LexborNode) -> None:
    """Keys that are pressed together, however they are nested."""
    for key in body.css("kbd kbd"):
        parent = key.parent
        if parent is not None and parent.tag == "kbd":
            text = " ".join(parent.text(separator=" ").split())
            parent.inner_html = escape(re.sub(r"\s*\+\s*", "+", text if "+" in text else "+".join(text.split())))
    for key in body.css("kbd"):
        after = key.next
        if after is not None and after.tag == "kbd":
            key.insert_after("+")


def _ruby(body: LexborNode) -> None:
    for reading in body.css("ruby rt"):
        ruby = reading.parent
        if ruby is not None and not ruby.css_first("rp"):
            reading.insert_before("(")
            reading.insert_after(")")
    body.unwrap_tags(["rp", "rt", "rb", "rtc", "ruby"])


def _quotes(body: LexborNode) -> None:
    for quote in body.css("q"):
        quote.insert_before("“")
        quote.insert_after("”")
        quote.unwrap()


def _abbreviations(body: LexborNode) -> None:
    """What a sign stands for, and each abbreviation once."""
    told: set[str] = set()
    for node in body.css("abbr[title], acronym[title]"):
        meaning, text = " ".join((node.attributes["title"] or "").split()), node.text().strip()
        if meaning and text and meaning.casefold() != text.casefold() and text not in told and len(meaning) <= 100:
            told.add(text)
            if not inside(node, {"pre", "code", "h1", "h2", "h3", "h4", "h5", "h6", "a"}):
                node.insert_after(f" ({meaning})")


def formulas(body: LexborNode) -> None:
    """Each formula once, as TeX where the page has it, else in a line."""
    for script in body.css("script[type^='math/tex'], script[type^='math/asciimath']"):
        rendered = script.prev
        while rendered is not None and (
            not rendered.is_element_node or "mathjax" in (rendered.attributes.get("class") or "").lower()
        ):
            gone, rendered = rendered, rendered.prev
            if gone.is_element_node:
                gone.decompose()
            elif (gone.text() or "").strip():
                break
        script.replace_with(f"${script.text().strip()}$")
    for node in outermost(body.css(_FORMULAS)):
        tex = node.css_first(_TEX)
        math = node if node.tag == "math" else node.css_first("math")
        if tex is not None:
            said = f"${' '.join(tex.text().split())}$"
        elif math is not None:
            said = math.attributes.get("alttext") or "".join(_mathml(math)).strip()
        else:
            said = node.attributes.get("aria-label") or node.text()
        node.replace_with(
            f" {said} " if node.tag != "math" and "display" in (node.attributes.get("class") or "") else said
        )
    for image in body.css("img.math, img.mwe-math-fallback-image-inline, img.latex, img.tex"):
        image.replace_with(f"${' '.join((image.attributes.get('alt') or '').split())}$")


def _mathml(node: LexborNode) -> Iterator[str]:
    parts = ["".join(_mathml(part)) for part in node.iter() if (part.tag or "") not in {"annotation", "annotation-xml"}]
    tag = node.tag
    if not parts:
        text = " ".join((node.text() or "").split())
        yield f" {text} " if tag == "mo" and text in {"=", "<", ">", "≤", "≥", "≈", "→"} else text
    elif tag in {"msup", "mover"} and len(parts) == 2:
        yield f"{parts[0]}^{_grouped(parts[1])}"
    elif tag in {"msub", "munder"} and len(parts) == 2:
        yield f"{parts[0]}_{_grouped(parts[1])}"
    elif tag in {"msubsup", "munderover"} and len(parts) == 3:
        yield f"{parts[0]}_{_grouped(parts[1])}^{_grouped(parts[2])}"
    elif tag == "mfrac" and len(parts) == 2:
        yield f"{_grouped(parts[0])}/{_grouped(parts[1])}"
    elif tag in {"msqrt", "mroot"}:
        yield f"√({''.join(parts[:1] if tag == 'mroot' else parts)})"
    else:
        yield "".join(parts)


def _grouped(text: str) -> str:
    return text if len(text) <= 1 or text.isalnum() else f"({text})"


def _code(body: LexborNode) -> None:
    """Lines of code that only a style sheet sets apart, and numbers of lines, which are no code."""
    for pre in body.css("pre"):
        changed = False
        for number in pre.css(_NUMBERS_IN_CODE):
            if not re.search(r"[^\W\d_]", number.text()):
                number.decompose()
                changed = True
        for holder in [pre, *pre.css("code, div, ol, ul, tbody, span")]:
            changed = _break_lines(holder) or changed
        codes = pre.css("code")
        if not changed and len(codes) <= 1:
            continue
        for line_break in pre.css("br"):
            line_break.replace_with("\n")
        language = next((node.attributes["class"] for node in codes if node.attributes.get("class")), "") or ""
        pre.inner_html = f'<code class="{escape(language)}">{escape(pre.text())}</code>'


def _break_lines(holder: LexborNode) -> bool:
    children = [part for part in holder.iter() if part.tag not in {"br", "button"}]
    if len(children) < 2 or not all(_is_line(child) for child in children):
        return False
    broken = False
    for child in children[:-1]:
        after = child.next
        gap = (after.text() or "") if after is not None and not after.is_element_node else ""
        if "\n" not in gap and not child.text().endswith("\n") and not (after is not None and after.tag == "br"):
            child.insert_after("\n")
            broken = True
    return broken


def _is_line(node: LexborNode) -> bool:
    tag, attributes = node.tag, node.attributes
    if tag in {"code", "div", "p", "li", "tr"}:
        return True
    style = (attributes.get("style") or "").replace(" ", "").lower()
    return (
        re.search(r"display:(?:block|flex|grid|table|table-row|list-item)\b", style) is not None
        or "data-line" in attributes
        or any(_LINE_CLASS.fullmatch(name) for name in (attributes.get("class") or "").split())
    )


def _numbered(tree: LexborHTMLParser, node: LexborNode) -> None:
    """Lists that count by letters, backwards or with gaps keep their labels, which the text may refer to."""
    items = [part for part in node.iter() if part.tag == "li"]
    style = re.search(r"list-style(?:-type)?:\s*([\w-]+)", node.attributes.get("style") or "")
    classes = (node.attributes.get("class") or "").split()
    kind = {"lower-alpha": "a", "upper-alpha": "A", "lower-roman": "i", "upper-roman": "I", "lower-latin": "a"}
    form = node.attributes.get("type") or kind.get(style[1] if style else "", "")
    form = form or next((letter for name, letter in (*kind.items(), ("loweralpha", "a")) if name in classes), "1")
    backwards = "reversed" in node.attributes
    numbers = list(_numbers(node, items, backwards=backwards))
    plain = form == "1" and all(later == earlier + 1 for earlier, later in pairwise(numbers))
    if plain:
        if numbers:
            node.attrs["start"] = str(numbers[0])
        for item in items:
            if "value" in item.attributes:
                del item.attrs["value"]
        return
    if form not in {"1", "a", "A", "i", "I"}:
        return
    for item, number in zip(items, numbers, strict=True):
        first = item.child
        label = f"({number}) " if form == "1" else f"{_label(number, form)}. "  # "3." would be a list in an item
        if first is None:
            item.insert_child(label)
        elif first.tag in {"p", "div"} and first.child is not None:
            first.child.insert_before(label)
        else:
            first.insert_before(label)
    renamed = tree.create_node("ul")
    renamed.inner_html = node.inner_html or ""
    node.replace_with(renamed)


def _numbers(node: LexborNode, items: list[LexborNode], *, backwards: bool) -> Iterator[int]:
    step = -1 if backwards else 1
    number = _integer(node.attributes.get("start"), len(items) if backwards else 1)
    for item in items:
        number = _integer(item.attributes.get("value"), number)
        yield number
        number += step


def _integer(value: str | None, otherwise: int) -> int:
    found = re.fullmatch(r"\s*(-?\d{1,6})\s*", value or "")
    return int(found[1]) if found else otherwise


def _label(number: int, form: str) -> str:
    if form in "aA" and number >= 1:
        letters = ""
        while number:
            number, rest = divmod(number - 1, 26)
            letters = chr(ord(form) + rest) + letters
        return letters
    if form in "iI" and 1 <= number < 4000:
        roman = ""
        for value, sign in _ROMAN:
            count, number = divmod(number, value)
            roman += sign * count
        return roman if form == "I" else roman.lower()
    return str(number)


_ROMAN = (
    *((1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X")),
    *((9, "IX"), (5, "V"), (4, "IV"), (1, "I")),
)
