"""Files written in one step, so that a reader sees the old or the new; JSON Lines with their places; sizes."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from acronis_pipeline.core.errors import DatasetError, OutputError


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
    """What a JSON file maps; nothing where there is no such file."""
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def folder_size_bytes(folder: Path) -> int:
    """All files in a folder, at any depth."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def json_lines(path: Path, lines: Iterable[str]) -> Iterator[tuple[Any, str]]:
    """The value of every line of a file that is not blank, with its place (`file:line`) for errors about it.

    Raises a DatasetError that names the line that is no JSON.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield json.loads(line), f"{path}:{number}"
        except json.JSONDecodeError as error:
            raise DatasetError(f"{path}:{number} is not JSON ({error.msg}); mend or re-export it") from error
