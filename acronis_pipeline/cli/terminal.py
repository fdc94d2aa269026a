"""What commands share: options, the data that these name, and how to print.

Results go to standard output, in words or as JSON for programs; progress goes to standard error.
"""

from __future__ import annotations

import json
import logging
import os
import shlex
import shutil
import sys
import textwrap
import time
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from acronis_pipeline.core.errors import AcronisPipelineError, EmptyCorpusError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from acronis_pipeline.answer import Answer
    from acronis_pipeline.api import PipelineResult
    from acronis_pipeline.core.settings import Settings
    from acronis_pipeline.evaluate.bench import BenchResult
    from acronis_pipeline.finetune import Recipe
    from acronis_pipeline.store import Store

_QUIET_LIBRARIES = "httpx httpx2 httpcore2 sentence_transformers transformers filelock alembic mlflow".split()

DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="Data folder; the setting data_dir (./data) by default.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON; progress goes to standard error.")]


def load_settings(data: Path | None = None, **overrides: Any) -> Settings:
    """`core.settings.load_settings`, loaded when a command runs: help needs none of it."""
    from acronis_pipeline.core import settings

    loaded = settings.load_settings(data, **overrides)
    _of_this_command["data_dir"] = loaded.data_dir
    return loaded


_of_this_command: dict[str, Path] = {}


def data_dir() -> Path:
    """The data folder of the command under way, or the working folder of one that has none: for errors."""
    return _of_this_command.get("data_dir", Path.cwd())


def opened(settings: Settings, missing: AcronisPipelineError | None = None) -> Store:
    """The database of a data folder; if there is none, `missing` is raised, and no folder made for it."""
    from acronis_pipeline.store import open_known

    if store := open_known(settings):
        return store
    raise missing or EmptyCorpusError(
        f"there is no data in {settings.data_dir}; name the folder with --data, or run the pipeline"
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


def show_progress() -> None:
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
    logger.setLevel(logging.INFO)
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


def print_outcome(outcome: PipelineResult, settings: Settings) -> None:
    """The comparison table, the champion, the customer questions answered, and what to type next."""
    from acronis_pipeline.reporting import view

    echo = typer.echo
    echo()
    if outcome.changed:
        echo(f"Done in {outcome.duration_s:.0f} s; new or changed: {', '.join(outcome.changed)}.")
    else:
        echo(
            f"Nothing has changed since the last run (checked in {outcome.duration_s:.0f} s): "
            "nothing was trained or embedded."
        )
    echo(
        "\nHow well each system finds the right passage. Synthetic: questions made from held-out pages; "
        "human: gold questions.\n"
    )
    echo(view.table_as_text(outcome.reports))
    echo(f"\nChampion: {outcome.verdict}")
    echo("\nThe four customer questions:")
    for answer in outcome.answers:
        print_answer(answer)
    data = "" if settings.data_dir == Path("data").resolve() else f" --data {shlex.quote(str(settings.data_dir))}"
    command = Path(sys.prefix, "bin", "acronis-pipeline")
    command = command.relative_to(Path.cwd()) if command.is_relative_to(Path.cwd()) else command
    echo("\nNext:")
    echo(f'  {command} ask{data} "Can I restore to different hardware?"')
    echo(f"  {command} ui{data}      # the lineage graph in Dagster, the runs in MLflow (also: make ui)")
    echo(f"  {command} run --site https://docs.example.com/ --data data-example   # your own site")


def print_answer(answer: Answer) -> None:
    """Question, answer and the passages it cites."""
    width = min(shutil.get_terminal_size().columns, 120)
    typer.echo(f"\n  {answer.question}")
    typer.echo(textwrap.fill(answer.text, width, initial_indent="    ", subsequent_indent="    "))
    for citation in answer.citations:
        where = f"{citation.title} > {citation.heading}" if citation.heading else citation.title
        typer.echo(f"    [{citation.number}] {where}  {citation.url}")


def print_recipe(recipe: Recipe) -> None:
    """Every key of a recipe with its value, and what it is for where that is said."""
    typer.echo(f"{recipe.name}: {' '.join(recipe.description.split())}\n")
    own = {"name", "description", "parameters"}
    keys = [_key(recipe, name) for name in type(recipe).model_fields if name not in own]
    parameters = [_key(recipe.parameters, name, "  ") for name in type(recipe.parameters).model_fields]
    print_table([*keys, ("parameters:", "", ""), *parameters], n_left=3)


def _key(model: BaseModel, name: str, indent: str = "") -> tuple[str, str, str]:
    from pydantic import BaseModel

    value = getattr(model, name)
    shown = str(value) if isinstance(value, BaseModel) else "unset" if value is None else repr(value)
    return f"{indent}{name}:", shown, type(model).model_fields[name].description or ""


def bench_as_json(result: BenchResult) -> dict[str, Any]:
    """Everything as plain values."""
    from acronis_pipeline.reporting import view

    return {
        "table": view.table_rows(result.reports),
        "training_s": result.training_s,
        "chosen": result.chosen,
        "comparisons": [
            {"recipe": report.recipe, "a": c.a, "b": c.b, "metric": c.metric, **vars(c.difference)}
            for report in result.reports
            for c in report.comparisons
        ],
        "forgetting": [
            {"recipe": report.recipe, **asdict(found)} for report in result.reports for found in report.forgetting
        ],
        "notes": list(dict.fromkeys(caveat for report in result.reports for caveat in report.caveats)),
    }


def print_bench(result: BenchResult) -> None:
    """The comparison table and what training took."""
    from acronis_pipeline.reporting import view

    typer.echo(view.table_as_text(result.reports))
    for recipe, seconds in result.training_s.items():
        typer.echo(f"training {recipe}: {seconds:.1f} s, {result.chosen[recipe]} chosen")


def outcome_as_json(outcome: PipelineResult) -> dict[str, Any]:
    from acronis_pipeline.reporting import view

    champion = outcome.champion
    return {
        "run_ids": list(outcome.run_ids),
        "changed": list(outcome.changed),
        "duration_s": outcome.duration_s,
        "table": view.table_rows(outcome.reports),
        "reports": [json.loads(report.to_json()) for report in outcome.reports],
        "unanswerable": list(dict.fromkeys(q for report in outcome.reports for q in report.unanswerable)),
        "unscored": list(dict.fromkeys(q for report in outcome.reports for q in report.unscored)),
        "champion": {
            "recipe": champion.recipe,
            "system": champion.system.name,
            "dense_weight": champion.system.dense_weight,
            "model_id": champion.model_id,
            "reason": outcome.verdict,
            "promoted_at": champion.promoted_at.isoformat(timespec="seconds"),
            "promoted_because": champion.reason,
        },
        "answers": [answer_as_json(answer) for answer in outcome.answers],
    }


def answer_as_json(answer: Answer) -> dict[str, Any]:
    return {
        "question": answer.question,
        "answered": answer.answered,
        "answer": answer.text,
        "citations": [asdict(citation) for citation in answer.citations],
        "passages": [asdict(hit) for hit in answer.hits],
    }
