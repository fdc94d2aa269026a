"""Files written in one step: a reader sees the old content or the new, never a half."""

from pathlib import Path

from acronis_pipeline.errors import OutputError


def write_text(path: Path, text: str) -> None:
    """Replace a file's content, making its folder if need be.

    Raises
    ------
    OutputError
        Names the path that cannot be written.
    """
    temporary = path.with_name(path.name + ".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, "utf-8")
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror or error}); name another place") from error
