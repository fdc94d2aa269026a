"""CPU seconds of an index's first build, of a refresh with nothing changed, and of one with 1 % of passages changed.

    python benchmarks/index_refresh.py --passages 20000 --out benchmarks/results/index-refresh.json

Passages of some 128 tokens, made of the sample site's words, are embedded by the packaged MiniLM. Each step runs in a
process of its own, as a nightly run does, and counts all of it: imports, loading the model (only if something has to be
embedded), the indexes. `refresh_cpu_s` is the part after the imports and
the making of the texts.
"""

import argparse
import json
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_WORDS = 84
"""Of a passage: about 128 tokens of the model."""
_TABLE = "passages_base"


def passages(n: int, edition: int) -> list[tuple[str, str]]:
    """Ids and texts; in another edition every hundredth text differs."""
    from acronis_pipeline import sample_site

    pages = Path(sample_site.__file__).parent / "pages"
    text = " ".join(re.sub(r"<[^>]+>", " ", page.read_text("utf-8")) for page in pages.rglob("*.html"))
    words = sorted(set(re.findall(r"[a-z]{3,}", text)))
    found = []
    for number in range(n):
        draw = random.Random(f"{number} {edition if number % 100 == 0 else 0}")
        found.append((f"c{number}", " ".join(draw.choices(words, k=_WORDS))))
    return found


def step(uri: str, n: int, edition: int) -> dict[str, float]:
    """One refresh; figures of this process."""
    from acronis_pipeline import index
    from acronis_pipeline.core.dataset import singletons
    from acronis_pipeline.encoders import PACKAGED_BASE, DeferredEncoder, describe, find_base, load
    from acronis_pipeline.store import Store

    store, rows = Store(uri), index.passage_rows(singletons(passages(n, edition)))
    folder = find_base(PACKAGED_BASE)
    identity = describe(folder, base=PACKAGED_BASE, max_seq_length=256)
    encoder = DeferredEncoder(identity, lambda: load(folder, identity))
    before_s, started = cpu_s(), time.monotonic()
    result = index.refresh_from(store, index.IndexedModel(_TABLE, encoder), rows)
    return {
        "embedded": result.embedded,
        "added": result.added,
        "updated": result.updated,
        "version": result.version,
        "refresh_cpu_s": round(cpu_s() - before_s, 2),
        "refresh_s": round(time.monotonic() - started, 2),
        "process_cpu_s": round(cpu_s(), 2),
        "size_bytes": result.size_bytes,
    }


def cpu_s() -> float:
    """User and system seconds of this process and the children that ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def measure(n: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        steps = {"full_build": 0, "nothing_changed": 0, "one_percent_changed": 1, "nothing_changed_after": 1}
        figures: dict[str, dict[str, float]] = {}
        for name, edition in steps.items():
            command = [sys.executable, __file__, "--step", f"{folder}/lancedb", str(n), str(edition)]
            figures[name] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
            print(name, figures[name], flush=True)
    full = figures["full_build"]
    shares = {
        f"{name}_share_of_{kind}": round(figures[name][kind] / full[kind], 5)
        for name in ("nothing_changed", "one_percent_changed")
        for kind in ("process_cpu_s", "refresh_cpu_s")
    }
    return {"passages": n, **shares, **figures}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=20_000)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--step", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.step:
        uri, n, edition = asked.step
        print(json.dumps(step(uri, int(n), int(edition))))
        return
    found = measure(asked.passages)
    text = json.dumps(found, indent=1)
    print(text)
    if asked.out:
        asked.out.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
