"""Options that several commands share."""

import json
from pathlib import Path
from typing import Annotated

import typer

DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="Data folder; the setting data_dir (./data) by default.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON; progress goes to standard error.")]


def print_json(value: object) -> None:
    """A result for programs, on standard output."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))
