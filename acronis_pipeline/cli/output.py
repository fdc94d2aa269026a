"""How commands print: results on standard output, as text or JSON, progress by stage on standard error."""

import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Iterable, Sequence

import typer

_QUIET_LIBRARIES = (
    "httpx",
    "httpx2",
    "httpcore2",
    "sentence_transformers",
    "transformers",
    "filelock",
    "alembic",
    "mlflow",
)


def print_json(value: object) -> None:
    """A result for programs, on standard output."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def print_table(rows: Iterable[Sequence[str]], header: Sequence[str] = (), *, n_left: int = 1) -> None:
    """Columns as wide as they must be: the first `n_left` to the left, the others, mostly numbers, to the right.

    Cells wrap in a terminal that is too narrow; what is piped has a line a row.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    lines = list(rows)
    if not lines:
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=bool(header), header_style="bold")
    for position, name in enumerate(header or [""] * len(lines[0])):
        table.add_column(name, justify="left" if position < n_left else "right")
    for line in lines:
        table.add_row(*map(Text, line))
    # Where nobody looks, no width is too large.
    console = Console(width=None if sys.stdout.isatty() else 10_000)
    with console.capture() as printed:
        console.print(table)
    for line in printed.get().splitlines():
        typer.echo(line.rstrip())


def show_progress(*, verbose: bool = False) -> None:
    """Send the domain code's log to standard error, a line a message: seconds since the start, stage, message."""
    os.environ.setdefault("TQDM_DISABLE", "1")
    # Torch's idle threads spin by default, which halves the speed beside another busy process. Read as torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Lance warns about forking at import; nothing here forks.
    warnings.filterwarnings("ignore", message=".*lance is not fork-safe.*")
    handler = logging.StreamHandler()
    handler.setFormatter(_StageFormatter())
    logger = logging.getLogger("acronis_pipeline")
    logger.handlers = [handler]
    logger.setLevel(logging.DEBUG if verbose else logging.INFO)
    logger.propagate = False
    for name in _QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)


class _StageFormatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__()
        self._started = time.monotonic()

    def format(self, record: logging.LogRecord) -> str:
        stage = record.name.split(".")[1] if "." in record.name else ""
        if record.name.startswith("acronis_pipeline.defs."):
            stage = "»"
        text = f"{time.monotonic() - self._started:7.1f}s  {stage:<9} {record.getMessage()}"
        if record.levelno >= logging.WARNING:
            text = f"{text}  [{record.levelname.lower()}]"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text
