"""What a refresh of the chunks found and did, in figures for the UI."""

from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from acronis_pipeline.fingerprint import digest_rows

Row = dict[str, Any]


@dataclass(frozen=True)
class ChunkResult:
    """What a refresh found and did.

    `added`, `removed` and `kept` count chunk ids against the table before; `dropped` live pages without a passage by
    reason, those seen in earlier runs included; `n_clusters` near-duplicate clusters of any size, `duplicates` chunks
    that share theirs with another, `exact_duplicates` chunks whose passage stands under another id as well (questions
    are asked of one of them). `repeated` are paragraphs on too many pages, with examples; `repeated_removed` how often
    one was taken out. `data_version` changes if and only if something that matters downstream did.
    """

    strategy: str
    n_pages: int
    n_chunks: int
    pages_chunked: int
    added: int
    removed: int
    kept: int
    dropped: dict[str, int]
    n_clusters: int
    duplicates: int
    exact_duplicates: int
    largest_clusters: list[Row]
    repeated: list[Row]
    n_repeated: int
    repeated_removed: int
    anchor_texts: int
    languages: dict[str, int]
    tokens: list[int]
    table_version: int
    data_version: str
    examples: list[Row] = field(default_factory=list)
    duration_s: float = 0.0

    @property
    def mean_tokens(self) -> float:
        return sum(self.tokens) / len(self.tokens)

    @property
    def max_tokens(self) -> int:
        return max(self.tokens)


def of_rows(rows: Mapping[str, Row], before: Mapping[str, Row]) -> dict[str, Any]:
    """The fields of a result that the rows of the table tell, now and before."""
    clusters = Tally(row["cluster_id"] for row in rows.values())
    passages = Tally((row["title"], tuple(row["heading_path"]), row["text"]) for row in rows.values())
    in_order = sorted(rows.values(), key=lambda row: (row["url"], row["ordinal"]))
    return {
        "n_chunks": len(rows),
        "added": len(rows.keys() - before.keys()),
        "removed": len(before.keys() - rows.keys()),
        "kept": len(rows.keys() & before.keys()),
        "n_clusters": len(clusters),
        "duplicates": sum(size for size in clusters.values() if size > 1),
        "exact_duplicates": sum(size - 1 for size in passages.values()),
        "largest_clusters": _largest(rows, clusters),
        "languages": dict(Tally(row["language"] for row in rows.values())),
        "tokens": [row["n_tokens"] for row in in_order],
        "data_version": digest_rows((row["chunk_id"], row["passage"], row["cluster_id"]) for row in rows.values()),
        "examples": _spread(in_order, ("url", "anchor", "heading_path", "n_tokens", "text")),
    }


def _spread(in_order: Sequence[Row], shown: Sequence[str], count: int = 8) -> list[Row]:
    """Rows evenly spread over the corpus."""
    return [{name: row[name] for name in shown} for row in in_order[:: max(1, len(in_order) // count)][:count]]


def _largest(rows: Mapping[str, Row], clusters: Tally[str], count: int = 5) -> list[Row]:
    largest = sorted(
        ((size, cluster) for cluster, size in clusters.items() if size > 1), key=lambda one: (-one[0], one[1])
    )
    return [{"chunks": size, "url": rows[c]["url"], "text": rows[c]["text"]} for size, c in largest[:count]]
