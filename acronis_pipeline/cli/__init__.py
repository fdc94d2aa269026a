"""The command line. Every command calls the functions that the Dagster assets call.

Errors that the user can act on are printed as one line, with exit code 2; a bug keeps its traceback.
"""

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from acronis_pipeline import __version__
from acronis_pipeline.cli import champion, crawl, extract, model, pairs, reports, terminal
from acronis_pipeline.cli.terminal import DataOption, JsonOption, load_settings, print_json, print_table, show_progress
from acronis_pipeline.core import faults
from acronis_pipeline.core.errors import AcronisPipelineError, RecipeError, SettingsError

if TYPE_CHECKING:
    from acronis_pipeline.core.settings import Settings

_INTERRUPTED = 130

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # its panels import a Markdown parser and every lexer of Pygments, a second of CPU
    help="Turn a product's website into a fine-tuned retrieval model and index, and ask it questions.",
)
app.add_typer(champion.app, name="champion")
app.add_typer(crawl.app, name="crawl")
app.add_typer(model.app, name="model")
app.add_typer(pairs.app, name="pairs")
app.command()(extract.extract)
app.command()(reports.compare)
app.command()(reports.report)

RecipeOption = Annotated[
    list[str] | None, typer.Option("--recipe", help="Recipe to train and compare; may be repeated.", show_default=False)
]


@app.command()
def demo(data: DataOption = None, recipe: RecipeOption = None, as_json: JsonOption = False) -> None:
    """Run the whole pipeline on the bundled sample site and answer the four customer questions."""
    from acronis_pipeline import api

    settings = load_settings(data, site={"url": "sample"})
    outcome = api.run(settings, recipe or ["query_adapter", "full"], profile={"site": {"url": "sample"}})
    _print_outcome(outcome, as_json, settings)


@app.command()
def run(
    site: Annotated[
        str | None,
        typer.Option(
            help="Start page of the website, a sitemap, a folder, or `sample`; by default what the data folder knows.",
            show_default=False,
        ),
    ] = None,
    gold: Annotated[Path | None, typer.Option(help="Gold questions, YAML or JSON Lines.", show_default=False)] = None,
    data: DataOption = None,
    recipe: RecipeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the whole pipeline on any website: crawl, chunk, make pairs, train, index, evaluate, promote."""
    from acronis_pipeline import api

    profile: dict[str, Any] = {"site": {"url": site}} if site is not None else {}
    if gold:
        profile["gold_file"] = str(gold.expanduser().resolve())
    settings = load_settings(data, **profile)
    if "url" not in settings.site.model_fields_set:
        raise SettingsError(f"{settings.data_dir} knows no site yet; name one with --site")
    outcome = api.run(settings, recipe or [settings.default_recipe], profile=profile)
    _print_outcome(outcome, as_json, settings)


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="The question, in quotation marks.")],
    data: DataOption = None,
    k: Annotated[int | None, typer.Option(help="Passages to answer from.", min=1, max=100, show_default=False)] = None,
    extractive: Annotated[
        bool, typer.Option("--extractive", help="Quote passages even if an LLM is configured.")
    ] = False,
    path: Annotated[
        list[str] | None, typer.Option(help="Only pages whose path begins so; may be repeated.", show_default=False)
    ] = None,
    language: Annotated[
        list[str] | None, typer.Option(help="Only pages in this language; may be repeated.", show_default=False)
    ] = None,
    edition: Annotated[
        list[str] | None,
        typer.Option(help="Only pages of this edition (setting retrieval.editions).", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a question from the champion's index, with citations."""
    from acronis_pipeline.answer import Answerer
    from acronis_pipeline.retrieve import Filters

    settings = load_settings(data)
    where = Filters.named(path or (), language or (), edition or (), known_editions=settings.retrieval.editions)
    answer = Answerer(settings).ask(question, k=k, where=where, extractive=extractive)
    if as_json:
        print_json(terminal.answer_as_json(answer))
    else:
        terminal.print_answer(answer)


@app.command()
def bench(
    train: Annotated[Path, typer.Argument(help="LlamaIndex JSON (file or folder) or BEIR folder to train on.")],
    evaluation: Annotated[Path, typer.Argument(help="The same, to evaluate on.")],
    recipes: Annotated[str, typer.Option(help="Recipes, separated by commas.")] = "query_adapter",
    data: Annotated[
        Path | None, typer.Option("--data", help="Keep models and vectors here, to be reused.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Train on one labelled dataset, evaluate on another, and print the same table as the demo."""
    from acronis_pipeline.evaluate.bench import bench as run_bench

    settings = load_settings(data)
    names = [name.strip() for name in recipes.split(",") if name.strip()]
    result = run_bench(train, evaluation, names, settings=settings, keep_in=data)
    if as_json:
        print_json(terminal.bench_as_json(result))
    else:
        terminal.print_bench(result)


@app.command()
def recipes(
    name: Annotated[str | None, typer.Argument(help="Show every key of this one.", show_default=False)] = None,
) -> None:
    """List the recipes, packaged ones and those in the setting recipes_dir, or show one with all its keys."""
    from acronis_pipeline.finetune.recipe import load_recipe, recipe_names

    folder = load_settings().recipes_dir
    if name:
        terminal.print_recipe(load_recipe(name, folder))
        return
    rows: list[tuple[str, str, str]] = []
    faults: list[str] = []
    for known in recipe_names(folder):
        try:
            recipe = load_recipe(known, folder)
        except RecipeError as fault:
            faults.append(str(fault))
        else:
            rows.append((known, recipe.method, " ".join(recipe.description.split())))
    print_table(rows, n_left=3)
    if faults:
        raise RecipeError("; ".join(faults))


@app.command()
def ui(
    data: DataOption = None,
    port: Annotated[int, typer.Option(help="Port of the Dagster UI.", min=1, max=65535)] = 3000,
    mlflow_port: Annotated[int, typer.Option(help="Port of the MLflow UI.", min=1, max=65535)] = 5000,
) -> None:
    """Serve the Dagster UI (with its daemon) and the MLflow UI until Ctrl-C."""
    from acronis_pipeline.cli.ui import serve

    serve(
        load_settings(data),
        dagster_port=port,
        mlflow_port=mlflow_port,
        announce=lambda line: typer.echo(line, err=True),
    )


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def _print_outcome(outcome: Any, as_json: bool, settings: "Settings") -> None:
    if as_json:
        print_json(terminal.outcome_as_json(outcome))
    else:
        terminal.print_outcome(outcome, settings)


def _end(error: AcronisPipelineError) -> NoReturn:
    typer.echo(f"error: {' '.join(str(error).split())}", err=True)
    sys.exit(2)


def main() -> None:
    """Entry point of `acronis-pipeline`."""
    show_progress()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was begun is tidied up, as after Ctrl-C
    try:
        app(prog_name="acronis-pipeline")
    except AcronisPipelineError as error:
        _end(error)
    except Exception as error:
        told = faults.explain(error, terminal.data_dir())
        if told is None:  # a bug keeps its traceback
            raise
        _end(told)
    except SystemExit as ended:
        if ended.code == _INTERRUPTED:  # what Typer makes of Ctrl-C
            typer.echo("stopped; what is complete stays, and a run that is repeated continues from it", err=True)
        raise
