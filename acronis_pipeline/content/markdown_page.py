"""A page that is served, or kept in a repository, as Markdown: as HTML that `extract` reads like any other.

Besides CommonMark and tables this knows what documentation generators add to it: front matter, heading ids in braces,
admonitions and tabs (MkDocs, Docusaurus, VitePress, GitHub), template tags (Hugo, Jekyll, GitBook) and MDX imports.
"""

import logging
import re
import tomllib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from acronis_pipeline.content.markdown import lines_with_fences
from acronis_pipeline.content.plain_text import html_document

__all__ = ["to_html"]

_log = logging.getLogger(__name__)

_FRONT_MATTER = re.compile(r"\A\ufeff?(---|\+\+\+)[ \t]*\r?\n(.{0,65536}?)^\1[ \t]*\r?$\n?", re.DOTALL | re.MULTILINE)
_TEMPLATE_TAG = re.compile(r"\{\{[<%][^{}]{0,500}[>%]\}\}|\{%[^{}]{0,500}%\}")
_TAG_TITLE = re.compile(r"""\b(?:title|name|header|label|summary)\s*=\s*"([^"]+)\"""")
_MODULE_LINE = re.compile(r"(?:import\s.+\sfrom\s+['\"].*|import\s+['\"].*|export\s+(?:const|default|function)\b.*)")
_INDENTED_OPENING = re.compile(r"^(?:!!!|\?\?\?\+?|===)[ \t]+([\w-]+(?:[ \t]+[\w-]+)*)?[ \t]*(?:\"(.*)\")?[ \t]*$")
_COLON_FENCE = re.compile(r"^[ \t]*:{3,}[ \t]*(?:\{?([\w-]+)\}?)?[ \t]*(?:\[(.+)\]|(.*?))[ \t]*(?:\{.*\})?$")
_ALERT = re.compile(r"^([ \t]*(?:>[ \t]*)+)\[!\w+\][ \t]*$")
_HEADING_ID = re.compile(r"[ \t]*\{[^}#]*#([\w.:-]+)[^}]*\}[ \t]*$")
_NOT_IN_SLUG = re.compile(r"[^\w\- ]")


def to_html(text: str) -> str:
    """A Markdown page as an HTML document, headings with the ids that GitHub gives them.

    Its title is the front matter's, else the first heading. A page whose front matter calls it a draft or unpublished
    says `noindex`: its own site does not show it.
    """
    matter, body = _front_matter(text)
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    environment: dict[str, Any] = {}
    tokens = parser.parse(_plain_markdown(body), environment)
    headings = list(_headings_with_ids(tokens))
    title = _word(matter, "title", "sidebar_label")
    return html_document(
        title=title or next((said for _, said in headings), ""),
        body=parser.renderer.render(tokens, parser.options, environment),
        # The page's own first heading may say it already.
        heading="" if headings[:1] == [("h1", title)] else title,
        language=_word(matter, "lang", "language"),
        hidden=matter.get("draft") is True or matter.get("published") is False,
    )


def _front_matter(text: str) -> tuple[dict[str, Any], str]:
    """The settings before the text, and the text; malformed ones are left out of both."""
    match = _FRONT_MATTER.match(text)
    if match is None:
        return {}, text
    try:
        matter = tomllib.loads(match[2]) if match[1] == "+++" else yaml.safe_load(match[2])
    except (yaml.YAMLError, tomllib.TOMLDecodeError, ValueError) as error:
        _log.debug("front matter left out: %s", error)
        matter = {}
    if match[1] == "---" and not isinstance(matter, dict) and matter is not None:
        return {}, text  # text between two rules
    return matter if isinstance(matter, dict) else {}, text[match.end() :]


def _word(matter: dict[str, Any], *names: str) -> str:
    values = (matter.get(name) for name in names)
    return next((" ".join(value.split()) for value in values if isinstance(value, str) and value.strip()), "")


def _plain_markdown(text: str) -> str:
    """Text without what only its generator understands; code fences are left alone."""
    lines: list[str] = []
    indented = False  # within an admonition whose content is indented
    for line, in_fence in lines_with_fences(text.replace("\r\n", "\n")):
        if indented and line.strip() and not line.startswith(("    ", "\t")):
            indented = False
        line = line.removeprefix("\t" if line.startswith("\t") else "    ") if indented else line
        opening = None if in_fence else _INDENTED_OPENING.match(line)
        if opening and (opening[1] or opening[2]):
            indented = True
            lines += ["", *_titled(opening[2] or "")]
        elif in_fence:
            lines.append(line)
        else:
            lines.extend(_without_tags(line))
    return "\n".join(lines)


def _without_tags(line: str) -> Iterator[str]:
    if fence := _COLON_FENCE.match(line):
        yield from ("", *_titled(fence[2] or fence[3] or ""))
    elif alert := _ALERT.match(line):
        yield alert[1].rstrip()
    elif _MODULE_LINE.fullmatch(line):
        yield ""
    elif _TEMPLATE_TAG.search(line):
        rest = _TEMPLATE_TAG.sub("", line)
        if rest.strip():
            yield rest
        else:  # tags alone on a line, as around hints and tabs
            titles = [match[1] for tag in _TEMPLATE_TAG.findall(line) if (match := _TAG_TITLE.search(tag))]
            yield from ("", *_titled(" ".join(titles)))
    else:
        yield line


def _titled(title: str) -> Sequence[str]:
    return (f"**{title.strip()}**", "") if title.strip() else ("",)


def _headings_with_ids(tokens: Sequence[Token]) -> Iterator[tuple[str, str]]:
    """(tag, text) of each heading, which is given an id on the way: its own (`{#name}`) or as GitHub makes it."""
    taken: dict[str, int] = {}
    for opening, inline in pairwise(tokens):
        if opening.type != "heading_open":
            continue
        own = _take_own_id(inline)
        said = " ".join(_said(inline).split())
        slug = _NOT_IN_SLUG.sub("", said.lower()).replace(" ", "-")
        count = taken.get(slug, 0)
        taken[slug] = count + 1
        if identity := own or (f"{slug}-{count}" if count else slug):
            opening.attrSet("id", identity)
        yield opening.tag, said


def _take_own_id(heading: Token) -> str | None:
    """The id in braces at the end of a heading, which is taken off its text."""
    last = heading.children[-1] if heading.children else None
    match = _HEADING_ID.search(last.content) if last is not None and last.type == "text" else None
    if last is None or match is None:
        return None
    last.content = last.content[: match.start()]
    return match[1]


def _said(inline: Token) -> str:
    return "".join(child.content for child in inline.children or () if child.type in {"text", "code_inline"})
