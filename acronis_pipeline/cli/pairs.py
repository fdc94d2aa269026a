"""`acronis-pipeline pairs …`: look at the training and test questions, take them elsewhere, bring in others."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from acronis_pipeline.cli.terminal import DataOption, JsonOption, load_settings, opened, print_json

app = typer.Typer(no_args_is_help=True, help="Look at the questions made from the site, export and import them.")


@app.command()
def sample(
    n: Annotated[int, typer.Option("-n", "--number", help="How many.", min=1)] = 10,
    rejected: Annotated[bool, typer.Option("--rejected", help="Show what the filters refused, and why.")] = False,
    reason: Annotated[str | None, typer.Option(help="Part of a reject reason.", show_default=False)] = None,
    style: Annotated[str | None, typer.Option(help="Only this style, such as how-to.", show_default=False)] = None,
    split: Annotated[str | None, typer.Option(help="train, validation or test.", show_default=False)] = None,
    generator: Annotated[str | None, typer.Option(help="Only this generator's.", show_default=False)] = None,
    seed: Annotated[int, typer.Option(help="Another seed shows other pairs.")] = 0,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show pairs side by side with the passages they were made from."""
    from acronis_pipeline.pairs.sampling import sample as draw

    store = opened(load_settings(data))
    shown = draw(store, n, rejected=rejected, reason=reason, style=style, split=split, generator=generator, seed=seed)
    if as_json:
        print_json([vars(pair) for pair in shown])
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("question", "passage", show_lines=True, expand=True)
    for pair in shown:
        about = f"{pair.style} · {pair.split} · {pair.generator} · copied {pair.copy_rate:.0%}"
        more = f"\n(and {pair.n_passages - 1} more)" if pair.n_passages > 1 else ""
        more += f"\n\ntrained without: {pair.removed}" if pair.removed else ""
        verdict = f"\nrejected: {pair.reason}" if pair.reason else ""
        table.add_row(Text(f"{pair.query}\n\n{about}{verdict}"), Text(f"{pair.passage}\n\n{pair.url}{more}"))
    Console().print(table)


@app.command(name="export")
def export_pairs(
    folder: Annotated[Path, typer.Argument(help="Folder to write to.")],
    layout: Annotated[
        Literal["llama-index", "beir"], typer.Option("--format", help="A JSON file per split, or a BEIR folder.")
    ] = "llama-index",
    rejected: Annotated[bool, typer.Option("--rejected", help="Rejected pairs too, marked in their metadata.")] = False,
    data: DataOption = None,
) -> None:
    """Write the pairs for other tools: LlamaIndex EmbeddingQAFinetuneDataset JSON or BEIR."""
    from acronis_pipeline.pairs import interchange
    from acronis_pipeline.pairs.beir import write_beir
    from acronis_pipeline.pairs.llama_index import write_llama_index

    labelled = interchange.labelled(opened(load_settings(data)), rejected=rejected)
    write = write_beir if layout == "beir" else write_llama_index
    files = write(labelled, folder)
    typer.echo(f"{len(labelled.queries)} questions over {len(labelled.corpus)} passages:")
    for file in files:
        typer.echo(f"  {file}")


@app.command(name="import")
def import_pairs(
    path: Annotated[Path, typer.Argument(help="LlamaIndex JSON file, folder of such files, or BEIR folder.")],
    source: Annotated[
        str | None,
        typer.Option(help="Name of this collection; importing it again replaces it.", show_default="the file's name"),
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add pairs from elsewhere; their passages are found in this corpus by id, text or overlap."""
    from acronis_pipeline.pairs import interchange, labelled_datasets

    labelled = labelled_datasets.read(path)
    taken = interchange.take_in(opened(load_settings(data)), labelled, source=source or path.stem)
    if as_json:
        print_json(vars(taken))
        return
    typer.echo(f"{taken.n_pairs} pairs imported ({taken.n_new} new), {taken.n_matched} with a passage in this corpus")
    for query in taken.unmatched[:10]:
        typer.echo(f"  no passage for: {query}")
    if len(taken.unmatched) > 10:
        typer.echo(f"  … and {len(taken.unmatched) - 10} more (--json lists all)")
    typer.echo("They are filtered and split with the others when synthetic_pairs is materialized next.")


@app.command(name="imports")
def list_imports(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the collections that were imported."""
    from acronis_pipeline.pairs import interchange

    known = interchange.sources(opened(load_settings(data)))
    if as_json:
        print_json(known)
        return
    for source, n_pairs in known.items():
        typer.echo(f"{n_pairs:>7} pairs  {source}")
    if not known:
        typer.echo("nothing was imported")


@app.command()
def forget(
    source: Annotated[str, typer.Argument(help="As `pairs imports` lists it.")], data: DataOption = None
) -> None:
    """Remove an imported collection."""
    from acronis_pipeline.pairs import interchange

    n_pairs = interchange.forget(opened(load_settings(data)), source)
    typer.echo(f"{n_pairs} pairs of {source} forgotten; they go when synthetic_pairs is materialized next")
