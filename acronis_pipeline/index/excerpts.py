"""Excerpts of passages, whose words are searched beside those of the whole passage.

Five words of a question within one paragraph tell more than the same five scattered over two pages, and BM25 of a long
passage cannot tell these apart. So hybrids score a passage by its best excerpt as well (passage-level evidence: Callan,
SIGIR 1994). Excerpts have a table of their own beside the passages table: LanceDB joins the texts of a list before it
scores them (0.40). What they gain is in docs/benchmarks.md.
"""

from collections.abc import Iterator

import pyarrow as pa

from acronis_pipeline.core.hashing import digest
from acronis_pipeline.store import Store, tables

WORDS = 100
"""In an excerpt; half of them stand in the next one too. On 668 questions over 334 passages, which are evaluated on
nowhere else, the hybrid of the untouched base gains .014, .021 and .017 with 50, 100 and 150
(benchmarks/results/excerpts.json)."""


def is_left_over(store: Store, name: str) -> bool:
    """Whether a table holds excerpts of a passages table that is not there."""
    passages = tables.excerpts_are_of(name)
    return passages is not None and not store.exists(passages)


def cut(passage: str) -> list[str]:
    """Excerpts of a passage, overlapping by half; the passage itself where it is no longer than one."""
    words, step = passage.split(), WORDS // 2
    if len(words) <= WORDS:
        return [passage]
    return [" ".join(words[start : start + WORDS]) for start in range(0, len(words) - step, step)]


def bring_in_step(store: Store, passages: str, wanted: pa.Table) -> None:
    """Make the excerpts of a passages table those of the `wanted` content rows; only differences are written, at once.

    What is there is compared with what should be, so that whatever a kill left undone is done the next time. By their
    keys, which takes a fifth of the time of cutting all passages and comparing texts.
    """
    table, keys = tables.excerpts(passages), [_key(*row) for row in _texts(wanted)]
    known = store.read(table, columns=["excerpt_id"]).column("excerpt_id").to_pylist()
    there = {excerpt_id: excerpt_id.rpartition(":")[0] for excerpt_id in known}
    expected, done = set(keys), set(there.values())
    missing = wanted.filter(pa.array([key not in done for key in keys], pa.bool_()))
    gone = [excerpt_id for excerpt_id, key in there.items() if key not in expected]
    if missing.num_rows or gone:
        store.upsert(table, rows_of(missing), delete_keys=gone)


def rows_of(passages: pa.Table) -> pa.Table:
    """Excerpts of content rows, as `tables.excerpts` has them."""
    rows = [
        {"excerpt_id": f"{_key(chunk_id, passage)}:{ordinal}", "chunk_id": chunk_id, "text": text}
        for chunk_id, passage in _texts(passages)
        for ordinal, text in enumerate(cut(passage))
    ]
    return tables.excerpts("").rows(rows)


def _texts(rows: pa.Table) -> Iterator[tuple[str, str]]:
    return zip(rows["chunk_id"].to_pylist(), rows["passage"].to_pylist(), strict=True)


def _key(chunk_id: str, passage: str) -> str:
    """Of all excerpts of a passage as it reads now."""
    return f"{chunk_id}:{digest(str(WORDS), passage)}"
