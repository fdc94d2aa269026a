"""Sentences of a passage's Markdown, as plain text that can be quoted."""

import re

_FENCE = re.compile(r"^(```|~~~).*?^\1[ \t]*$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} .*$", re.MULTILINE)
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_BULLET = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+")
_RULE_ROW = re.compile(r"^\|?[\s:|-]+\|?$")
# A full stop ends a sentence when white space and a capital, a digit or a quote follow ("e.g. this" does not).
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[\"'(]?[A-Z0-9])")


def sentences(markdown: str) -> list[str]:
    """Sentences, list items and table rows, in order; code, headings and mark-up are left out."""
    text = _HEADING.sub("", _FENCE.sub("", markdown))
    found: list[str] = []
    for block in re.split(r"\n\s*\n", text):
        found += _of_block([line for line in block.splitlines() if line.strip()])
    return [sentence for sentence in found if len(sentence.split()) > 2]


def _of_block(lines: list[str]) -> list[str]:
    if lines and all(line.lstrip().startswith("|") for line in lines):
        return _table_rows(lines)
    items: list[str] = []
    for line in lines:
        if _BULLET.match(line) or not items:
            items.append(_BULLET.sub("", line))
        else:
            items[-1] += " " + line.strip()
    return [plain for item in items for part in _SENTENCE_END.split(_plain(item)) if (plain := part.strip())]


def _table_rows(lines: list[str]) -> list[str]:
    """Each row as `first cell: header value, header value`."""
    cells = [
        [_plain(cell) for cell in line.strip().strip("|").split("|")] for line in lines if not _RULE_ROW.match(line)
    ]
    if len(cells) < 2:
        return []
    header, *rows = cells
    described = []
    for row in rows:
        values = (f"{name} {value}".strip() for name, value in zip(header[1:], row[1:], strict=False) if value)
        described.append(f"{row[0]}: {', '.join(values)}")
    return described


def _plain(text: str) -> str:
    text = _LINK.sub(r"\1", text)
    text = re.sub(r"[*_]{1,3}(\S(?:.*?\S)?)[*_]{1,3}", r"\1", text)
    return " ".join(text.replace("`", "").replace("\\", "").lstrip("> ").split())
