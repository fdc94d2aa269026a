"""A handful of pairs with their passages, for a person's eye."""

from collections import defaultdict
from dataclasses import dataclass

from acronis_pipeline.core.errors import EmptyCorpusError
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.store import Store, quoted, tables


@dataclass(frozen=True)
class Shown:
    """One pair. `reason` is why it was rejected, None for a kept one; `n_passages` counts its gold passages.

    `removed` is the sentence of the passage that the query was made from: training takes it out. Empty for most.
    """

    pair_id: str
    query: str
    style: str
    generator: str
    split: str
    reason: str | None
    copy_rate: float
    url: str
    passage: str
    removed: str
    n_passages: int


def sample(
    store: Store,
    n: int,
    *,
    rejected: bool = False,
    style: str | None = None,
    split: str | None = None,
    generator: str | None = None,
    reason: str | None = None,
    seed: int = 0,
) -> list[Shown]:
    """Pairs chosen by hash, every style (of rejected ones: every reason) in turn; the same seed shows the same ones.

    Parameters
    ----------
    reason
        Part of a reject reason; implies rejected ones.

    Raises
    ------
    EmptyCorpusError
        If no pair is as asked for; the message names what there is.
    """
    rejected = rejected or reason is not None
    wanted = {"style": style, "split": split, "generator": generator}
    conditions = [f"status = '{'rejected' if rejected else 'kept'}'"]
    conditions += [f"{column} = {quoted(value)}" for column, value in wanted.items() if value]
    rows = store.read(tables.PAIRS, where=" AND ".join(conditions)).to_pylist()
    rows = [row for row in rows if reason is None or reason in (row["reject_reason"] or "")]
    if not rows:
        raise EmptyCorpusError(_nothing(store, rejected=rejected))
    kinds: dict[str, list[str]] = defaultdict(list)
    by_id = {row["pair_id"]: row for row in rows}
    for pair_id in sorted(by_id, key=lambda pair_id: digest(str(seed), pair_id)):
        kinds[by_id[pair_id]["reject_reason" if rejected else "style"]].append(pair_id)
    turns = sorted((place, kind, pair_id) for kind, ids in kinds.items() for place, pair_id in enumerate(ids))
    chosen = [by_id[pair_id] for _, _, pair_id in turns[:n]]
    passages = store.read(tables.CHUNKS, columns=["chunk_id", "passage"]).to_pydict()
    passage_of = dict(zip(passages["chunk_id"], passages["passage"], strict=True))
    return [
        Shown(
            pair_id=row["pair_id"],
            query=row["query"],
            style=row["style"],
            generator=row["generator"],
            split=row["split"],
            reason=row["reject_reason"],
            copy_rate=row["copy_rate"],
            url=row["url"],
            passage=passage_of.get(row["chunk_ids"][0], "(this passage is not in the corpus any more)"),
            removed=row["removed"] or "",
            n_passages=len(row["chunk_ids"]),
        )
        for row in chosen
    ]


def _nothing(store: Store, *, rejected: bool) -> str:
    columns = ["style", "split", "generator", "reject_reason", "status"]
    pairs = store.read(tables.PAIRS, columns=columns)
    if not len(pairs):
        return "there are no pairs yet; run the pipeline or materialize synthetic_pairs first"
    status = "rejected" if rejected else "kept"
    rows = [row for row in pairs.to_pylist() if row["status"] == status]
    there = {column: sorted({row[column] for row in rows if row[column]}) for column in columns[:4]}
    offers = "; ".join(f"{column}: {', '.join(values)}" for column, values in there.items() if values)
    return f"no {status} pair is like that; there are {offers or f'no {status} pairs at all'}"
