"""Queries from tables, definition lists and error messages."""

import re
from collections.abc import Iterator

from acronis_pipeline.pairs.english import pick
from acronis_pipeline.pairs.sentences import TableRow, TextBlock
from acronis_pipeline.pairs.words import content_words, normalise, phrase_set, words

_PROBLEM = re.compile(
    r"\b(?:error|errors|exception|warning|fail(?:s|ed|ure|ing)?|message|denied|invalid|unable|cannot|can't|could not|"
    r"couldn't|not found|refused|timed? ?out|rejected|missing|corrupt(?:ed)?|crash(?:es|ed)?|stuck|unexpected)\b",
    re.IGNORECASE,
)
_MESSAGE_HEADER = re.compile(r"\b(?:errors?|messages?|codes?|symptoms?|warnings?|problems?|issues?|alerts?)\b", re.I)
_VAGUE_HEADER = re.compile(
    r"^(?:descriptions?|details?|notes?|comments?|meaning|remarks?|explanation|values?|information|what it (?:does|is)|"
    r"what it means|purpose|about|summary|)$",
    re.IGNORECASE,
)
_YES_NO = re.compile(
    r"^(?:yes|no|✓|✔|✗|✘|x|✅|❌|supported|not supported|available|included|full|partial|-|–|n/?a)\W*$", re.I
)
_ITEM_TERM = re.compile(r"^(?P<term>[^:.!?]{2,60}?)(?:\s*:\s+|\s+[–—-]\s+)(?P<definition>\S.{24,})$")
_FLAG = re.compile(r"^-{1,2}\w")
_COMMAND = re.compile(r"\s--?[a-zA-Z]")
_ANNOUNCED = re.compile(
    r"(?:\b(?:errors?|messages?|warnings?|exceptions?)(?: (?:like|such as|saying|that says|reads?|is|of|with))?"
    r"|\b(?:fails|failed|failing|errors) with|\b(?:says|reads))$",
    re.IGNORECASE,
)
_CALLED = re.compile(r"(?:error|message|warning|exception)\b", re.IGNORECASE)
_SIGNS = re.compile(r"[{}<>\\$|;=]|\w\([\w.]*\)")


def table_queries(rows: tuple[TableRow, ...], context: str) -> Iterator[tuple[str, str]]:
    """(query, style) pairs of table rows: the row's name with a column's, or the message a row explains."""
    for row in rows:
        name = row.cells[0].strip() if row.cells else ""
        if (
            not 1 <= len(words(name)) <= 14
            or not content_words(name)
            or _SIGNS.search(name)
            or name.endswith((".", "?", "!"))
            or "..." in name
        ):
            continue
        if _MESSAGE_HEADER.search(row.header[0]) and len(words(name)) >= 2:
            yield name, "error"
            continue
        if len(words(name)) > 7 or normalise(name).replace(" ", "").isdigit():
            continue
        if _FLAG.match(name):
            yield _option_query(name, context), "table"
        else:
            yield from _cell_queries(row, name, context)


def _cell_queries(row: TableRow, name: str, context: str) -> Iterator[tuple[str, str]]:
    for header, cell in zip(row.header[1:], row.cells[1:], strict=True):
        if not cell.strip() or len(words(header)) > 6 or re.match(r"(?:do|don['’]t)$", header, re.I):
            continue
        if _VAGUE_HEADER.match(header):
            completed = name if len(content_words(name)) >= 2 or not context else f"{name} {context}"
            yield completed, "table"
        elif _YES_NO.match(cell):
            yield pick(name + header, f"{name} {header}", f"{header} {name}", f"is {name} supported on {header}") \
                if row.header[0] else f"{name} {header}", "table"  # fmt: skip
        else:
            yield pick(name + header, f"{name} {header}", f"{header} {name}", f"{header} of {name}"), "table"


def _option_query(flag: str, context: str) -> str:
    """A command-line option as one asks for it."""
    name = flag.split(" ")[0].split("=")[0].rstrip(":,")
    return pick(flag + context, f"{name} option", f"what does {name} do", f"{name.lstrip('-')} {context}".strip())


def term_queries(blocks: tuple[TextBlock, ...], context: str) -> Iterator[tuple[str, str]]:
    """Definition lists and list items of the form "Term: explanation"."""
    for block in blocks:
        term, explained = block.text, block.definition
        if block.kind in {"item", "paragraph"} and (match := _ITEM_TERM.match(block.text)):
            term, explained = match["term"].strip(), match["definition"]
            if len(words(term)) > 5 or _PROBLEM.fullmatch(term) or normalise(term) in _LABELS:
                continue
        elif block.kind != "term":
            continue
        term = term.strip(" `*")
        if not content_words(term) or len(words(explained)) < 4 or _SIGNS.search(term) or len(words(term)) > 8:
            continue
        if _FLAG.match(term):
            yield _option_query(term, context), "table"
        elif len(content_words(term)) == 1 and context:
            yield f"{term} {context}", "table"
        else:
            yield term, "table"


_LABELS = phrase_set(
    """note|notes|notice|important|warning|tip|caution|example|examples|for example|answer|question|default|syntax|
    usage|result|optional|required|recommended|options|see also|hint|info|step|attention|summary|solution|
    cause|reason"""
)


def error_queries(blocks: tuple[TextBlock, ...]) -> Iterator[str]:
    """Messages that a text quotes or sets as code, in a sentence about something going wrong."""
    for block in blocks:
        for message in block.marked:
            about_it = block.text[: block.text.find(message) + len(message) + 60]
            enough = 3 <= len(words(message)) <= 24 and len(content_words(message)) >= 2
            if enough and not _SIGNS.search(message) and _is_message(message, about_it):
                yield message.strip(" .\"'")


def _is_message(message: str, about_it: str) -> bool:
    """Whether a marked span is what a program says: it speaks of trouble itself, or is called an error or message."""
    if _COMMAND.search(message):
        return False
    if _PROBLEM.search(message):
        return True
    before, _, after = about_it.partition(message)
    return bool(_ANNOUNCED.search(before.rstrip("\"'`“: ")) or _CALLED.match(after.lstrip("\"'`”. ")))
