"""What the command line prints: progress by stage on standard error, results on standard output."""

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
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from pydantic import BaseModel

from acronis_pipeline.core.settings import Settings
from acronis_pipeline.reporting import table

if TYPE_CHECKING:
    from acronis_pipeline.answer import Answer
    from acronis_pipeline.api import PipelineResult
    from acronis_pipeline.bench import BenchResult
    from acronis_pipeline.finetune import Recipe

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


def print_outcome(outcome: PipelineResult, settings: Settings) -> None:
    """The comparison table, the champion, the customer questions answered, and what to type next."""
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
    echo(table.as_text(outcome.reports))
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
    for name, field in type(recipe).model_fields.items():
        if name not in {"name", "description", "parameters"}:
            _print_key(name, getattr(recipe, name), field.description)
    typer.echo("parameters:")
    for name, field in type(recipe.parameters).model_fields.items():
        _print_key(f"  {name}", getattr(recipe.parameters, name), field.description)


def _print_key(name: str, value: Any, description: str | None) -> None:
    shown = str(value) if isinstance(value, BaseModel) else "unset" if value is None else repr(value)
    text = f"{name + ':':<24} {shown:<14} {description or ''}".rstrip()
    typer.echo(textwrap.fill(text, shutil.get_terminal_size((100, 24)).columns, subsequent_indent=" " * 40))


def print_bench(result: BenchResult) -> None:
    """The comparison table and what training took."""
    typer.echo(table.as_text(result.reports))
    for recipe, seconds in result.training_s.items():
        typer.echo(f"training {recipe}: {seconds:.1f} s, {result.chosen[recipe]} chosen")


def outcome_as_json(outcome: PipelineResult) -> dict[str, Any]:
    champion = outcome.champion
    return {
        "run_ids": list(outcome.run_ids),
        "changed": list(outcome.changed),
        "duration_s": outcome.duration_s,
        "table": table.rows(outcome.reports),
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
