"""`acronis-pipeline model …`: take a model elsewhere in another format, or run this pipeline on one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from acronis_pipeline.cli.terminal import DataOption, JsonOption, load_settings, opened, print_json
from acronis_pipeline.core.errors import ModelError

if TYPE_CHECKING:
    from acronis_pipeline.core.settings import Settings
    from acronis_pipeline.models.records import ModelRecord

app = typer.Typer(no_args_is_help=True, help="Export a model to ONNX or OpenVINO, and run the pipeline on the export.")


@app.command()
def export(
    model: Annotated[str, typer.Argument(help="A recipe with a trained model, or a model's folder.")],
    out: Annotated[Path, typer.Option(help="New folder to write to.", show_default=False)],
    layout: Annotated[
        Literal["onnx", "openvino", "openvino-int8"], typer.Option("--format", help="What to convert it to.")
    ] = "onnx",
    questions: Annotated[
        Path | None,
        typer.Option(
            help="LlamaIndex JSON or BEIR folder to judge by instead of the site's test questions.", show_default=False
        ),
    ] = None,
    max_loss: Annotated[
        float, typer.Option(help="Of nDCG@10; refused unless the 95 % interval excludes a greater loss.", min=0)
    ] = 0.02,
    use: Annotated[
        bool,
        typer.Option("--use", help="Let the recipe's index and report run on it from the next materialization on."),
    ] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Convert a model, ask it and the original the same test questions, and keep it only if it is as good."""
    from acronis_pipeline import encoders, pairs
    from acronis_pipeline import export as model_export
    from acronis_pipeline.encoders.endpoint import is_endpoint
    from acronis_pipeline.pairs import labelled_datasets

    settings = load_settings(data)
    record = _record(model, settings, needed=use)
    folder = record.folder if record else _folder(model, settings)
    if is_endpoint(folder):
        raise ModelError(f"recipe {model} runs on a model behind an endpoint, which has no weights to export")
    identity = record.identity if record else encoders.describe(folder, base=model)
    dataset = labelled_datasets.load(None, questions)[1] if questions else pairs.load_dataset(opened(settings))
    encoder = encoders.load_in_torch(folder, identity, device="cpu", batch_size=settings.model.batch_size)
    done = model_export.export(encoder, dataset, out.expanduser().resolve(), layout, max_loss=max_loss)
    if use and record:
        model_export.serve(opened(settings), record, done)
    if as_json:
        print_json({"folder": str(done.folder), "in_use": use, **done.as_json()})
        return
    judged, found = done.judgement, done.judgement.difference
    typer.echo(f"{done.folder}: {done.size_bytes / 1e6:.0f} MB, model {done.identity.model_id}")
    typer.echo(
        f"nDCG@10 {judged.exported:.4f}, original {judged.original:.4f}: {found.mean:+.4f} "
        f"[{found.low:+.4f}, {found.high:+.4f}] on {found.n} questions"
    )
    typer.echo(judged.speed.told("The exported model", "the original") + ".")
    if use:
        typer.echo(
            f"Recipe {model} runs on it when fine_tuned_model, lancedb_index and eval_report are materialized next. "
            "Until it is promoted, the champion answers as before."
        )


@app.command()
def restore(
    recipe: Annotated[str, typer.Argument(help="A recipe that runs on an exported model.")], data: DataOption = None
) -> None:
    """Let a recipe's index and questions run on its trained model again."""
    from acronis_pipeline.export import restore as restore_model

    record = restore_model(opened(load_settings(data)), recipe)
    typer.echo(f"recipe {recipe} runs on {record.folder} when lancedb_index[{recipe}] is materialized next")


def _folder(model: str, settings: "Settings") -> Path:
    from acronis_pipeline import encoders
    from acronis_pipeline.finetune.recipe import recipe_names

    try:
        return encoders.find_base(model)
    except ModelError as error:
        known = ", ".join(recipe_names(settings.recipes_dir))
        raise ModelError(f"{model} is none of the recipes ({known}), and no model either: {error}") from error


def _record(model: str, settings: "Settings", *, needed: bool) -> "ModelRecord | None":
    """The recipe's trained model; None if `model` is no recipe, but a folder or a base model."""
    from acronis_pipeline.finetune.recipe import recipe_names
    from acronis_pipeline.models.indexed import require_model

    if model not in recipe_names(settings.recipes_dir):
        if needed:
            raise ModelError(f"--use is for recipes, and {model} is none; see `acronis-pipeline recipes`")
        return None
    record = require_model(opened(settings), model)
    if record.is_export:
        raise ModelError(
            f"recipe {model} runs on the export {record.folder} already; `acronis-pipeline model restore {model}` first"
        )
    return record
