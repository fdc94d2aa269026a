"""Compare main-content extractors on documentation sites whose sources are known.

    python benchmarks/extraction.py --mkdocs velero SITE SOURCES --sphinx borg HTML --out FILE.json

Sites are built from Markdown with MkDocs Material; the Sphinx one is a Debian documentation package with its sources
(borgbackup-doc, unpacked). The peers are in benchmarks/requirements.txt; install them in a virtual environment of their
own and run with the repository on PYTHONPATH. Prints the table of docs/benchmarks.md.
"""

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path

from extraction_truth import Page, Score, mkdocs_pages, sphinx_pages

URL = "https://docs.example.com/"
Extractor = Callable[[str, str], str]


def ours(html: str, url: str) -> str:
    from acronis_pipeline.content import extract

    return extract(html, url=url).markdown


def trafilatura(html: str, url: str, **options: bool) -> str:
    from trafilatura import extract

    return (
        extract(
            html,
            url=url,
            output_format="markdown",
            include_tables=True,
            include_formatting=True,
            include_comments=False,
            **options,
        )
        or ""
    )


def trafilatura_recall(html: str, url: str) -> str:
    return trafilatura(html, url, favor_recall=True)


def resiliparse(html: str, url: str) -> str:
    from resiliparse.extract.html2text import extract_plain_text

    fragment = extract_plain_text(
        html, main_content=True, preserve_formatting="minimal_html", alt_texts=False, links=False, form_fields=False
    )
    return _markdown(fragment)


def readability(html: str, url: str) -> str:
    from readability import Document

    return _markdown(Document(html, url=url).summary(html_partial=True))


def whole_body(html: str, url: str) -> str:
    """No extraction at all: what the others are up against."""
    return _markdown(html)


def _markdown(html: str) -> str:
    """HTML that an extractor left, by the converter that ours uses: what differs is the choice of content alone."""
    from html_to_markdown import ConversionOptions, convert

    options = ConversionOptions(extract_metadata=False, escape_misc=False, compact_tables=True)
    return convert(html, options).content or ""


EXTRACTORS: dict[str, Extractor] = {
    "acronis_pipeline": ours,
    "trafilatura": trafilatura,
    "trafilatura, favor_recall": trafilatura_recall,
    "resiliparse": resiliparse,
    "readability-lxml": readability,
    "whole body": whole_body,
}


def measure(pages: Iterable[Page]) -> dict[str, dict[str, object]]:
    scores = {name: Score() for name in EXTRACTORS}
    pages = list(pages)
    for name, extractor in EXTRACTORS.items():
        extractor(pages[0].html, URL)  # imports and caches
        for page in pages:
            started = time.process_time()
            markdown = extractor(page.html, f"{URL}{page.name}/")
            scores[name].add(page, markdown, time.process_time() - started)
    return {name: score.summary() for name, score in scores.items()}


def table(results: dict[str, dict[str, dict[str, object]]]) -> str:
    columns = ("words_kept", "boilerplate_in_output", "headings_kept", "code_lines_kept", "table_cells_kept")
    lines = [
        "| site | extractor | words kept | boilerplate in output | headings kept | code lines kept | table cells kept "
        "| ms of CPU a page |",
        "|:--|:--|--:|--:|--:|--:|--:|--:|",
    ]
    for site, by_extractor in results.items():
        for name, result in by_extractor.items():
            shares = " | ".join("–" if result[c] is None else f"{100 * float(str(result[c])):.1f} %" for c in columns)
            lines.append(f"| {site} | {name} | {shares} | {result['ms_per_page']} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mkdocs", nargs=3, action="append", default=[], metavar=("NAME", "SITE", "SOURCES"))
    parser.add_argument("--sphinx", nargs=2, action="append", default=[], metavar=("NAME", "HTML"))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    sites = {name: list(mkdocs_pages(name, Path(site), Path(sources))) for name, site, sources in given.mkdocs}
    sites |= {name: list(sphinx_pages(name, Path(site))) for name, site in given.sphinx}
    if not sites or not all(sites.values()):
        parser.error("name at least one site, each with pages whose sources are there")
    results = {name: measure(pages) for name, pages in sites.items()}
    print(table(results))
    if given.out:
        peers = {name: version(name) for name in ("trafilatura", "resiliparse", "readability-lxml", "html-to-markdown")}
        about = {"python": platform.python_version(), "machine": platform.machine(), "versions": peers}
        given.out.write_text(json.dumps({"about": about, "sites": results}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
