"""A page of plain text as HTML that `extract` reads like any other: paragraphs, lists, and the rest as it stands.

`html_document` makes the document, for pages of other formats too: `extract` finds their content in `main`.
"""

import re
from collections.abc import Iterator
from html import escape

__all__ = ["is_log", "to_html"]
_PARAGRAPH = re.compile(r"\n[ \t]*\n")
_BULLET = re.compile(r"^[ \t]*(?:[-*+•o]|\d{1,3}[.)])[ \t]+(?=\S)")
_COLUMNS = re.compile(r"\S(?: {3,}|\t+)\S")
_RULE = re.compile(r"^[ \t]*([=\-~*_#+.])\1{2,}[ \t]*$")
_TIME_STAMP = re.compile(
    r"^[\[(<]?(?:\d{4}[-/]\d\d[-/]\d\d[T ]|\d\d:\d\d:\d\d|[A-Z][a-z]{2} +\d{1,2} \d\d:\d\d|\d{10}\b)"
)
_MAX_TITLE_CHARS = 80
_MIN_LOG_LINES = 20


def html_document(
    *, title: str, body: str, heading: str = "", language: str = "", hidden: bool = False, left_out: str = ""
) -> str:
    """`body` is HTML; `heading` goes before it as the page's h1; a `hidden` page asks not to be indexed.

    `left_out` is what `removal.left_out` makes of pieces that could not be read.
    """
    lang = f' lang="{escape(language)}"' if language else ""
    robots = "<meta name=robots content=noindex>" if hidden else ""
    h1 = f"<h1>{escape(heading)}</h1>\n" if heading else ""
    return (
        f"<!doctype html>\n<html{lang}><head><meta charset=utf-8><title>{escape(title)}</title>{robots}{left_out}"
        f"</head><body><main>\n{h1}{body}\n</main></body></html>"
    )


def to_html(text: str) -> str:
    """Paragraphs are what blank lines set apart; indented text and columns keep their lines.

    A short first line that stands alone (or is underlined) is the title.
    """
    blocks = [block for block in _PARAGRAPH.split(text.replace("\r\n", "\n").replace("\r", "\n")) if block.strip()]
    title = _title(blocks[0]) if blocks else ""
    body = "\n".join(html for block in blocks[bool(title) :] for html in _rendered(block))
    return html_document(title=title, heading=title, body=body)


def is_log(text: str) -> bool:
    """Whether most lines begin with a time, as no page's do."""
    lines = [line for line in text[:200_000].splitlines() if line.strip()]
    return len(lines) >= _MIN_LOG_LINES and 2 * sum(bool(_TIME_STAMP.match(line)) for line in lines) > len(lines)


def _title(block: str) -> str:
    lines = [line.strip() for line in block.strip("\n").split("\n") if not _RULE.match(line)]
    alone = len(lines) == 1 and len(lines[0]) <= _MAX_TITLE_CHARS and not _BULLET.match(lines[0])
    return lines[0] if alone and not lines[0].endswith((".", ",", ":", ";")) else ""


def _rendered(block: str) -> Iterator[str]:
    lines = [line.expandtabs() for line in block.strip("\n").split("\n")]
    underlined = len(lines) == 2 and _RULE.match(lines[1]) and len(lines[0].strip()) <= _MAX_TITLE_CHARS
    if underlined:
        yield f"<h2>{escape(lines[0].strip())}</h2>"
    elif _BULLET.match(lines[0]):
        yield _list(lines)
    elif all(line.startswith("  ") for line in lines) or 2 * sum(bool(_COLUMNS.search(x)) for x in lines) > len(lines):
        yield f"<pre>{escape(chr(10).join(lines))}</pre>"
    else:
        words = " ".join(line.strip() for line in lines if not _RULE.match(line))
        if words:
            yield f"<p>{escape(words)}</p>"


def _list(lines: list[str]) -> str:
    items: list[str] = []
    for line in lines:
        if _BULLET.match(line):
            items.append(_BULLET.sub("", line).strip())
        else:
            items[-1] += f" {line.strip()}"
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"
