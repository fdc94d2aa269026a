"""reStructuredText, as Sphinx serves the sources of its pages, as Markdown; and its directives within Markdown.

What a reader of the made page would see stays: names of tabs and notes, code as code, tables, definitions. What another
file holds, or only a build would know (`|release|`, `automodule`), is left as it is or out, and counted by the caller's
counter. Nothing is looked up or run.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from acronis_pipeline.content.components import Box, lead, normal
from acronis_pipeline.content.markdown import lines_with_fences

_MAX_DEPTH = 12
_SURE = re.compile(
    r"^[ \t]*\.\.[ \t]+(?:[\w:+.-]+::(?:[ \t]|$)|_[^\n:]{1,100}:|\|[^|\n]{1,60}\|[ \t]+\w+::)"
    r"|:(?:ref|doc|term|class|func|meth|mod|file|guilabel|menuselection|option|envvar|program|kbd|command):`[^`\n]+`",
    re.MULTILINE,
)
_DIRECTIVE = re.compile(r"^\.\.[ \t]+([A-Za-z][\w:+.-]*)::(?:[ \t]+(.*))?$")
_LEFT_IN_MARKDOWN = re.compile(r"^[ \t]*\.\.[ \t]+[A-Za-z][\w:+.-]*::", re.MULTILINE)
_SUBSTITUTION = re.compile(r"^[ \t]*\.\.[ \t]+\|([^|\n]{1,60})\|[ \t]+(\w+)::[ \t]*(.*)$", re.MULTILINE)
_TARGET = re.compile(r"^\.\.[ \t]+_(?:`[^`]*`|[^:]*):(?:[ \t]|$)|^__[ \t]")
_FOOTNOTE = re.compile(r"^\.\.[ \t]+\[[^\]]{1,60}\](?:[ \t]+(.*))?$")
_OPTION = re.compile(r"^:([\w -]+):(?:[ \t]+(.*))?$")
_FIELD = re.compile(r"^:([A-Za-z][^:`\n]{0,60}):(?:[ \t]+(.*))?$")
_ADORNMENT = re.compile(r"^([!-/:-@\[-`{-~])\1{2,}$")
_BULLET = re.compile(r"^([-*+•]|\d{1,4}[.)]|\(\d{1,4}\)|#\.|[a-zA-Z][.)])([ \t]+)(?=\S)")
_SIMPLE_BORDER = re.compile(r"^=+(?: +=+)+$")
_GRID_BORDER = re.compile(r"^\+(?:[-=]+\+)+$")
_CODE = re.compile(r"``(.+?)``(?!`)", re.DOTALL)
_LINK = re.compile(r"`([^`<>]{1,300}?)\s*<([^`<>\s]{1,1000})>`__?")
_REFERENCE = re.compile(r"(?<![`\w:}])`([^`]{1,300})`__?(?!\w)")
_WORD_REFERENCE = re.compile(r"(?<![\w`/.])([A-Za-z][\w.-]{0,60}?)__?(?![\w`])")
_FOOTNOTE_MARK = re.compile(r"[ \t]*\[(?:\d{1,4}|#[\w-]*|\*|[A-Z][\w-]{0,30})\]_(?!\w)")
_NAME = re.compile(r"\|([A-Za-z][^|\n]{0,60})\|_{0,2}")
_CODE_DIRECTIVES = frozenset(
    "code codeblock sourcecode parsedliteral prompt ipython doctest testcode console codetab literal".split()
)
_WITHOUT_WORDS = frozenset(
    "toctree contents index image raw highlight meta currentmodule default-role role title sectnum bibliography "
    "tabularcolumns sectionauthor codeauthor youtube video graphviz mermaid plantuml uml include-before target-notes "
    "inheritance-diagram autosummary digraph graph".split()
)
_NOTHING_BUT_BODY = frozenset(
    "only ifconfig container compound figure table hlist centered glossary tabs tab-set tabset grid card-carousel "
    "rst-class cssclass class productionlist highlights pull-quote epigraph div".split()
)
_PAGE_SETTINGS = frozenset({"orphan", "tocdepth", "nocomments", "nosearch", "hide-toc", "og:description"})
_DOCUMENTED = re.compile(r"(?:\w+:)?(?:function|method|class|attribute|data|module|exception|option|envvar|confval"
                         r"|describe|object|staticmethod|classmethod|decorator|property|macro|type|member|setting|program|cmdoption"
                         r"|http:\w+|get|post|put|delete|patch|variable|rst:directive|directive)$")  # fmt: skip
_VERSIONS = frozenset({"versionadded", "versionchanged", "deprecated", "versionremoved"})


def is_restructured(text: str) -> bool:
    """Whether a text says so itself, by a directive, a target or a role of Sphinx."""
    return _SURE.search(text[:200_000]) is not None


def to_markdown(text: str, left_over: Counter[str]) -> str:
    """A page as Markdown; what it leaves out or open is counted."""
    lines = [line.expandtabs() for line in text.split("\n")]
    return "\n".join(_Page(text, left_over).converted(lines, 0))


def without_directives(markdown: str, left_over: Counter[str]) -> str:
    """Markdown whose directives of reStructuredText, if there are any, are rewritten; its code is left alone."""
    if not _LEFT_IN_MARKDOWN.search(markdown):
        return markdown
    page = _Page(markdown, left_over)
    lines = list(lines_with_fences(markdown))
    out: list[str] = []
    index = 0
    while index < len(lines):
        line, in_fence = lines[index]
        indent = len(line) - len(line.lstrip())
        if in_fence or not _DIRECTIVE.match(line.strip()):
            out.append(line)
            index += 1
            continue
        end = index + 1
        while end < len(lines) and (not lines[end][0].strip() or _indent(lines[end][0]) > indent):
            end += 1
        block = [text[indent:] if text.strip() else "" for text, _ in lines[index:end]]
        out += [" " * indent + text if text else "" for text in ["", *page.directive(block, 0, inline=False), ""]]
        index = end
    return "\n".join(out)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


class _Page:
    def __init__(self, text: str, left_over: Counter[str]) -> None:
        self._left_over = left_over
        self._levels: list[str] = []
        self._names = {
            name.lower(): value for name, kind, value in _SUBSTITUTION.findall(text) if kind in {"replace", "unicode"}
        }

    def converted(self, lines: Sequence[str], depth: int, *, inline: bool = True) -> list[str]:
        out: list[str] = []
        index = 0
        while index < len(lines):
            end, block = self._next(lines, index, depth, inline)
            out += block
            index = max(end, index + 1)
        return out

    def _next(self, lines: Sequence[str], index: int, depth: int, inline: bool) -> tuple[int, list[str]]:
        """The block that begins at a line, as Markdown, and where the next one begins."""
        line = lines[index]
        if not line.strip():
            return index + 1, [""]
        if line.startswith(" "):
            end = self._end_of_body(lines, index, 0)
            return end, ["", *self._deeper(_dedented(lines[index:end]), depth, inline), ""]
        if line.startswith("..") and (line == ".." or line.startswith(".. ")):
            end = self._end_of_body(lines, index + 1, 0)
            return end, self.directive(lines[index:end], depth, inline=inline)
        if _TARGET.match(line):
            return index + 1, []
        if heading := self._heading(lines, index):
            return heading
        if _GRID_BORDER.match(line) or _SIMPLE_BORDER.match(line):
            end = self._end_of_table(lines, index)
            return end, ["", *self._table(lines[index:end]), ""]
        if line.startswith(">>> "):
            end = next((n for n in range(index, len(lines)) if not lines[n].strip()), len(lines))
            return end, ["", "```python", *lines[index:end], "```", ""]
        if found := _BULLET.match(line):
            return self._item(lines, index, found, depth, inline)
        if found := _FIELD.match(line):
            end = self._end_of_body(lines, index + 1, 0)
            if found[1] in _PAGE_SETTINGS or not any(text.strip() for text in lines[:index] if not _FIELD.match(text)):
                return end, []
            said = " ".join(text.strip() for text in [found[2] or "", *lines[index + 1 : end]] if text.strip())
            return end, [f"- **{found[1]}**: {self._inline(said, inline)}"]
        if line.startswith("| "):
            end = index
            while end < len(lines) and lines[end].startswith("|"):
                end += 1
            return end, ["", *(f"{self._inline(text[1:].strip(), inline)}\\" for text in lines[index : end - 1]),
                         self._inline(lines[end - 1][1:].strip(), inline), ""]  # fmt: skip
        return self._paragraph(lines, index, depth, inline)

    def _deeper(self, lines: Sequence[str], depth: int, inline: bool) -> list[str]:
        if depth >= _MAX_DEPTH:
            return [line.strip() for line in lines]
        return self.converted(lines, depth + 1, inline=inline)

    def _end_of_body(self, lines: Sequence[str], start: int, indent: int) -> int:
        end = last = start
        while end < len(lines) and (not lines[end].strip() or _indent(lines[end]) > indent):
            end += 1
            last = end if lines[end - 1].strip() else last
        return last

    def _heading(self, lines: Sequence[str], index: int) -> tuple[int, list[str]] | None:
        line = lines[index].rstrip()
        over = _ADORNMENT.match(line)
        if over and index + 2 < len(lines) and lines[index + 2].rstrip() == line and lines[index + 1].strip():
            title, style, end = lines[index + 1].strip(), line[0] * 2, index + 3
        elif over:
            return index + 1, [""]  # a transition
        elif index + 1 < len(lines) and _ADORNMENT.match(lines[index + 1].rstrip()):
            under = lines[index + 1].rstrip()
            if len(under) < min(len(line), 4) or len(line) > 200:
                return None
            title, style, end = line.strip(), under[0], index + 2
        else:
            return None
        if style not in self._levels:
            self._levels.append(style)
        return end, ["", f"{'#' * min(6, self._levels.index(style) + 1)} {self._inline(title, True)}", ""]

    def _item(
        self, lines: Sequence[str], index: int, found: re.Match[str], depth: int, inline: bool
    ) -> tuple[int, list[str]]:
        end = self._end_of_body(lines, index + 1, 0)
        width = len(found[0])
        marker = found[1] if found[1][0] in "-*+" or found[1][0].isdigit() else "-" if found[1][0] == "•" else "1."
        body = [lines[index][width:], *(line[min(width, _indent(line)) :] for line in lines[index + 1 : end])]
        inner = self._deeper(body, depth, inline)
        while inner and not inner[0].strip():
            del inner[0]
        first, *others = inner or [""]
        pad = " " * (len(marker) + 1)
        return end, [f"{marker} {first}", *(pad + line if line.strip() else "" for line in others)]

    def _paragraph(self, lines: Sequence[str], index: int, depth: int, inline: bool) -> tuple[int, list[str]]:
        if (
            index + 1 < len(lines)
            and lines[index + 1].strip()
            and _indent(lines[index + 1]) > 0
            and len(lines[index]) < 200
        ):
            end = self._end_of_body(lines, index + 1, 0)
            term = self._inline(lines[index].split(" : ")[0].strip(), inline)
            body = self._deeper(_dedented(lines[index + 1 : end]), depth, inline)
            while body and not body[0].strip():
                del body[0]
            first, *others = body or [""]
            if re.match(r"[-*+>#|`]|\d+\.", first):
                return end, [f"- **{term}**:", "", *("  " + line if line else "" for line in body)]
            return end, [f"- **{term}**: {first}", *("  " + line if line else "" for line in others)]
        end = index
        while end < len(lines) and lines[end].strip() and (end == index or not lines[end].startswith(".. ")):
            end += 1
        text = "\n".join(line.strip() for line in lines[index:end])
        if not text.endswith("::"):
            return end, [*self._inline(text, inline).split("\n")]
        following = end
        while following < len(lines) and not lines[following].strip():
            following += 1
        last = self._end_of_body(lines, following, 0)
        said = text[:-2].rstrip() + ("" if text[:-2].endswith((" ", "\n", ":")) or not text[:-2] else ":")
        block = _dedented(lines[following:last]) if last > following else []
        fence = ["", *_fenced("", block), ""] if block else []
        return max(last, end), [*self._inline(said, inline).split("\n"), *fence]

    def directive(self, lines: Sequence[str], depth: int, *, inline: bool) -> list[str]:
        """A directive, a note or a comment, whose first line begins with two dots, with the lines that belong to it."""
        found = _DIRECTIVE.match(lines[0].rstrip())
        body = _dedented(lines[1:])
        if found is None:
            if note := _FOOTNOTE.match(lines[0]):
                return ["", *self._deeper([note[1] or "", *body], depth, inline), ""]
            return []
        name, argument = found[1], (found[2] or "").strip()
        options: dict[str, str] = {}
        while body and (option := _OPTION.match(body[0].strip())):
            options[option[1]] = (option[2] or "").strip()
            del body[0]
        while body and not body[0].strip():
            del body[0]
        return self._made(name, argument, options, body, depth, inline)

    def _made(
        self, name: str, argument: str, options: dict[str, str], body: list[str], depth: int, inline: bool
    ) -> list[str]:
        kind = normal(name)
        if kind in _CODE_DIRECTIVES:
            language, _, rest = argument.partition(" ")
            title = options.get("caption", "") or options.get("name", "" if kind != "codetab" else rest)
            if kind == "codetab":
                title = rest or language
            return ["", lead(title), "", *_fenced(language if kind != "parsedliteral" else "", body), ""]
        if name in _WITHOUT_WORDS:
            return [""]
        if kind in {"include", "literalinclude"} or kind.startswith("auto"):
            self._left_over[name] += 1
            return [""]
        if kind == "math":
            return ["", "$$", *([argument] if argument else []), *body, "$$", ""]
        if kind in {"csvtable", "listtable"}:
            rows = _csv(options.get("header", ""), body) if kind == "csvtable" else _listed(body)
            return ["", *([lead(argument), ""] if argument else []), *self._piped(rows), ""]
        inner = self._deeper(body, depth, inline)
        if name in _NOTHING_BUT_BODY:
            return ["", *([argument, ""] if name in {"centered", "table"} and argument else []), *inner, ""]
        if _DOCUMENTED.match(name):
            return ["", f"**`{argument.replace('`', '')}`:**", "", *inner, ""] if argument else ["", *inner, ""]
        box = Box(name, dict(options), "")
        if kind in _VERSIONS:
            version, _, rest = argument.partition(" ")
            inner = [self._inline(rest, inline), *inner]
            box.words = version
        elif box.place == "aside" and kind not in {"admonition", "topic", "sidebar", "rubric"}:
            inner = [*([self._inline(argument, inline)] if argument else []), *inner]
        else:
            box.words = self._inline(argument, inline)
        if box.place == "unknown":
            self._left_over[name] += 1
        return ["", lead(box.title() or box.words), "", *inner, ""]

    def _end_of_table(self, lines: Sequence[str], start: int) -> int:
        grid = lines[start].startswith("+")
        end = start + 1
        borders = 1
        while end < len(lines):
            line = lines[end].rstrip()
            if grid and not line.startswith(("+", "|")):
                break
            if not grid and _SIMPLE_BORDER.match(line):
                borders += 1
                if end + 1 >= len(lines) or not lines[end + 1].strip():
                    return end + 1
            if not grid and not line and borders >= 3:
                break
            end += 1
        return end

    def _table(self, lines: Sequence[str]) -> list[str]:
        rows = _grid(lines) if lines[0].startswith("+") else _simple(lines)
        return self._piped(rows) if rows else _fenced("", lines)

    def _piped(self, rows: Sequence[Sequence[str]]) -> list[str]:
        if not rows:
            return []
        width = max(map(len, rows))
        lines = [
            "| " + " | ".join(self._inline(" ".join(cell.split()), True).replace("|", "\\|") for cell in row)
            + " |" * (1 + width - len(row))
            for row in rows
        ]  # fmt: skip
        return [lines[0], "|" + " --- |" * width, *lines[1:]]

    def _inline(self, text: str, wanted: bool) -> str:
        """Inline markup as Markdown; `<` is no markup here."""
        if not wanted or not text:
            return text
        pieces = _CODE.split(text)
        for index in range(0, len(pieces), 2):
            pieces[index] = self._plain(pieces[index])
        for index in range(1, len(pieces), 2):
            code = " ".join(pieces[index].split())
            pieces[index] = f"`` {code} ``" if "`" in code else f"`{code}`"
        return "".join(pieces)

    def _plain(self, text: str) -> str:
        text = _LINK.sub(r"[\1](\2)", text)
        text = _FOOTNOTE_MARK.sub("", text)
        text = _REFERENCE.sub(lambda found: found[1] if found[0].endswith("_") else found[0], text)
        text = _WORD_REFERENCE.sub(r"\1", text) if "_" in text else text
        text = _NAME.sub(self._named, text) if "|" in text else text
        parts = re.split(r"(:[a-zA-Z][\w:+.-]*:`[^`]*`|`[^`]*`)", text.replace("\\ ", ""))
        parts[::2] = [re.sub(r"<(?=[A-Za-z/!?])", "&lt;", part) for part in parts[::2]]
        return "".join(parts)

    def _named(self, found: re.Match[str]) -> str:
        known = self._names.get(found[1].lower())
        if known is not None:
            return known.strip()
        self._left_over["substitution"] += 1
        return found[0]


def _dedented(lines: Sequence[str]) -> list[str]:
    indent = min((_indent(line) for line in lines if line.strip()), default=0)
    found = [line[indent:].rstrip() if line.strip() else "" for line in lines]
    while found and not found[-1]:
        del found[-1]
    return found


def _fenced(language: str, lines: Sequence[str]) -> list[str]:
    ticks = "```"
    while any(line.strip().startswith(ticks) for line in lines):
        ticks += "`"
    return [f"{ticks}{re.sub(r'[^A-Za-z0-9_+#-]', '', language)}", *lines, ticks]


def _csv(header: str, body: Sequence[str]) -> list[list[str]]:
    return list(csv.reader([*([header] if header else []), *(line for line in body if line)], skipinitialspace=True))


def _listed(body: Sequence[str]) -> list[list[str]]:
    """Rows of a `list-table`: a list of lists."""
    rows: list[list[str]] = []
    for line in body:
        row = re.match(r"[*-][ \t]+[*-](?:[ \t]+(.*))?$", line)
        cell = re.match(r"[ \t]+[*-](?:[ \t]+(.*))?$", line)
        if row:
            rows.append([row[1] or ""])
        elif cell and rows and _indent(line) <= 4:
            rows[-1].append(cell[1] or "")
        elif rows and line.strip():
            rows[-1][-1] += f" {line.strip()}"
    return rows


def _grid(lines: Sequence[str]) -> list[list[str]]:
    """Rows of a grid table; none if cells are merged, which a reader sees better as it was drawn."""
    columns = [at for at, sign in enumerate(lines[0]) if sign == "+"]
    rows: list[list[str]] = []
    cells = [""] * (len(columns) - 1)
    for line in lines[1:]:
        line = line.rstrip()
        if _GRID_BORDER.match(line):
            if [at for at, sign in enumerate(line) if sign == "+"] != columns:
                return []
            rows.append([cell.strip() for cell in cells])
            cells = [""] * (len(columns) - 1)
        elif len(line) <= columns[-1] or any(line[at] != "|" for at in columns):
            return []
        else:
            cells = [
                f"{cell} {line[a + 1 : b].strip()}" for cell, a, b in zip(cells, columns, columns[1:], strict=False)
            ]
    return rows


def _simple(lines: Sequence[str]) -> list[list[str]]:
    """Rows of a table whose columns are underlined by `=`; a row without a first cell goes on from the one above."""
    spans = [found.span() for found in re.finditer(r"=+", lines[0])]
    rows: list[list[str]] = []
    for line in _rows(lines):
        cells = [line[a : (spans[n + 1][0] if n + 1 < len(spans) else None)].strip() for n, (a, _) in enumerate(spans)]
        if rows and not cells[0]:
            rows[-1] = [f"{above} {cell}".strip() for above, cell in zip(rows[-1], cells, strict=True)]
        else:
            rows.append(cells)
    return rows


def _rows(lines: Sequence[str]) -> Iterator[str]:
    return (line for line in lines if line.strip() and not _SIMPLE_BORDER.match(line.rstrip()) and line.strip("- "))
