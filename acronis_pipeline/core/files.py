"""Files written in one step, so that a reader sees the old or the new; files that people give, read whole.

`read_text`, `parse_json` and `parse_yaml` are the one way to read what somebody else wrote: settings, recipes, gold
questions, data sets. Each fails in one manner, whatever the library beneath raises.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from w3lib.encoding import read_bom

from acronis_pipeline.core.errors import AcronisPipelineError, DatasetError, ModelError, OutputError


class MalformedError(ValueError):
    """A text is not what its format says; `line` counts from 1 where the place is known."""

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(" ".join(problem.split()))
        self.line = line


def read_text(path: Path, error: type[AcronisPipelineError], remedy: str) -> str:
    """Text of a file in UTF-8, or in the encoding that its byte-order mark names.

    Raises `error` if there is no such file, or it cannot be read, or is no text; `remedy` ends its message.
    """
    try:
        data = path.read_bytes()
        # What Windows tools write begins with a mark, PowerShell's `>` in UTF-16.
        return data.decode(read_bom(data)[0] or "utf-8").removeprefix("\ufeff")
    except FileNotFoundError as missing:
        raise error(f"{path}: no such file; {remedy}") from missing
    except UnicodeDecodeError as fault:
        raise error(f"{path} cannot be read as UTF-8 text ({fault.reason} at byte {fault.start}); {remedy}") from fault
    except OSError as fault:
        raise error(f"{path} cannot be read ({fault.strerror or fault}); {remedy}") from fault


def parse_json(text: str | bytes) -> Any:
    """The value that a text says in JSON; raises MalformedError."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as fault:
        raise MalformedError(f"not JSON: {fault.msg}", fault.lineno) from fault
    except (ValueError, RecursionError) as fault:  # a number of thousands of digits; brackets in brackets
        raise MalformedError(f"no JSON that can be read: {_in_short(fault)}") from fault


def parse_yaml(text: str) -> Any:
    """The value that a text says in YAML, or in JSON, which is YAML; raises MalformedError."""
    try:
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as fault:
        line = fault.problem_mark.line + 1 if fault.problem_mark else None
        raise MalformedError(f"not valid YAML: {fault.problem or fault}", line) from fault
    except yaml.YAMLError as fault:
        raise MalformedError(f"not valid YAML: {fault}") from fault
    # What PyYAML's own constructors run into: a date in a 13th month, a tag without its value, brackets in brackets.
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError) as fault:
        raise MalformedError(f"no YAML that can be read: {_in_short(fault)}") from fault


def _in_short(fault: Exception) -> str:
    return "nested too deeply" if isinstance(fault, RecursionError) else str(fault)


def write_text(path: Path, text: str) -> None:
    """Replace a file's content, making its folder if need be; raises OutputError with a path that cannot be written."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, "utf-8")
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror or error}); name another place") from error


def read_json(path: Path) -> dict[str, Any]:
    """What a JSON file of a model maps; nothing where there is no such file. Raises ModelError if it is no mapping."""
    if not path.exists():
        return {}
    remedy = "put the model's own file back, or name another model"
    try:
        found = parse_json(read_text(path, ModelError, remedy))
    except MalformedError as error:
        raise ModelError(f"{path} is {error}; {remedy}") from error
    if not isinstance(found, dict):
        raise ModelError(f"{path} holds a {type(found).__name__}, not a mapping; {remedy}")
    return found


def folder_size_bytes(folder: Path) -> int:
    """All files in a folder, at any depth."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def json_lines(path: Path, text: str, otherwise: Callable[[str, str], None] | None = None) -> Iterator[tuple[Any, str]]:
    """The value of every line of a file that is not blank, with its place (`file:line`) for errors about it.

    A line that is no JSON is told to `otherwise`, as its place and the problem, and left out; without it a DatasetError
    names the line.
    """
    # `splitlines` would cut texts at U+2028.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        try:
            value = parse_json(line)
        except MalformedError as error:
            if otherwise is None:
                raise DatasetError(f"{place} is {error}; mend or re-export it") from error
            otherwise(place, str(error))
        else:
            yield value, place
