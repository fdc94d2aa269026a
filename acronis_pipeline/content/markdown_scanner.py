"""What is no text in a page of Markdown: tags, template tags, comments, modules and expressions, wherever they stand.

`Scanner.scan` takes them out, or leaves a mark in their place where they say something of lines around them; code it
leaves alone. What does not end is text, and after many such the others are not looked at: so time stays linear.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from acronis_pipeline.content import jsx
from acronis_pipeline.content.components import Box, normal, place_of

_MAX_FAILURES = 50
"""So many brackets, tags and comments of a page that do not end, and the others are not looked at: they are text."""
_MAX_DEPTH = 8
LIST_MARKER = r"(?:[-*+][ \t]+|\d{1,9}[.)][ \t]+)"
_CONSTRUCT = re.compile(
    rf"""(?P<fence>^[ \t>]*{LIST_MARKER}*(?P<marks>`{{3,}}|~{{3,}})(?P<info>[^\n]*)$)"""
    r"""|(?P<role>(?::[a-zA-Z][\w:+.-]{0,40}:|\{[a-zA-Z][\w:+.-]{0,40}\})`[^`\n]{1,500}`)"""
    r"""|(?P<ticks>`+)|(?P<escaped>\\[^\n])"""
    r"""|(?P<module>^(?:import|export)\b(?=[ \t]*[\w{*'"]))"""
    r"""|(?P<comment><!--|\{/\*|\{\{[<%]?/\*|\{\#[ \t]|^[ \t]*%%)"""
    r"""|(?P<verbatim><(?:pre|script|style|svg|textarea)\b|\{%-?[ \t]*(?:raw|comment|highlight|codeblock|schema)\b"""
    r"""|\{\{[<%][ \t]*(?:highlight|comment)\b)"""
    r"""|(?P<template>\{\{[<%]|\{%|\{\{)|(?P<tag><(?P<slash>/?)(?P<name>[A-Za-z][\w.:-]*)?(?=[\s/>{]))"""
    r"""|(?P<math>\$\$)|(?P<brace>\{)|(?P<wiki>!?\[\[)|(?P<note>\[\^[^\]\s]{1,80}\](?!:))""",
    re.MULTILINE,
)
_CLOSERS = {"<!--": "-->", "{/*": "*/}", "{{/*": "*/}}", "{{</*": "*/>}}", "{{%/*": "*/%}}", "{#": "#}", "%%": "%%"}
_TEMPLATE_ENDS = {"{{<": ">}}", "{{%": "%}}", "{%": "%}", "{{": "}}"}
_MAX_TEMPLATE_CHARS, _MAX_COMMENT_CHARS = 2_000, 50_000
_NAMED = re.compile(r"""([\w.:-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|`([^`]*)`|([^\s"'`]+))|"([^"]*)"|'([^']*)'|(\S+)""")
_MODULE = re.compile(
    r"""import\s+(?:(?:type\s+)?(?:[^'"\n;]|\n(?!\s*\n)){0,2000}?\sfrom\s*)?['"][^'"\n]{1,500}['"][^\n]*"""
)
_EXPORT = re.compile(r"export\s+(?:(?:const|let|var)\s+([\w$]+)(?:\s*:[^=\n]{1,200})?\s*=|default\b|async\b|function\b"
                     r"|class\b|type\b|interface\b|enum\b|\*|\{)")  # fmt: skip
_CODE_ROLES = re.compile(r"code|literal|command|file|kbd|option|program|envvar|samp|func|meth|class|mod|attr|data|exc"
                         r"|obj|const|confval|py|c|cpp|js|envvar|setting|makevar|mimetype")  # fmt: skip
_CODE_DIRECTIVES = frozenset(
    "code code-block code-cell sourcecode parsed-literal prompt ipython doctest testcode mermaid graphviz csv-table "
    "math eval-rst jsonschema".split()
)
_MARKDOWN_INSIDE = frozenset({"markdown", "md_in_html"})
OPTION_LINE = re.compile(r"^:([\w-]+):(?:[ \t]+(.*))?$")
DIRECTIVE = re.compile(r"^\{([\w:-]+)\}[ \t]*(.*)$")


@dataclass
class Mark:
    """What a mark in the text stands for."""

    kind: Literal["open", "close", "single", "html", "html_close", "expression", "literal"]
    box: Box
    source: str = ""
    partner: "Mark | None" = None

    @property
    def is_markup(self) -> bool:
        return self.kind in {"html", "html_close"}


Piece = str | Mark


class Scanner:
    """Finds what is no text. `boxes` are what the marks in the scanned text stand for, by number."""

    def __init__(self, variables: dict[str, Any]) -> None:
        self.boxes: list[Mark] = []
        self.left_over: Counter[str] = Counter()
        self._known: dict[str, Any] = {**variables, **dict.fromkeys(("frontMatter", "frontmatter", "page"), variables)}
        self._failures = 0
        self.is_mdx = False
        self._never: set[str] = set()

    def scan(self, text: str) -> str:
        pieces = list(self._pieces(text, 0))
        self._pair([piece for piece in pieces if isinstance(piece, Mark)])
        self.is_mdx = self.is_mdx or any(
            isinstance(piece, Mark)
            and piece.source.startswith("<")
            and piece.kind in {"open", "close", "single"}
            and (piece.kind == "single" or piece.partner is not None)
            for piece in pieces
        )
        return "".join(self._placed(piece) for piece in pieces)

    def _placed(self, piece: Piece) -> str:
        if isinstance(piece, str):
            return piece
        if piece.kind == "literal":
            return piece.source
        if piece.kind == "expression":  # : a component's page resolves it, any other shows it
            return self._resolved(piece) if self.is_mdx else piece.source
        opening = piece.partner if piece.kind == "html_close" and piece.partner else piece
        if piece.is_markup and not self.is_mdx and not _MARKDOWN_INSIDE & set(opening.box.attributes):
            return piece.source
        self.boxes.append(piece)
        return f"\ue010{len(self.boxes) - 1}\ue011"

    def _resolved(self, piece: Mark) -> str:
        expression = piece.source[1:-1]
        said = jsx.string(expression)
        if said is None:
            said = jsx.looked_up(expression, self._known)
        if said is not None:
            return said
        if not expression.strip() or expression.strip().startswith(("/*", "//")):
            return ""
        self.left_over["expression"] += 1
        return piece.source if jsx.is_name(expression) else ""

    def _pair(self, marks: Sequence[Mark]) -> None:
        """Tell each closing tag what it closes; a component that nothing closes and nobody knows is a placeholder."""
        waiting: dict[str, list[Mark]] = {}
        for mark in marks:
            name = normal(mark.box.name)
            if mark.kind in {"open", "html"}:
                waiting.setdefault(name, []).append(mark)
            elif mark.kind in {"close", "html_close"} and waiting.get(name):
                mark.partner = waiting[name].pop()
                mark.partner.partner = mark
        for mark in marks:
            if mark.kind == "open" and mark.partner is None:
                jsx_tag = mark.source.startswith("<")
                if jsx_tag and mark.box.place == "unknown" and not mark.box.attributes:
                    mark.kind = "literal"
                    mark.source = mark.source.replace("<", "&lt;")
                elif not jsx_tag or mark.box.place not in {"box", "item", "aside", "details", "field"}:
                    mark.kind = "single"

    def _pieces(self, text: str, depth: int) -> Iterator[Piece]:
        position = 0
        while found := _CONSTRUCT.search(text, position):
            yield text[position : found.start()]
            kind = str(found.lastgroup) if found.lastgroup not in {"marks", "info", "slash", "name"} else (
                "fence" if found["fence"] is not None else "tag"
            )  # fmt: skip
            read = getattr(self, f"_{kind}")(text, found, depth) if self._failures < _MAX_FAILURES or kind in {
                "fence", "ticks", "escaped", "note", "role"} else None  # fmt: skip
            if read is None:
                yield found[0]
                position = found.end()
            else:
                position, pieces = read
                yield from pieces
        yield text[position:]

    def _failed(self) -> None:
        self._failures += 1

    def _end(self, text: str, closer: str, start: int, within: int) -> int | None:
        """Where `closer` ends that comes first after `start`; what was not found once is not looked for again."""
        if closer in self._never:
            return None
        at = text.find(closer, start, start + within)
        if at < 0:
            self._failed()
            if start + within >= len(text):
                self._never.add(closer)
            return None
        return at + len(closer)

    def _fence(self, text: str, found: re.Match[str], depth: int) -> tuple[int, list[Piece]] | None:
        marks, info = found["marks"], found["info"].strip()
        if marks[0] == "`" and "`" in info:
            return None
        closing = re.compile(rf"^[ \t>]*{re.escape(marks)}{marks[0]}*[ \t]*$", re.MULTILINE)
        close = closing.search(text, found.end())
        end, body_end = (close.end(), close.start()) if close else (len(text), len(text))
        directive = DIRECTIVE.match(info)
        name = directive[1] if directive and not directive[1].startswith((".", "#")) else ""
        if not directive or not name or depth >= _MAX_DEPTH:
            return end, [text[found.start() : end]]
        if normal(name) in {normal(code) for code in _CODE_DIRECTIVES}:
            return end, [self._code(text, found, body_end, end)]
        box = Box(name, _options(text[found.end() : body_end]), directive[2].strip())
        if box.place in {"silent", "elsewhere"}:
            return end, [Mark("single", box)]
        opening, closing_mark = Mark("open", box), Mark("close", box)
        body = text[found.end() : body_end].split("\n")
        while len(body) > 1 and (OPTION_LINE.match(body[1].strip()) or not body[1].strip()):
            del body[1]
        return end, ["\n", opening, *self._pieces("\n".join(body), depth + 1), "\n", closing_mark]

    def _code(self, text: str, found: re.Match[str], body_end: int, end: int) -> str:
        """A directive that shows code, its settings read."""
        first, *lines = text[found.start() : body_end].split("\n")
        caption = ""
        while lines and (option := OPTION_LINE.match(lines[0].strip())):
            caption = option[2] or "" if option[1] in {"caption", "filename"} else caption
            del lines[0]
        named = f' title="{caption}"' if caption and '"' not in caption else ""
        return "\n".join([first + named, *lines]) + text[body_end:end]

    def _role(self, text: str, found: re.Match[str], depth: int) -> tuple[int, list[Piece]]:
        role, said = re.match(r"[:{](.*?)[:}]`(.*)`$", found[0], re.DOTALL).groups()  # pyright: ignore[reportOptionalMemberAccess]
        shown = re.sub(r"\s*<[^<>]*>$", "", said) if re.search(r"\S\s*<[^<>]*>$", said) else said
        shown = shown.lstrip("!") if not shown.startswith("~") else shown.rsplit(".", 1)[-1].lstrip("~")
        is_code = any(_CODE_ROLES.fullmatch(part) for part in role.split(":")) or role == "doc-literal"
        return found.end(), [f"`{shown}`" if is_code and shown == shown.strip() else shown]

    def _ticks(self, text: str, found: re.Match[str], depth: int) -> tuple[int, list[Piece]] | None:
        ticks = found[0]
        if f"{ticks}." in self._never:
            return None
        stop = text.find("\n\n", found.end())
        stop = stop if stop >= 0 else len(text)
        close = re.compile(rf"(?<!`){ticks}(?!`)").search(
            text, found.end(), min(stop, found.end() + _MAX_TEMPLATE_CHARS)
        )
        if close is None:
            if len(ticks) > 3:
                self._never.add(f"{ticks}.")
            return None
        return close.end(), [text[found.start() : close.end()]]

    def _escaped(self, text: str, found: re.Match[str], depth: int) -> None:
        return None

    def _note(self, text: str, found: re.Match[str], depth: int) -> tuple[int, list[Piece]]:
        return found.end(), []

    def _module(self, text: str, found: re.Match[str], depth: int) -> tuple[int, list[Piece]] | None:
        before = text[max(0, found.start() - 400) : found.start()].rstrip(" \t")
        if depth or not (not before.strip() or before.endswith("\n\n") or self._after_module(found.start())):
            return None
        if module := _MODULE.match(text, found.start()):
            end = module.end()
        elif export := _EXPORT.match(text, found.start()):
            end = jsx.end_of_statement(text, found.start())
            if end is None:
                self._failed()
                blank = text.find("\n\n", found.start())
                end = blank if blank >= 0 else len(text)
            elif export[1]:
                value = jsx.literal(text[export.end() : end])
                if value is not None:
                    self._known[export[1]] = value
        else:
            return None
        self.is_mdx = True
        self._module_end = end
        return end, []

    _module_end = -1

    def _after_module(self, start: int) -> bool:
        return 0 <= start - self._module_end <= 1

    def _comment(self, text: str, found: re.Match[str], depth: int) -> tuple[int, list[Piece]] | None:
        opening = found[0].strip()
        end = self._end(text, _CLOSERS[opening], found.end(), _MAX_COMMENT_CHARS)
        if end is None:
            return None
        self.is_mdx = self.is_mdx or opening == "{/*"
        said = text[found.end() : end - len(_CLOSERS[opening])].strip()
        if opening in {"{{</*", "{{%/*"}:  # a template tag to be shown
            return end, [f"`{opening[:3]} {said} {_TEMPLATE_ENDS[opening[:3]]}`"]
        identity = re.fullmatch(r"#([\w.:-]+)", said) if opening == "{/*" else None
        return end, [f"{{#{identity[1]}}}"] if identity else []

    def _verbatim(self, text: str, found: re.Match[str], depth: int) -> tuple[int, list[Piece]] | None:
        opening = found[0]
        name = re.sub(r"\W", "", opening)
        if opening.startswith("<"):
            end = self._end(text, f"</{name}>", found.end(), 200_000)
            if end is None:
                return None
            inner = text[found.start() : end]
            if name == "pre":
                return end, [re.sub(r"\{`|`\}", "", inner)]
            return end, [] if name in {"svg", "style", "script"} else [inner]
        tag_end = self._end(
            text,
            "%}" if opening.startswith("{%") else opening[2].replace("<", ">") + "}}",
            found.end(),
            _MAX_TEMPLATE_CHARS,
        )
        if tag_end is None:
            return None
        close = re.compile(
            rf"(?:\{{%-?[ \t]*(?:end|/)|\{{\{{[<%][ \t]*/[ \t]*){name}\b[^\n}}]{{0,80}}\}}{{1,2}}"
        ).search(text, tag_end)
        if close is None:
            return None
        inner = text[tag_end : close.start()]
        if name in {"comment", "schema"}:
            return close.end(), []
        if name == "raw":
            return close.end(), [inner]
        words = text[found.end() : tag_end].strip(" \t%}>").split()
        language = re.sub(r"[^\w+#-]", "", words[0]) if words else ""
        return close.end(), ["\n", f"```{language}\n", inner.strip("\n"), "\n```\n"]

    def _template(self, text: str, found: re.Match[str], depth: int) -> tuple[int, list[Piece]] | None:
        opening = found[0]
        end = self._end(text, _TEMPLATE_ENDS[opening], found.end(), _MAX_TEMPLATE_CHARS)
        if end is None:
            return None
        inside = text[found.end() : end - len(_TEMPLATE_ENDS[opening])].strip()
        in_target = re.search(
            r"\]\([^()\s]*$|(?:href|src)=[\"']?[^\"'\s]*$", text[max(0, found.start() - 200) : found.start()]
        )
        if opening == "{{":
            return end, self._variable(inside, bool(in_target), text[found.start() : end])
        inside = inside.strip("-").strip()
        if in_target:
            quoted = re.search(r"[\"']([^\"']+)[\"']", inside)
            return end, [quoted[1] if quoted else inside.split(" ", 1)[-1].split("|")[0].strip()]
        if not re.match(r"/?\s*[\w@]", inside):
            return None
        return end, [self._template_tag(inside, text[found.start() : end])]

    def _variable(self, inside: str, in_target: bool, source: str) -> list[Piece]:
        said = jsx.looked_up(inside.split("|")[0], self._known)
        quoted = re.match(r"[\"']([^\"']*)[\"']\s*(?:\||$)", inside)
        if said is not None or quoted:
            return [said if said is not None else quoted[1]]  # pyright: ignore[reportOptionalSubscript]
        if in_target:
            return []
        if "\n" in inside or not inside:
            return [source]
        self.left_over["variable"] += 1
        return [source]

    def _template_tag(self, inside: str, source: str) -> Mark:
        closes = inside.startswith("/")
        name, _, rest = inside.lstrip("/ ").partition(" ")
        alone = rest.rstrip().endswith("/") or name.endswith("/")
        name = name.rstrip("/")
        if name.startswith("end") and len(name) > 3:
            name, closes = name[3:], True
        attributes, words = arguments(rest)
        if normal(name) == "include" and words:
            file = words[0].rsplit("/", 1)[-1].rsplit(".", 1)[0]
            if place_of(file) in {"aside", "details", "item"}:
                name, words, alone = file, [], True
        box = Box(name, attributes, "")
        if box.place in {"aside", "item", "details", "box", "field"} and words:
            box.words = words[0] if box.place != "aside" or " " in words[0] else ""
            if box.place == "aside" and not box.words and not attributes:
                box = Box(name, {"type": words[0]}, "")
            if box.place == "box":
                box.words = ""
        return Mark("close" if closes else "single" if alone else "open", box, source)

    def _tag(self, text: str, found: re.Match[str], depth: int) -> tuple[int, list[Piece]] | None:
        name = found["name"] or ""
        is_component = not name or name[0].isupper() or "." in name
        before = text[found.start() - 1 : found.start()]
        if is_component and before.isalnum() and place_of(name) == "unknown":
            return found.end(), [f"&lt;{found[0][1:]}"]  # Array<String>
        read = jsx.end_of_tag(text, found.end())
        if read is None:
            self._failed()
            return None
        end, attributes, alone = read
        source = text[found.start() : end]
        if found["slash"]:
            return end, [Mark("close" if is_component else "html_close", Box(name), source)]
        box = Box(name or "Fragment", attributes)
        if not is_component:
            return end, [Mark("html", box, source)]
        return end, [Mark("single" if alone else "open", box, source)]

    def _math(self, text: str, found: re.Match[str], depth: int) -> tuple[int, list[Piece]] | None:
        end = self._end(text, "$$", found.end(), _MAX_TEMPLATE_CHARS)
        return None if end is None else (end, [text[found.start() : end]])

    def _brace(self, text: str, found: re.Match[str], depth: int) -> tuple[int, list[Piece]] | None:
        if text[found.end() : found.end() + 1] in {"#", ".", ":", "%", "{", "="}:  # attributes, not an expression
            return None
        end = jsx.end_of_brackets(text, found.start())
        if end is None:
            self._failed()
            return None
        if re.match(r"\s*[\w-]+\s*=(?![=>])", text[found.end() : found.end() + 80]):  # attributes too
            return end, [text[found.start() : end]]
        return end, [Mark("expression", Box("expression"), text[found.start() : end])]

    def _wiki(self, text: str, found: re.Match[str], depth: int) -> tuple[int, list[Piece]] | None:
        end = text.find("]]", found.end(), found.end() + 300)
        inside = text[found.end() : end]
        if end < 0 or "\n" in inside or "[" in inside or not inside.strip() or inside.strip("_").upper() == "TOC":
            return None
        if found[0] == "![[":
            if not re.search(r"\.(?:png|jpe?g|gif|svg|webp|pdf|mp4|webm|mp3)\b", inside, re.IGNORECASE):
                self.left_over["embed"] += 1
            return end + 2, []
        target, bar, label = inside.partition("|")
        if bar and " " in target.strip() and " " not in label.strip() and re.search(r"[-/]|\.md", label):
            label = target  # a GitHub wiki names the page last
        shown = (
            label if bar and label.strip() else re.sub(r"^.*/(?=[^/]+$)", "", target).replace("#", " > ").strip(" >")
        )
        return end + 2, [shown.strip()]


def _options(body: str) -> dict[str, str | None]:
    """`:name: value` lines at the beginning of a directive's text, by name; MyST reads a block of YAML as well."""
    found: dict[str, str | None] = {}
    for line in body.split("\n")[1:]:
        option = OPTION_LINE.match(line.strip())
        if option is None:
            break
        found[option[1]] = option[2]
    return found


def arguments(rest: str) -> tuple[dict[str, str | None], list[str]]:
    """Named and other arguments of a template tag."""
    attributes: dict[str, str | None] = {}
    words: list[str] = []
    for found in _NAMED.finditer(rest[:_MAX_TEMPLATE_CHARS]):
        if found[1]:
            attributes.setdefault(found[1], next((part for part in found.groups()[1:5] if part is not None), ""))
        else:
            said = next((part for part in found.groups()[5:] if part is not None), "")
            words += [said.strip("`")] if said.strip("/ ") else []
    return attributes, words
