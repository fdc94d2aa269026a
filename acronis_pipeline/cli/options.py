"""Options that several commands share, and the data that they name."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from acronis_pipeline.core.errors import EmptyCorpusError

if TYPE_CHECKING:
    from acronis_pipeline.core.settings import Settings
    from acronis_pipeline.store import Store

DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="Data folder; the setting data_dir (./data) by default.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON; progress goes to standard error.")]


def opened(settings: "Settings") -> "Store":
    """The database of a data folder.

    Raises
    ------
    EmptyCorpusError
        If there is none; no folder is made for it.
    """
    from acronis_pipeline.store import open_known

    if store := open_known(settings):
        return store
    raise EmptyCorpusError(f"there is no data in {settings.data_dir}; name the folder with --data, or run the pipeline")


def load_settings(data: Path | None = None, **overrides: Any) -> "Settings":
    """`core.settings.load_settings`, loaded when a command runs: help needs none of it."""
    from acronis_pipeline.core import settings

    return settings.load_settings(data, **overrides)
