"""Options that several commands share, and the data that they name."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from acronis_pipeline.core.errors import EmptyCorpusError
from acronis_pipeline.core.settings import Settings

if TYPE_CHECKING:
    from acronis_pipeline.store import Store

DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="Data folder; the setting data_dir (./data) by default.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON; progress goes to standard error.")]


def opened(settings: Settings) -> "Store":
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
