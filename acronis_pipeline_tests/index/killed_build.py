"""A build of an index in a process of its own that can be killed, over a corpus of which a third changes each round."""

import random
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from acronis_pipeline import index
from acronis_pipeline.core.dataset import singletons
from acronis_pipeline.core.settings import IndexSettings
from acronis_pipeline.index import passage_rows
from acronis_pipeline.store import Store, tables
from acronis_pipeline_tests.index.corpora import WordEncoder

SETTINGS = IndexSettings(ann_min_rows=256, vectors="int4", recall=0.98, keep_models=3)
"""An approximate index on the smallest table that can have one, so that its build is killed too."""


class SlowEncoder(WordEncoder):
    """Takes a millisecond for a passage, so that kills meet the embedding as well as the writing."""

    def encode_passages(self, passages: Sequence[str]) -> np.ndarray:
        time.sleep(0.001 * len(passages))
        return super().encode_passages(passages)


def corpus(n: int, round_: int) -> pa.Table:
    """`n` passages; every third reads differently in each round, and one has gone."""
    gone = round_ % n
    texts = [(f"c{i}", f"Passage {i} of edition {round_ if i % 3 == 0 else 0}") for i in range(n) if i != gone]
    return passage_rows(singletons(texts))


@dataclass(frozen=True)
class Killed:
    """What a killed build left: `content` is old, new, none (no table yet) or unfinished; `previous_kept` says whether
    the version before reads as before."""

    after_s: float
    content: str
    previous_kept: bool

    @property
    def sound(self) -> bool:
        return self.content != "mixed" and self.previous_kept


def build(uri: str, table: str, n: int, round_: int, *, kill_after_s: float | None = None) -> float:
    """Run a build in another process, killed so many seconds after its start; gives the seconds that it ran."""
    command = [sys.executable, "-m", __name__, uri, table, str(n), str(round_)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert child.stdout.readline() == "begin\n"
        started = time.monotonic()
        try:
            code = child.wait(timeout=kill_after_s)
        except subprocess.TimeoutExpired:
            child.kill()
        else:
            assert code == 0
        return time.monotonic() - started


def kill(uri: str, table: str, n: int, round_: int, after_s: float) -> Killed:
    """Kill the build of a round and look at what is left, which must be the content of the round before or of this."""
    store = Store(uri)
    existed = store.exists(table)
    version, old = store.version(table), index.read_content(store, table)
    ran_s = build(uri, table, n, round_, kill_after_s=after_s)
    found, new = index.read_content(store, table), corpus(n, round_)
    previous = store.open(table) if existed else None
    if previous is not None:
        previous.checkout(version)
    kept = previous is None or same(previous.search().select(old.column_names).limit(n + 1).to_arrow(), old)
    return Killed(round(ran_s, 3), _outcome(store, table, found, old, new), kept)


def _outcome(store: Store, table: str, found: pa.Table, old: pa.Table, new: pa.Table) -> str:
    if not store.exists(table):
        return "none"
    if not index.is_finished(store, table):
        return "unfinished"
    return "new" if same(found, new) else "old" if same(found, old) else "mixed"


def same(one: pa.Table, other: pa.Table) -> bool:
    """Whether two tables hold the same rows in any order."""
    return one.sort_by("chunk_id").to_pylist() == other.sort_by("chunk_id").select(one.column_names).to_pylist()


def complete(uri: str, table: str, n: int, round_: int) -> bool:
    """The next build, here; whether it came to its end and the table holds what it should, in every index."""
    store = Store(uri)
    refresh(store, table, n, round_)
    opened = [store.open(name) for name in (table, tables.excerpts(table))]
    indexed = all(part.num_unindexed_rows == 0 for one in opened for part in one.list_indices())
    excerpted = {row["chunk_id"]: row["text"] for row in opened[1].search().limit(2 * n).to_list()}
    content = index.read_content(store, table)
    words_in_step = excerpted == dict(zip(content["chunk_id"].to_pylist(), content["passage"].to_pylist(), strict=True))
    return index.is_finished(store, table) and indexed and words_in_step and same(content, corpus(n, round_))


def refresh(store: Store, table: str, n: int, round_: int) -> None:
    """What is killed."""
    encoder = SlowEncoder()
    index.refresh_from(store, index.IndexedModel(table, encoder), corpus(n, round_), SETTINGS)


def moments(count: int, span_s: float, seed: int) -> list[float]:
    """Random moments within a build's duration, one in each of `count` equal parts of it, shuffled."""
    draw = random.Random(seed)
    found = [span_s * (part + draw.random()) / count for part in range(count)]
    draw.shuffle(found)
    return found


def main() -> None:
    uri, table, n, round_ = sys.argv[1:]
    store = Store(uri)  # imports LanceDB, which belongs before the clock
    print("begin", flush=True)
    refresh(store, table, int(n), int(round_))


if __name__ == "__main__":
    main()
