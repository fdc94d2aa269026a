"""What an index leaves behind: old versions, tables of models nobody goes back to, vectors of passages that went."""

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from acronis_pipeline.core.errors import IdentityMismatchError
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.index import excerpts
from acronis_pipeline.index.rows import read_identity
from acronis_pipeline.index.table import PREFIX, part_bytes
from acronis_pipeline.store import Store, tables

_log = logging.getLogger(__name__)
_SPARE_VECTORS = 5_000
"""Beside as many as are in use: pages come back, and other sets of questions cache their passages there too."""


@dataclass(frozen=True)
class Dropped:
    """A table that is gone, or a cache (`vectors_…`) that lost rows or went altogether."""

    table: str
    rows: int
    size_bytes: int


def tables_in_use(current: Iterable[str], promoted: Sequence[str], keep_models: int) -> set[str]:
    """Tables that must stay.

    Parameters
    ----------
    current
        Of the models that recipes have now, and of their bases.
    promoted
        Of every champion so far, oldest first; the last one is the current one's.
    keep_models
        How many tables before the current champion's can be rolled back to.
    """
    newest_first = list(dict.fromkeys(reversed(promoted)))
    return {*current, *newest_first[: 1 + keep_models]}


def prune(store: Store, keep: Collection[str]) -> list[Dropped]:
    """Drop the passages tables that are not in `keep` and the vectors that only they needed; compact every other table.

    A table named `…_of_TABLE`, made to be compared with TABLE, goes with it. Run it after the indexes are up to date
    and before tags are moved: cleaning up spares what a tag holds and everything after it.
    """
    indexes = [name for name in store.names() if name.startswith(PREFIX)]
    kept = [name for name in indexes if name in keep or name.rpartition("_of_")[2] in keep]
    caches = {cache for name in kept for cache in _caches_of(store, name)}
    dropped: list[Dropped] = []
    for name in sorted(set(indexes) - set(kept)):
        unneeded = _caches_of(store, name) - caches
        dropped.append(_drop(store, name))
        dropped += [_drop(store, cache) for cache in sorted(unneeded) if store.exists(cache)]
    dropped += _without_stale_vectors(store, kept, sorted(caches))
    for name in store.names():
        if excerpts.is_left_over(store, name):  # a first build was killed before it came to the passages
            dropped.append(_drop(store, name))
    store.tidy()
    return dropped


def _drop(store: Store, name: str) -> Dropped:
    table = store.open(name)
    gone = Dropped(name, int(table.count_rows()), sum(part_bytes(store, name).values()))
    store.drop(name)
    store.drop(tables.excerpts(name))
    _log.info("dropped table %s (%d rows): no recipe, champion or rollback needs it", name, gone.rows)
    return gone


def _without_stale_vectors(store: Store, indexes: Iterable[str], caches: Iterable[str]) -> list[Dropped]:
    """Takes vectors of passages that are in no table any more out of caches that have more of them than others."""
    limit = 2 * store.count(tables.CHUNKS) + _SPARE_VECTORS
    overfull = [cache for cache in caches if store.count(cache) > limit]
    if not overfull:
        return []
    texts = {
        text
        for name in (tables.CHUNKS.name, *indexes)
        for text in store.read(tables.CONTENT.named(name), columns=["passage"]).column("passage").to_pylist()
    }
    hashes = {digest(text) for text in texts}
    return [_shrunk(store, cache, hashes) for cache in overfull]


def _shrunk(store: Store, cache: str, needed: Collection[str]) -> Dropped:
    table = tables.Table(cache, store.open(cache).schema)
    known = store.read(table, columns=["passage_hash"]).column("passage_hash").to_pylist()
    stale = [known_hash for known_hash in known if known_hash not in needed]
    store.delete(table, stale)
    store.compact(cache)
    return Dropped(cache, len(stale), len(stale) * tables.dimension_of(table.schema) * 4)


def _caches_of(store: Store, table: str) -> set[str]:
    """The caches of vectors of a passages table's model; none if the table does not name it."""
    try:
        identity = read_identity(store, table)
    except IdentityMismatchError:
        return set()
    return {tables.vectors_name(side) for side in (identity.document_fingerprint, identity.query_fingerprint)}
