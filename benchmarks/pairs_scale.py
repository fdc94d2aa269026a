"""Seconds and peak memory of the structural generator and all filters at several corpus sizes, a process each.

    python benchmarks/pairs_scale.py --sizes 1000,3000,10000 --out benchmarks/results/pairs-scale.json SOURCES...

SOURCES are Markdown files or folders of them; a corpus is their sections, again and again with other product names,
until it has the size asked for. `--round-trip` adds the round trip, which encodes every passage and query.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PARAGRAPHS = 3
"""Paragraphs of a chunk, about as much as the product's own chunks hold."""


@dataclass(frozen=True)
class Section:
    """A part of a source document."""

    page: str
    title: str
    heading: str
    text: str


def sections(sources: list[Path]) -> list[Section]:
    """Sections of all Markdown files, in the order of their paths."""
    files = sorted(f for source in sources for f in ([source] if source.is_file() else source.rglob("*.md")))
    return [section for file in files for section in _sections(file)]


def _sections(file: Path) -> Iterator[Section]:
    heading, paragraphs = file.stem, []
    for block in [*file.read_text("utf-8").split("\n\n"), "# end"]:
        if block.startswith("#") or len(paragraphs) == _PARAGRAPHS:
            if paragraphs:
                yield Section(str(file), file.stem.replace("-", " "), heading, "\n\n".join(paragraphs))
            paragraphs = []
        if block.startswith("#"):
            heading = block.strip("# \n").split("\n")[0]
        elif block.strip():
            paragraphs.append(block)


def write(store_uri: str, found: list[Section], size: int) -> None:
    """`size` chunks; every round over the sections is about another product."""
    from acronis_pipeline.store import Store, tables

    rows = []
    for number in range(size):
        turn, place = divmod(number, len(found))
        section, product = found[place], f"Product{turn} edition{turn * 7919 % 1000}"
        text = section.text.replace("Velero", f"Product{turn}").replace("Duplicati", f"Suite{turn}")
        title = f"{section.title} {product}"
        values = {
            "chunk_id": f"c{number}",
            "url": f"https://docs.example/{turn}/{section.page}",
            "title": title,
            "heading_path": [section.heading],
            "ordinal": place,
            "text": text,
            "passage": f"{title} > {section.heading}\n\n{text}",
            "cluster_id": f"c{number}",
            "language": "en",
        }
        rows.append({**dict.fromkeys(tables.CHUNKS.schema.names), **values})
    Store(store_uri).sync(tables.CHUNKS, tables.CHUNKS.rows(rows))


def measure(sources: list[Path], size: int, round_trip_k: int) -> dict[str, float]:
    """One refresh of an empty pairs table, in this process."""
    from acronis_pipeline import pairs
    from acronis_pipeline.core.settings import load_settings
    from acronis_pipeline.store import Store

    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(folder, pairs={"round_trip_k": round_trip_k})
        write(folder, sections(sources), size)
        before = resource.getrusage(resource.RUSAGE_SELF)
        started = time.monotonic()
        made = pairs.refresh(Store(folder), settings.pairs, settings.llm, settings.model)
        seconds = time.monotonic() - started
        after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"chunks": size, "seconds": round(seconds, 1), "cpu_s": round(cpu, 1), "peak_mb": after.ru_maxrss // 1024,
            "candidates": made.n_kept + made.n_rejected, "kept": made.n_kept}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="+", type=Path)
    parser.add_argument("--sizes", default="1000,3000,10000")
    parser.add_argument("--round-trip", type=int, default=0, metavar="K")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.sources, arguments.one, arguments.round_trip)))
        return
    found = []
    for size in arguments.sizes.split(","):
        command = [sys.executable, __file__, *map(str, arguments.sources), "--one", size,
                   "--round-trip", str(arguments.round_trip)]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found.append(json.loads(done.stdout.splitlines()[-1]))
        print(found[-1], flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
