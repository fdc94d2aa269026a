"""Writes the reference pages beside this file from the code: `python docs/reference/generate.py`. A test compares."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from typer.cli import get_docs_for_click
from typer.main import get_command

from acronis_pipeline.cli import app
from acronis_pipeline.core.settings import ENV_PREFIX, Settings

FOLDER = Path(__file__).parent
_MADE = "<!-- Made by docs/reference/generate.py; edit the code that it reads. -->\n"
_SETTINGS = f"""{_MADE}
# Settings

Each is an environment variable with the prefix `{ENV_PREFIX}`, a line in `.env`, or a key in the data folder's
`pipeline.yaml` (`site: {{url: …}}`). An unknown or impossible value is refused with the variable named. Tuples are
written as JSON: `{ENV_PREFIX}SITE__EXCLUDE='["/archive/"]'`.

| variable, without the prefix | default | meaning |
|---|---|---|
"""


def pages() -> dict[str, str]:
    """The text of every reference page, by its file's name."""
    return {"settings.md": _SETTINGS + "\n".join(_rows(Settings)) + "\n", "cli.md": f"{_MADE}\n{_commands()}\n"}


def _rows(group: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in group.model_fields.items():
        part = field.annotation
        if isinstance(part, type) and issubclass(part, BaseModel):
            yield f"| **{name}** | | {part.__doc__} |"
            yield from _rows(part, f"{prefix}{name.upper()}__")
        else:
            yield f"| `{prefix}{name.upper()}` | {_default(field)} | {field.description or ''} |"


def _default(field: FieldInfo) -> str:
    return {"None": "–", "()": "none"}.get(str(field.default), f"`{field.default}`")


def _commands() -> str:
    command = get_command(app)
    context = command.make_context("acronis-pipeline", [], resilient_parsing=True)
    page = get_docs_for_click(obj=command, ctx=context, name="acronis-pipeline", title="Commands")
    return "\n".join(line.rstrip() for line in page.strip().splitlines())


if __name__ == "__main__":
    for file_name, text in pages().items():
        (FOLDER / file_name).write_text(text, "utf-8")
