"""A page that is served, or kept in a repository, as Markdown: as HTML that `extract` reads like any other.

Front matter gives the title, headings get the ids that GitHub gives them, and `markdown_dialects` reads what generators
add to CommonMark.
"""

import json
import logging
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from html import escape
from itertools import pairwise
from typing import Any

import yaml
from markdown_it.token import Token

from acronis_pipeline.content import commonmark
from acronis_pipeline.content.markdown_dialects import Plain, to_commonmark
from acronis_pipeline.content.plain_text import html_document
from acronis_pipeline.content.removal import left_out
from acronis_pipeline.content.restructured_text import to_markdown

__all__ = ["restructured_to_html", "to_html"]

_log = logging.getLogger(__name__)

_FRONT_MATTER = re.compile(
    r"\A\ufeff?\s{0,100}(?:<!--.{0,2000}?-->\s{0,100})?(---|\+\+\+|;;;)[ \t]*\n(.{0,65536}?)^(?:\1|\.\.\.)[ \t]*$\n?",
    re.DOTALL | re.MULTILINE,
)
_SETTING = re.compile(r"^([A-Za-z_][\w-]{0,40})[ \t]*[:=][ \t]*(\S.*?)[ \t]*$", re.MULTILINE)
_HEADING_ID = re.compile(r"[ \t]*\{[^}#]*#([\w.:-]+)[^}]*\}[ \t]*$")
NOT_UNDERSTOOD = "Markdown: not understood"
"""Rule under which is counted what only the page's own generator could have told."""
_SAMPLES = 10
_NOT_IN_SLUG = re.compile(r"[^\w\- ]")


def to_html(text: str) -> str:
    """A Markdown page as an HTML document, headings with the ids that GitHub gives them.

    Its title is the front matter's, else the first heading; what the front matter describes it as comes first. A page
    whose front matter calls it a draft or unpublished says `noindex`: its own site does not show it.
    """
    matter, body = _front_matter(text.replace("\r\n", "\n").replace("\r", "\n"))
    return _document(matter, to_commonmark(body, matter))


def restructured_to_html(text: str) -> str:
    """A page of reStructuredText as an HTML document, its headings as on a Markdown page."""
    left_over: Counter[str] = Counter()
    markdown = to_markdown(text.replace("\r\n", "\n").replace("\r", "\n"), left_over)
    plain = to_commonmark(markdown, {})
    return _document({}, replace(plain, left_over=left_over + Counter(plain.left_over)))


def _document(matter: dict[str, Any], plain: Plain) -> str:
    parser = commonmark.parser(html=True)
    if plain.is_mdx:
        parser.disable("code")  # what is indented there is indented for looks
    environment: dict[str, Any] = {}
    tokens = parser.parse(plain.text, environment)
    headings = list(_headings_with_ids(tokens))
    title = _word(matter, "title", "sidebar_label")
    return html_document(
        title=title or next((said for _, said in headings), ""),
        body=_described(matter, plain.text) + parser.renderer.render(tokens, parser.options, environment),
        # The page's own first heading may say it already.
        heading="" if headings[:1] == [("h1", title)] else title,
        language=_word(matter, "lang", "language"),
        hidden=matter.get("draft") is True or matter.get("published") is False,
        left_out=_not_understood(plain.left_over),
    )


def _not_understood(left_over: Mapping[str, int]) -> str:
    frequent = sorted(left_over.items(), key=lambda item: (-item[1], item[0]))
    named = [f"{name} ({count})" if count > 1 else name for name, count in frequent]
    return left_out(NOT_UNDERSTOOD, sum(left_over.values()), named[:_SAMPLES]) if left_over else ""


def _described(matter: dict[str, Any], text: str) -> str:
    """The front matter's description as a paragraph, unless the text says it too."""
    said = _word(matter, "description", "subtitle")
    return f"<p>{escape(said)}</p>\n" if said and said not in " ".join(text.split()) else ""


def _front_matter(text: str) -> tuple[dict[str, Any], str]:
    """The settings before the text, and the text; of malformed ones, the lines that can be read."""
    match = _FRONT_MATTER.match(text)
    if match is None:
        return _json_matter(text)
    sign, source = match[1], match[2]
    try:
        matter = (
            tomllib.loads(source) if sign == "+++" else json.loads(source) if sign == ";;;" else yaml.safe_load(source)
        )
    except (yaml.YAMLError, tomllib.TOMLDecodeError, ValueError, RecursionError) as error:
        _log.debug("front matter read line by line: %s", error)
        matter = {name: value.strip("\"'") for name, value in _SETTING.findall(source) if value[0] not in "[{"}
    if sign == "---" and not isinstance(matter, dict) and matter is not None:
        return {}, text  # text between two rules
    return matter if isinstance(matter, dict) else {}, text[match.end() :]


def _json_matter(text: str) -> tuple[dict[str, Any], str]:
    """Settings as Hugo takes them too: an object of JSON at the very beginning."""
    if not re.match(r"\ufeff?\{\s*\"", text):
        return {}, text
    try:
        matter, end = json.JSONDecoder().raw_decode(text.lstrip("\ufeff")[:65_536])
    except (json.JSONDecodeError, RecursionError):
        return {}, text
    return matter, text.lstrip("\ufeff")[end:]


def _word(matter: dict[str, Any], *names: str) -> str:
    values = (matter.get(name) for name in names)
    return next((" ".join(value.split()) for value in values if isinstance(value, str) and value.strip()), "")


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
