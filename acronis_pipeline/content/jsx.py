"""What stands between `<` and `>`, or between braces, in a page that mixes Markdown with components or templates.

No JavaScript is run: strings, numbers and plain literals are read, everything else is left to the caller to count.
"""

import re
from collections.abc import Mapping
from typing import Any

import yaml

_MAX_CHARS = 8_000
"""A tag or an expression that has not ended by then is none."""
_SCRIPT_TOKEN = re.compile(
    r"""(?P<string>"(?:[^"\\\n]|\\.){0,4000}"|'(?:[^'\\\n]|\\.){0,4000}'|`(?:[^`\\]|\\.){0,8000}`)"""
    r"""|(?P<comment>/\*.{0,8000}?\*/|(?<![:/\w])//[^\n]{0,4000})|(?P<open>[({\[])|(?P<close>[)}\]])""",
    re.DOTALL,
)
_SPACE = re.compile(r"\s*")
_NAME = re.compile(r"[\w$@:#.*\[\](-][\w$@:.()\[\]-]{0,200}")
_QUOTED = re.compile(r"""\s*(?:"([^"]{0,4000})"|'([^']{0,4000})')""")
_BARE = re.compile(r"\s*([^\s\"'<>=`{}]{1,500})")
_STRING = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|`((?:[^`\\$]|\\.|\$(?!\{))*)`)\s*""", re.DOTALL)
_ANY_STRING = re.compile(r"""["']([^"'\n]{1,300})["']""")
_PATH = re.compile(r"\s*([A-Za-z_$][\w$]*(?:\??\.[A-Za-z_$][\w$]*)*)\s*")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def end_of_brackets(text: str, start: int) -> int | None:
    """Where the bracket at `start` closes, quotes and comments skipped; None if it does not within a few thousand
    characters."""
    depth, position, last = 0, start, min(len(text), start + _MAX_CHARS)
    while token := _SCRIPT_TOKEN.search(text, position, last):
        position = token.end()
        depth += (token.lastgroup == "open") - (token.lastgroup == "close")
        if depth <= 0 and token.lastgroup == "close":
            return position
    return None


def end_of_statement(text: str, start: int) -> int | None:
    """The end of the line on which the statement at `start` is over: all its brackets closed, a blank line or no line
    after it; None if it does not end within a few thousand characters."""
    depth, position, last = 0, start, min(len(text), start + _MAX_CHARS)
    token = None
    while True:
        line_end = text.find("\n", position, last)
        line_end = line_end if line_end >= 0 else last
        token = _SCRIPT_TOKEN.search(text, position, last)
        if token is not None and token.start() < line_end:
            position = token.end()
            depth += (token.lastgroup == "open") - (token.lastgroup == "close")
            continue
        if line_end == len(text):
            return line_end if depth <= 0 else None
        if line_end >= last:
            return None
        if depth <= 0 and not _continues(text, position, line_end):
            return line_end
        position = line_end + 1


def _continues(text: str, start: int, line_end: int) -> bool:
    """Whether a statement that could be over goes on in the next line: an operator ends this line, or begins that."""
    before, after = text[start:line_end].rstrip(), text[line_end + 1 : line_end + 80].lstrip(" \t")
    return before.endswith(("=", "=>", "(", ",", "+", "&&", "||", "?", ":")) or after.startswith(
        (".", "?", ":", "|", "&", "}", ")")
    )


def end_of_tag(text: str, start: int) -> tuple[int, dict[str, str | None], bool] | None:
    """Read the attributes of a tag from behind its name on.

    Returns
    -------
    tuple or None
        Where the tag ends, its attributes (None for what no literal says), and whether it closes itself; None if this
        is no tag.
    """
    attributes: dict[str, str | None] = {}
    position, last = start, min(len(text), start + _MAX_CHARS)
    while position < last:
        position = _SPACE.match(text, position).end()  # pyright: ignore[reportOptionalMemberAccess]
        if text.startswith("/>", position):
            return position + 2, attributes, True
        if text.startswith(">", position):
            return position + 1, attributes, False
        if text.startswith("{", position):  # {...props}, or a comment
            end = end_of_brackets(text, position)
            if end is None:
                return None
            position = end
            continue
        name = _NAME.match(text, position)
        if name is None:
            return None
        position = name.end()
        value: str | None = "true"
        equals = _SPACE.match(text, position).end()  # pyright: ignore[reportOptionalMemberAccess]
        if text.startswith("=", equals):
            read = _value(text, equals + 1)
            if read is None:
                return None
            position, value = read
        attributes.setdefault(name[0], value)
    return None


def _value(text: str, start: int) -> tuple[int, str | None] | None:
    if quoted := _QUOTED.match(text, start):
        return quoted.end(), " ".join((quoted[1] if quoted[1] is not None else quoted[2]).split())
    at = _SPACE.match(text, start).end()  # pyright: ignore[reportOptionalMemberAccess]
    if text.startswith("{", at):
        end = end_of_brackets(text, at)
        return None if end is None else (end, spoken(text[at + 1 : end - 1]))
    bare = _BARE.match(text, start)
    return (bare.end(), bare[1]) if bare else None


def spoken(expression: str) -> str | None:
    """What an attribute's expression says: a string, a number, or the one string that a call is given; a list or object
    as it stands."""
    said = string(expression)
    if said is not None:
        return " ".join(said.split())
    stripped = expression.strip()
    if stripped[:1] in {"[", "{"} or re.fullmatch(r"-?[\d.]+|true|false", stripped):
        return stripped
    found = _ANY_STRING.search(stripped) if "(" in stripped else None
    return found[1] if found else None


def string(expression: str) -> str | None:
    """The value of a string literal (a template without expressions is one); None if it is none."""
    found = _STRING.fullmatch(expression) if len(expression) <= _MAX_CHARS else None
    if found is None:
        return None
    return _ESCAPED.sub(r"\1", next(part for part in found.groups() if part is not None))


def literal(source: str) -> Any:
    """The value of a JavaScript literal, which is nearly YAML's flow style; None if it is no plain literal."""
    source = source.strip().rstrip(";").strip()
    if (said := string(source)) is not None:
        return said
    if not re.match(r"[\[{\d-]|true\b|false\b", source) or len(source) > _MAX_CHARS or re.search(r"=>|[`&*!<]", source):
        return None
    try:
        return yaml.safe_load(re.sub(r"(?<=[,{\s])([\w$]+):(?=\S)", r"\1: ", source))
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


def looked_up(expression: str, known: Mapping[str, Any]) -> str | None:
    """The text that a name such as `limits.machines` stands for; None if `known` does not say."""
    found = _PATH.fullmatch(expression)
    if found is None:
        return None
    value: Any = known
    for name in found[1].replace("?.", ".").split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def is_name(expression: str) -> bool:
    """Whether an expression is nothing but a name, as a placeholder in prose is."""
    return _PATH.fullmatch(expression) is not None
