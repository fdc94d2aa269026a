"""Markdown as documentation generators extend it, rewritten as the CommonMark that everyone reads.

Components (MDX), template tags (Hugo, Jekyll, GitBook, Markdoc), boxes that indent their text (MkDocs) or end in colons
(Docusaurus, VitePress, MyST, Azure) become a bold line, or a `<details>`, with their text below; comments, modules and
settings go; what stands for a text that another file has, or that only a program could tell, is counted. Code is as it
was. `markdown_scanner` finds what is no text and leaves marks in its place; `_Writer` goes over the lines and knows in
which boxes each of them stands.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from acronis_pipeline.content.components import Box, closed, lead, normal, opened, place_of
from acronis_pipeline.content.markdown_scanner import DIRECTIVE, LIST_MARKER, OPTION_LINE, Mark, Scanner, arguments
from acronis_pipeline.content.restructured_text import without_directives

_TAB = 4
_MAX_INDENT = 64
"""Columns; what stands further in, or in more than sixteen lists or quotations, stands at the last of these."""
_TOO_DEEP = re.compile(r"^([ \t]*(?:(?:>[ \t]?){16}|(?:[-*+][ \t]+){16}))[ \t>*+-]*[ \t>](?=\S)")
_MARKS = re.compile("[\ue010\ue011]")
_MARK = re.compile("\ue010(\\d+)\ue011")
_VOID_HTML = frozenset("area base br col embed hr img input link meta source track wbr".split())
_ATTRIBUTES = {"className": "class", "htmlFor": "for", "colSpan": "colspan", "rowSpan": "rowspan"}
_OPENING_OF_BOX = re.compile(r"^(!!!|\?\?\?\+?|===[!+]?)[ \t]+([\w-]+)?(?:[ \t\w-]*)(?:\"(.*)\")?[ \t]*$")
_COLONS = re.compile(
    r"^(:{2,}|/{3,})[ \t]*(?:\{([\w:-]+)\}|([\w-]+))?[ \t]*(?:\|[ \t]*)?(?:\[(.+)\])?([^{}]*?)?"
    r"(?:\{([^{}]*)\})?[ \t]*:*$"
)
_ALERT = re.compile(r"^((?:[ \t]*>)+)[ \t]*\[!(\w[\w-]*)\][+-]?[ \t]*(.*)$")
_ALERT_BRACKET = re.compile(r"^[ \t]*(?:>[ \t]*)*\[!(?:INCLUDE|include|code|div|VIDEO|video|NOTE-)[^\n]*$")
_ATTRIBUTE_LINE = re.compile(r"^[ \t]*\{:([^{}\n]{0,300})\}[ \t]*$")
_ATTRIBUTE_END = re.compile(r"(?<=[^\s{])[ \t]*\{:[ \t]*[.#\w][^{}\n]{0,300}\}[ \t]*$")
_ATTRIBUTE_OF_LINK = re.compile(r"(?<=\))\{:?[ \t]*(?:[.#][\w-]|[\w-]+=)[^{}\n]{0,300}\}")
_CONTENTS = re.compile(
    r"^[ \t]*(?:\[TOC\]|\[\[_?TOC_?\]\]|@\[toc\].*|\$\{toc\}|\{\{\s*toc\s*\}\})[ \t]*$", re.IGNORECASE
)
_LABEL_LINE = re.compile(r"^\([\w:. -]{1,100}\)=[ \t]*$")
_TAB_HEADING = re.compile(r"^#{1,6}[ \t]+\[([^\]]{1,200})\]\(#tab/[^)]{1,200}\)[ \t]*$")
_DEFINITION = re.compile(r"^:[ \t]+(?=\S)")
_FOOTNOTE = re.compile(r"^\[\^[^\]\s]{1,80}\]:[ \t]*")
_BLOCK_ID = re.compile(r"[ \t]\^(?=[\w-]*[a-zA-Z])[\w-]{3,40}$")
_HIGHLIGHT = re.compile(r"(?<![=\w])==(?=\S)([^=\n]{1,300})(?<=\S)==(?![=\w])")
_FENCE_TITLE = re.compile(
    r"""\b(?:title|filename|file|name|label|caption|header)\s*=\s*"""
    r"""(?:"([^"]{1,300})"|'([^']{1,300})'|\{["'`]([^"'`]{1,300})["'`]\}|([^\s"'{}]{1,200}))"""
)
_FENCE_NOISE = re.compile(
    r"""\{[^{}]*\}|[\w-]+\s*=\s*(?:"[^"]*"|'[^']*'|\{[^{}]*\}|\S+)|/[^/]+/\S*|#\w+|:[\w-]+"""
    r"""|\b(?:showLineNumbers|wrap|lines|copy|nocopy|expandable|live|noInline|theme:\S+|highlight|focus|linenums"""
    r"""|no_run|ignore|should_panic|editable|hidecopy|twoslash|icon|frame|collapse)\b"""
)
_OPEN_FENCE = re.compile(rf"^([ \t>]*{LIST_MARKER}*)(`{{3,}}|~{{3,}})(.*)$")
_LIST_LINE = re.compile(rf"^[ \t]*{LIST_MARKER}")


@dataclass(frozen=True)
class Plain:
    """`left_over` counts, by name, what only the page's own generator could have told."""

    text: str
    left_over: Mapping[str, int]
    is_mdx: bool


def to_commonmark(text: str, variables: Mapping[str, Any]) -> Plain:
    """A page without its front matter, whose settings are the `variables` that its text may name."""
    scanner = Scanner(dict(variables))
    marked = scanner.scan(without_directives(_MARKS.sub("", text), scanner.left_over))
    writer = _Writer(scanner.boxes, scanner.left_over)
    return Plain(writer.write(marked), scanner.left_over, scanner.is_mdx)


@dataclass
class _Open:
    """A box that is open at a line.

    `at` is the column at which its opening stands, `out` the column at which its text is written, `content` that at
    which its text stands, known from its first line on.
    """

    name: str
    syntax: Literal["tag", "colons", "indent"]
    at: int
    out: int
    closing: Sequence[str]
    colons: int = 0
    content: int | None = None
    labels: list[str] = field(default_factory=list)
    by_value: Mapping[str, str] = field(default_factory=dict)
    has_options: bool = False


class _Writer:
    def __init__(self, boxes: Sequence[Mark], left_over: Counter[str]) -> None:
        self._marks = boxes
        self._left_over = left_over
        self._open: list[_Open] = []
        self._lines: list[str] = []
        self._in_list = False

    def write(self, text: str) -> str:
        fence = ""
        shift = 0
        for line in text.split("\n"):
            if fence:
                self._lines.append(_dedented(line, shift))
                fence = "" if _closes(line, fence) else fence
            elif opening := _OPEN_FENCE.match(line):
                self._leave(_indent(line))
                shift = self._shift(_indent(line))
                if opening[2][0] == "`" and "`" in opening[3]:
                    self._lines.append(_dedented(line, shift))
                    continue
                self._fence(_dedented(line, shift))
                fence = opening[2]
            else:
                self._line(line)
        while self._open:
            self._close(len(self._open) - 1)
        return _MARK.sub("", "\n".join(self._lines))  # of tags in titles

    def _shift(self, indent: int) -> int:
        """How many columns less a line stands in what is written."""
        if not self._open:
            return 0
        box = self._open[-1]
        if box.content is None:
            box.content = indent
        return max(0, box.content - box.out)

    def _leave(self, indent: int) -> None:
        """Close the boxes that end where a line is no longer indented."""
        for number, box in enumerate(self._open):
            if box.syntax == "indent" and indent <= box.at:
                self._close(number)
                return

    def _close(self, number: int) -> None:
        while len(self._open) > number:
            box = self._open.pop()
            self._lines += [" " * box.out + line if line else line for line in box.closing]

    def _fence(self, line: str) -> None:
        opening = _OPEN_FENCE.match(line)
        assert opening is not None
        before, marks, info = opening.groups()
        in_group = any(
            normal(box.name) in {"codegroup", "codetabs", "requestexample", "responseexample"} for box in self._open
        )
        language, title = _language_and_title(info.strip(), named=in_group)
        if title and not before.strip():
            self._lines += ["", before + lead(title), ""]
        self._lines.append(f"{before}{marks}{language}")

    def _line(self, line: str) -> None:
        if not line.strip():
            self._lines.append("")
            return
        indent = _indent(line)
        if self._open and self._open[-1].has_options:
            if option := OPTION_LINE.match(line.strip()):
                del option
                return
            self._open[-1].has_options = False
        self._leave(indent)
        stripped = line.strip()
        marks = [self._marks[int(number)] for number in _MARK.findall(stripped)]
        if marks and self._is_block(stripped, marks):
            self._tags(stripped, indent)
            return
        shift = self._shift(indent)
        line = _dedented(line, shift)
        column = _indent(line)
        if column < _TAB or self._in_list or self._open:
            if self._opening(line.strip(), indent, column):
                return
        else:
            self._lines.append(_MARK.sub(lambda found: self._marks[int(found[1])].source, line))  # code
            return
        self._in_list = bool(_LIST_LINE.match(line)) or (self._in_list and column > 0)
        self._text(self._inline(line) if marks else line)

    def _is_block(self, stripped: str, marks: Sequence[Mark]) -> bool:
        if not _MARK.sub("", stripped).strip():
            return not all(mark.kind == "single" and mark.box.place == "inline" for mark in marks)
        first = _MARK.match(stripped)
        last = re.search("\ue010(\\d+)\ue011$", stripped)
        blocks = {"aside", "item", "details", "field", "box"}
        if marks[0].partner is marks[-1] and marks[0].box.place == "unknown" and first is not None and last is not None:
            return True
        opens = first is not None and not marks[0].is_markup and marks[0].box.place in blocks
        closes = (
            last is not None and not marks[-1].is_markup and marks[-1].kind == "close" and marks[-1].box.place in blocks
        )
        return opens or (closes and marks[-1].partner is not None and marks[-1].partner not in marks)

    def _tags(self, stripped: str, indent: int) -> None:
        """A line of tags, and of text between them."""
        position = 0
        for found in _MARK.finditer(stripped):
            self._between(stripped[position : found.start()], indent)
            self._tag(self._marks[int(found[1])], indent)
            position = found.end()
        self._between(stripped[position:], indent)

    def _between(self, text: str, indent: int) -> None:
        if text.strip():
            out = self._open[-1].out if self._open else indent
            self._text(" " * out + text.strip())

    def _tag(self, mark: Mark, indent: int) -> None:
        box, name = mark.box, normal(mark.box.name)
        if mark.kind in {"close", "html_close"}:
            number = next(
                (
                    n
                    for n in range(len(self._open) - 1, -1, -1)
                    if self._open[n].name == name and self._open[n].syntax == "tag"
                ),
                None,
            )
            if number is not None:
                self._close(number)
            elif mark.kind == "html_close":
                self._lines += ["", mark.source, ""]
            return
        out = indent - self._shift(indent)
        if mark.kind == "html":
            self._markup(mark, name, indent, out)
            return
        box = self._named(box)
        if box.place == "details" and any(place_of(one.name) == "field" for one in self._open):
            box = Box("item", {"title": box.title()})  # a section would part it from what it is about
        self._count(box, mark)
        self._emit(opened(box) if box.place not in {"silent", "elsewhere", "inline"} else [box.inline()], out)
        if mark.kind == "open":
            self._open.append(
                _Open(
                    name,
                    "tag",
                    indent,
                    out,
                    closed(box),
                    labels=list(box.names_of_children()),
                    by_value=box.names_by_value(),
                )
            )

    def _markup(self, mark: Mark, name: str, indent: int, out: int) -> None:
        tag = _clean_tag(mark)
        if name in _VOID_HTML or mark.source.endswith("/>") or mark.partner is None:
            self._lines.append(" " * out + tag)
            return
        self._emit(["", tag, ""], out)
        self._open.append(_Open(name, "tag", indent, out, ["", f"</{mark.box.name}>", ""]))

    def _named(self, box: Box) -> Box:
        """The box with the name that the row around it gives to it."""
        if box.place != "item" or not self._open:
            return box
        row = next((one for one in reversed(self._open) if one.labels or one.by_value), None)
        if row is None:
            return box
        label = row.labels.pop(0) if row.labels else ""
        told = row.by_value.get(box.attributes.get("value") or "") or label
        return (
            box
            if box.said("label", "title", "name", "header") or not told
            else Box(box.name, {**box.attributes, "label": told})
        )

    def _count(self, box: Box, mark: Mark) -> None:
        if box.place in {"unknown", "elsewhere"}:
            self._left_over[box.name] += 1

    def _emit(self, lines: Sequence[str], out: int) -> None:
        self._lines += [" " * out + line if line else line for line in lines]

    def _inline(self, line: str) -> str:
        """A line with what its tags show within it."""

        def shown(found: re.Match[str]) -> str:
            mark = self._marks[int(found[1])]
            if mark.is_markup:
                return _clean_tag(mark) if mark.kind == "html" else mark.source
            if mark.kind == "close":
                hint = mark.partner.box.said("tip", "headline", "content", "definition") if mark.partner else ""
                return f" ({hint})" if hint and normal(mark.box.name) in {"tooltip", "term", "abbr"} else ""
            self._count(mark.box, mark)
            if mark.box.place in {"aside", "item", "details", "field"}:
                return f"{lead(mark.box.title())} " if mark.box.title() else ""
            if mark.kind == "single":
                return mark.box.inline()
            return ""

        return _MARK.sub(shown, line)

    def _opening(self, line: str, indent: int, column: int) -> bool:
        """Whether a line opens or closes a box in words or colons, or is a setting; if so it is dealt with."""
        if (box := _OPENING_OF_BOX.match(line)) and (box[2] or box[3] is not None):
            sign, kind, title = box.groups()
            if sign.startswith("===") and not title:
                return False
            name = "tab" if sign.startswith("===") else kind or "note"
            if sign.startswith("???"):
                opened_box = Box("details", {"title": title or (kind or "note").capitalize()})
            else:
                opened_box = Box(name, {"title": title} if title else {})
            if opened_box.place == "unknown":
                opened_box = Box("admonition", {"title": title or name.replace("-", " ").capitalize()})
            if title == "":
                opened_box = Box("admonition")
            self._emit(opened(opened_box), column)
            self._open.append(_Open(name, "indent", indent, column, closed(opened_box)))
            return True
        if line.startswith(("::", "///")) and (colons := _COLONS.match(line)):
            return self._colons(colons, line, indent, column)
        if _CONTENTS.match(line) or _LABEL_LINE.match(line):
            return True
        if attribute := _ATTRIBUTE_LINE.match(line):
            self._attributes(attribute[1], column)
            return True
        if line.startswith(">") and (alert := _ALERT.match(line)):
            if _ALERT_BRACKET.match(line):
                self._left_over["include"] += 1
                return True
            title = alert[3].strip() or Box(alert[2]).title() or alert[2].replace("-", " ").capitalize()
            self._lines.append(" " * column + f"{alert[1].strip()} {lead(title)}")
            return True
        if line.startswith("[!") and _ALERT_BRACKET.match(line):
            self._left_over["include"] += 1
            return True
        if tab := _TAB_HEADING.match(line):
            self._emit(["", lead(tab[1]), ""], column)
            return True
        if note := _FOOTNOTE.match(line):
            self._emit(["", line[note.end() :]], column)
            self._open.append(_Open("footnote", "indent", indent, column, [""]))
            return True
        definition = _DEFINITION.match(line)
        return definition is not None and self._define(line[definition.end() :], column)

    def _define(self, said: str, column: int) -> bool:
        """A definition below its term, as an item of a list."""
        at = len(self._lines) - 1
        while at >= 0 and not self._lines[at].strip() and at > len(self._lines) - 3:
            at -= 1
        term = self._lines[at] if at >= 0 else ""
        if term.startswith((" " * column + "- **", " " * (column + 2))):
            self._lines.append(" " * (column + 2) + said)
            return True
        above = self._lines[at - 1] if at > 0 else ""
        if (
            not term.strip()
            or (above.strip() and not above.lstrip().startswith(("- **", "  ")))
            or re.match(r"\s*(?:[#>|]|[-*+] |\d+\.|```|<)", term)
        ):
            return False
        self._lines[at:] = [" " * column + f"- **{term.strip()}**: {said}"]
        self._in_list = True
        return True

    def _colons(self, found: re.Match[str], line: str, indent: int, column: int) -> bool:
        signs, directive, word, label, rest, settings = found.groups()
        name = directive or word or ""
        if not name:
            if len(signs) < 3 and not any(box.syntax == "colons" and box.colons == 2 for box in self._open):
                return False
            number = next((n for n in range(len(self._open) - 1, -1, -1) if self._open[n].syntax == "colons"
                           and self._open[n].colons <= len(signs)), None)  # fmt: skip
            number = number if number is not None else next(
                (n for n in range(len(self._open) - 1, -1, -1) if self._open[n].syntax == "colons"), None)  # fmt: skip
            if number is not None:
                self._close(number)
            else:
                self._lines.append("")
            return True
        if len(signs) == 2 and not (label or settings or not (rest or "").strip()):
            return False
        if name.endswith("-end") or (name == "end" and not rest):
            self._lines.append("")
            return True
        attributes, _ = arguments(settings or "")
        options, _ = arguments(rest or "") if "=" in (rest or "") else ({}, [])
        title = (label or ("" if options else rest) or "").strip()
        box = Box(name, {**options, **attributes}, title)
        if box.place == "box":
            box.words = ""
        if box.place == "unknown" and not title and not box.attributes and line.endswith(":::") and line.count(":") > 3:
            return True
        if line.rstrip().endswith(":::") and line != signs:
            if box.place in {"unknown", "elsewhere"} or name == "code":
                self._left_over[name] += 1
            return True
        if box.place == "unknown" and name not in {"lang", "raw"}:
            self._left_over[name] += 1
        self._emit(opened(box) if box.place != "silent" else [""], column)
        self._open.append(
            _Open(normal(name), "colons", indent, column, closed(box), colons=len(signs), has_options=True)
        )
        return True

    def _attributes(self, said: str, column: int) -> None:
        """kramdown's settings of a block: `{: .note }` is an admonition to the themes that know it."""
        if (
            re.search(r"\btoc\b", said)
            and self._lines
            and re.fullmatch(r"\s*(?:[-*+]|\d+\.)\s+[\w ]{1,40}", self._lines[-1])
        ):
            self._lines.pop()
            return
        classes = re.findall(r"\.([\w-]+)", said)
        kind = next((name for name in classes if place_of(name) == "aside"), "")
        if kind and not (self._lines and self._lines[-1].strip()):
            self._lines.append(" " * column + lead(Box(kind).title()))

    def _text(self, line: str) -> None:
        if len(line) > _MAX_INDENT:
            line = _TOO_DEEP.sub(r"\1", line) if line[:1] in " >-*+" else line
            line = " " * _MAX_INDENT + line.lstrip(" \t") if _indent(line) > _MAX_INDENT else line
        line = _ATTRIBUTE_OF_LINK.sub("", line) if "){" in line else line
        if "{:" in line and not ("#" in line and line.lstrip().startswith("#") and re.search(r"\{:?[^}]*#", line)):
            line = _ATTRIBUTE_END.sub("", line)
        if "==" in line:
            line = _HIGHLIGHT.sub(r"\1", line)
        if " ^" in line:
            line = _BLOCK_ID.sub("", line)
        self._lines.append(line)


def _indent(line: str) -> int:
    head = line[: len(line) - len(line.lstrip(" \t"))]
    return len(head.expandtabs(_TAB))


def _dedented(line: str, columns: int) -> str:
    if not columns:
        return line
    indent = _indent(line)
    return " " * max(0, indent - columns) + line.lstrip(" \t")


def _closes(line: str, fence: str) -> bool:
    said = line.strip(" \t>")
    return len(said) >= len(fence) and not said.strip(fence[0])


def _language_and_title(info: str, *, named: bool) -> tuple[str, str]:
    """What a fence says behind its signs. In a group of them (`named`) the words after the language name the tab."""
    if not info:
        return "", ""
    directive = DIRECTIVE.match(info)
    if directive and not directive[1].startswith((".", "#")):
        titled = _FENCE_TITLE.search(directive[2])
        language = directive[1] if directive[1] in {"mermaid", "math"} else directive[2].split(" ")[0]
        title = next(part for part in titled.groups() if part is not None) if titled else ""
        return "" if "=" in language else language, title
    if info.startswith("{"):
        language = re.search(r"\.([\w+#-]+)", info)
        return language[1] if language else "", ""
    first = re.match(r"[^\s{\[:=]+", info)
    language = first[0] if first and "=" not in info.split(" ")[0] else ""
    rest = info[len(language) :]
    title = _FENCE_TITLE.search(rest)
    if title:
        return language, next(part for part in title.groups() if part is not None)
    bracketed = re.match(r"\s*\[([^\]]+)\]", rest)
    if bracketed:
        return language, bracketed[1]
    said = " ".join(_FENCE_NOISE.sub(" ", rest).split())
    return language, said if named else ""


def _clean_tag(mark: Mark) -> str:
    """A tag of HTML that says nothing but what HTML knows."""
    kept = [
        f'{_ATTRIBUTES.get(name, name)}="{value.replace(chr(34), "&quot;")}"'
        for name, value in mark.box.attributes.items()
        if value is not None and re.fullmatch(r"[A-Za-z][\w:-]*", name) and not re.match(r"on[A-Z]|style$|mark", name)
        and not value.startswith(("{", "["))
    ]  # fmt: skip
    alone = " /" if mark.source.endswith("/>") else ""
    return f"<{' '.join([mark.box.name, *kept])}{alone}>"
