"""What a documentation page says according to its source, and how much of it an extractor's Markdown keeps.

The source of a page is rendered without any theme (Python-Markdown with the site's extensions, docutils for
reStructuredText), so its words, headings, lines of code and table rows are those of the author and nothing else. What
is only notation of the source (Markdown syntax, directives, roles, admonition markers, comments) is in neither text.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lxml import html as lxml_html

_WORD = re.compile(r"\w+")
_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_NOTATION = re.compile(r"\{%.*?%\}|\{\{[<%].*?[%>]\}\}", re.DOTALL)
"""GitBook and Hugo tags, which the generator of these sites passes through as text."""
_TYPOGRAPHY = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "...", "\u00a0": " "})
"""What Sphinx and Python-Markdown set in nicer characters than the author typed."""
_FENCE = re.compile(r"^\s*(?:[-*+]\s+|\d+[.)]\s+)*(?:`{3,}|~{3,}).*$", re.MULTILINE)
_NUMBER = re.compile(r"^\s*\d+[.)]\s", re.MULTILINE)
"""List numbers are no words of a rendered list."""
_MARKDOWN_MARK = re.compile(r"^\s*(?:#{1,6}\s+|[-*+]\s+|\d+[.)]\s+|>\s?)+")
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*(?:\s+\"[^\"]*\")?\)")
_INLINE_MARK = re.compile(r"[*`\\¶]+")
_BETWEEN_MARK = re.compile(r"[_|#]+")


@dataclass(frozen=True)
class Page:
    """A page as served, and what its source says: word counts, headings in order, lines of code, rows of cells."""

    site: str
    name: str
    html: str
    words: Counter[str]
    headings: tuple[str, ...]
    code: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass
class Score:
    """Sums over pages; shares are of these sums, so a long page counts for more than a short one."""

    pages: int = 0
    words: int = 0
    words_kept: int = 0
    words_out: int = 0
    headings: int = 0
    headings_kept: int = 0
    code_lines: int = 0
    code_lines_kept: int = 0
    cells: int = 0
    cells_kept: int = 0
    seconds: float = 0.0
    worst: list[tuple[float, str]] = field(default_factory=list)

    def add(self, page: Page, markdown: str, seconds: float) -> None:
        out = words(markdown)
        kept = sum((page.words & out).values())
        lines = [plain(line) for line in markdown.split("\n")]
        marked = {plain(line) for line in markdown.split("\n") if line.lstrip().startswith("#")}
        code = Counter(line.strip() for line in markdown.split("\n"))
        self.pages += 1
        self.words += page.words.total()
        self.words_kept += kept
        self.words_out += out.total()
        self.headings += len(page.headings)
        self.headings_kept += sum(heading in marked for heading in page.headings)
        self.code_lines += len(page.code)
        self.code_lines_kept += sum((Counter(page.code) & code).values())
        self.cells += sum(map(len, page.rows))
        self.cells_kept += sum(len(row) for row in page.rows if any(_in_order(row, line) for line in lines))
        self.seconds += seconds
        self.worst = sorted([*self.worst, (round(kept / max(1, page.words.total()), 3), page.name)])[:5]

    def summary(self) -> dict[str, object]:
        def share(part: int, whole: int) -> float | None:
            return round(part / whole, 4) if whole else None

        return {
            "words_kept": share(self.words_kept, self.words),
            "boilerplate_in_output": share(self.words_out - self.words_kept, self.words_out),
            "headings_kept": share(self.headings_kept, self.headings),
            "code_lines_kept": share(self.code_lines_kept, self.code_lines),
            "table_cells_kept": share(self.cells_kept, self.cells),
            "ms_per_page": round(1000 * self.seconds / max(1, self.pages), 2),
            "counts": {name: value for name, value in asdict(self).items() if isinstance(value, int)},
            "worst_pages": self.worst,
        }


def words(text: str) -> Counter[str]:
    """Words of a text, case folded, notation of the source and addresses of links left out."""
    return Counter(_WORD.findall(_without_notation(text).casefold()))


def plain(line: str) -> str:
    """A line without Markdown's marks, white space collapsed."""
    text = _MARKDOWN_MARK.sub("", line).translate(_TYPOGRAPHY)
    dashes = re.sub(r"-{2,}", "-", _LINK.sub(r"\1", _NOTATION.sub(" ", text)))
    return " ".join(_BETWEEN_MARK.sub(" ", _INLINE_MARK.sub("", dashes)).split()).casefold()


def _without_notation(text: str) -> str:
    text = _NUMBER.sub(" ", _FENCE.sub(" ", _NOTATION.sub(" ", text)))
    return _LINK.sub(r"\1", text).replace("_", " ").translate(_TYPOGRAPHY)


def mkdocs_pages(name: str, site: Path, sources: Path) -> Iterator[Page]:
    """Pages of a site that MkDocs built from a folder of Markdown files, or of MDX ones without components."""
    for source in sorted(sources.rglob("*.md")):
        relative = source.relative_to(sources).with_suffix("")
        is_index = relative.name in {"index", "_index", "README"}
        built = site / (relative.parent if is_index else relative) / "index.html"
        if built.exists():
            text = source.read_text("utf-8")
            yield _page(name, str(relative), built, _rendered_markdown(text, built.read_text("utf-8")))


def sphinx_pages(name: str, site: Path) -> Iterator[Page]:
    """Pages of a Sphinx site that ships its sources.

    Left out are those that include files it does not ship, or list other pages: their source is not what they show.
    """
    for source in sorted((site / "_sources").rglob("*.rst.txt")):
        text = source.read_text("utf-8")
        relative = source.relative_to(site / "_sources").with_name(source.name.removesuffix(".rst.txt"))
        included = re.findall(r"^\s*\.\. include:: (\S+)", text, re.MULTILINE)
        built = site / relative.with_suffix(".html")
        lists_pages = ".. toctree::" in text
        if built.exists() and not lists_pages and all(Path(file).name == "global.rst.inc" for file in included):
            yield _page(name, str(relative), built, _rendered_rst(text))


def _page(site: str, name: str, built: Path, source_html: str) -> Page:
    tree = lxml_html.fromstring(f"<div>{source_html}</div>")
    for node in tree.xpath("//script | //style | //comment()"):
        node.drop_tree()
    headings = [plain(_inline(node)) for node in tree.xpath("//h1 | //h2 | //h3 | //h4 | //h5 | //h6")]
    code = [line.strip() for node in tree.xpath("//pre") for line in node.text_content().split("\n")]
    rows = [tuple(plain(_inline(cell)) for cell in row.xpath("./td | ./th")) for row in tree.xpath("//tr")]
    return Page(
        site,
        name,
        built.read_text("utf-8"),
        words(_text(tree)),
        tuple(filter(None, headings)),
        tuple(filter(None, code)),
        tuple(cells for row in rows if (cells := tuple(filter(None, row)))),
    )


def _text(node: lxml_html.HtmlElement) -> str:
    return " ".join(node.itertext())


def _inline(node: lxml_html.HtmlElement) -> str:
    for line_break in node.xpath(".//br"):
        line_break.tail = " " + (line_break.tail or "")
    return node.text_content()


def _rendered_markdown(text: str, built: str) -> str:
    from markdown import markdown

    title = ""
    if match := _FRONT_MATTER.match(text):
        named = re.search(r"^title:\s*[\"']?(.*?)[\"']?\s*$", match[1], re.MULTILINE)
        text = text[match.end() :]
        shown = named and f"<h1>{named[1]}</h1>"  # a theme may show the front matter's title where the text has no h1
        title = shown if shown and shown in built else ""
    return title + markdown(text, extensions=["toc", "tables", "fenced_code", "admonition", "attr_list"])


def _rendered_rst(text: str) -> str:
    from docutils import nodes
    from docutils.core import publish_parts
    from docutils.parsers.rst import Directive, roles

    class Nothing(Directive):
        """Navigation, settings and files that are not there."""

        has_content, optional_arguments, final_argument_whitespace = True, 99, True
        option_spec = _AnyOption()

        def run(self) -> list[nodes.Node]:
            return []

    class Literal(Nothing):
        def run(self) -> list[nodes.Node]:
            source = "\n".join(self.content)
            return [nodes.literal_block(source, source)]

    class Contents(Nothing):
        def run(self) -> list[nodes.Node]:
            container = nodes.container()
            self.state.nested_parse(self.content, self.content_offset, container)
            return list(container.children)

    _register({"toctree": Nothing, "highlight": Nothing, "include": Nothing, "todo": Nothing, "raw": Nothing})
    _register({"code-block": Literal, "seealso": Contents, "only": Contents})
    for role in ("ref", "doc", "issue"):
        roles.register_local_role(role, _reference)
    options = {"report_level": 5, "halt_level": 6, "file_insertion_enabled": False, "initial_header_level": 2}
    body = publish_parts(text, writer="html5", settings_overrides=options)["html_body"]
    tree = lxml_html.fromstring(body)
    for node in tree.xpath("//*[contains(@class, 'system-message') or contains(@class, 'admonition-title')]"):
        node.drop_tree()
    return lxml_html.tostring(tree, encoding="unicode")


class _AnyOption(dict):
    """Accepts every option of a directive, as text."""

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, name: str) -> type[str]:
        return str


def _register(directives: Mapping[str, type]) -> None:
    from docutils.parsers.rst import directives as registry

    for name, directive in directives.items():
        registry.register_directive(name, directive)


def _reference(name, rawtext, text, lineno, inliner, options=None, content=None):
    """`:ref:` with a text of its own shows it; without one it shows a title that the source does not hold."""
    from docutils import nodes

    shown = re.match(r"(.*?)\s*<[^>]+>$", text, re.DOTALL)
    return [nodes.inline("", shown[1] if shown else "")], []


def _in_order(cells: Iterable[str], line: str) -> bool:
    """Whether the cells stand in one line, in order."""
    start = 0
    for cell in cells:
        found = line.find(cell, start)
        if found < 0:
            return False
        start = found + len(cell)
    return True
