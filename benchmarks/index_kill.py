"""Builds and refreshes of an index killed at random moments: what readers find, and whether the next build completes.

    python benchmarks/index_kill.py --kills 20 --out benchmarks/results/index-kill.json

Half of the kills meet a first build, half a refresh in which a third of the passages changed. The moments are spread
over the time that an undisturbed one takes. Vectors come from a cheap encoder that takes a millisecond for a passage,
so that embedding is some of that time and the writing of rows and indexes (full text, scalar, approximate with its
measurement) the rest.
"""

import argparse
import json
import tempfile
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from acronis_pipeline_tests.index.killed_build import build, complete, kill, moments


def measure(n_kills: int, n_passages: int, seed: int) -> dict[str, object]:
    """Kills of refreshes of one table first, then of first builds of a table each."""
    with tempfile.TemporaryDirectory() as folder:
        uri = f"{folder}/lancedb"
        first_s, refresh_s = build(uri, "passages_kept", n_passages, 0), build(uri, "passages_kept", n_passages, 1)
        n_refreshes = n_kills // 2
        due = [("passages_kept", moment) for moment in moments(n_refreshes, refresh_s, seed)]
        due += [
            (f"passages_new{i}", moment) for i, moment in enumerate(moments(n_kills - n_refreshes, first_s, seed + 1))
        ]
        rows = []
        for round_, (table, moment) in enumerate(due, start=2):
            killed = kill(uri, table, n_passages, round_, moment)
            # The next build may find yet another edition of the corpus.
            ended = complete(uri, table, n_passages, round_ + len(due))
            rows.append({"table": table, **asdict(killed), "sound": killed.sound, "next_completes": ended})
            print(rows[-1], flush=True)
    return {
        "passages": n_passages,
        "kills": len(rows),
        "first_build_s": round(first_s, 2),
        "refresh_s": round(refresh_s, 2),
        "sound": sum(row["sound"] for row in rows),
        "next_completes": sum(row["next_completes"] for row in rows),
        "left": dict(
            Counter(
                f"{'refresh' if row['table'] == 'passages_kept' else 'first build'}: {row['content']}" for row in rows
            )
        ),
        "each": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--passages", type=int, default=3_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    found = measure(asked.kills, asked.passages, asked.seed)
    text = json.dumps(found, indent=1)
    print(text)
    if asked.out:
        asked.out.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
