"""`acronis-pipeline extract`: what the extractor and the chunker make of one page, and what they leave out of it."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from acronis_pipeline.cli.terminal import DataOption, JsonOption, load_settings, print_json, print_table

if TYPE_CHECKING:
    from acronis_pipeline.chunk.splitter import PageChunk
    from acronis_pipeline.core.settings import Settings
    from acronis_pipeline.crawl.look import Seen


def extract(
    page: Annotated[
        str, typer.Argument(help="A file (HTML, PDF, Markdown, MDX, text), or an address.", metavar="FILE_OR_URL")
    ],
    url: Annotated[
        str | None, typer.Option(help="The file's address, for its relative links.", show_default=False)
    ] = None,
    chunks: Annotated[bool, typer.Option("--chunks", help="Show the passages with their tokens, too.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what is read of a page: its content as Markdown, and what was taken out of that, by which rule."""
    from acronis_pipeline.crawl.look import look

    settings = load_settings(data)
    seen = look(page, settings.site, url=url)
    passages = _passages(seen, settings) if chunks else None
    if as_json:
        print_json(_as_json(seen, passages))
        return
    _print(seen)
    if isinstance(passages, str):
        typer.echo(f"\nno passage: {passages}")
        return
    for passage in passages or ():
        typer.echo(f"\n--- passage {passage.ordinal + 1}, {passage.n_tokens} tokens, #{passage.anchor or ''}")
        typer.echo(passage.passage)


def _passages(seen: Seen, settings: Settings) -> list[PageChunk] | str:
    """The passages, or the reason why there are none."""
    from acronis_pipeline.chunk.pages import refusal
    from acronis_pipeline.chunk.splitter import chunk_page
    from acronis_pipeline.encoders import TokenCounter, find_base

    if reason := refusal(seen.content):
        return reason
    counter = TokenCounter(find_base(settings.model.base))
    return chunk_page(seen.content, seen.url, settings.chunk, counter) or "empty"


def _as_json(seen: Seen, passages: list[PageChunk] | str | None) -> dict[str, Any]:
    content = asdict(seen.content)
    told = {"url": seen.url, "media_type": seen.media_type, **content, "robots": sorted(seen.content.robots)}
    if passages is not None:
        told["chunks"] = [] if isinstance(passages, str) else [asdict(passage) for passage in passages]
        told["no_chunks_because"] = passages if isinstance(passages, str) else None
    return told


def _print(seen: Seen) -> None:
    content, echo = seen.content, typer.echo
    facts = {
        "address": seen.url,
        "title": content.title,
        "language": content.language or "not said",
        "format": seen.media_type,
        "found by": content.method,
        "canonical address": content.canonical_url or "not said",
        "links": f"{len(content.links):,}",
        "words": f"{len(content.markdown.split()):,}",
    }
    print_table(facts.items(), n_left=2)
    echo("\nheadings:")
    for heading in content.headings:
        echo(f"  {'  ' * (heading.level - 1)}{heading.text}" + (f"  #{heading.anchor}" if heading.anchor else ""))
    echo("\ntaken out of the content:" + ("" if content.removed else " nothing"))
    for removed in content.removed:
        samples = textwrap.shorten(" · ".join(removed.samples), 200)
        echo(f"  {removed.rule} ({removed.count:,}): {samples}")
    echo(f"\n{content.markdown}")
