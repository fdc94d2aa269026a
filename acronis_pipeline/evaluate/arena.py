"""Where systems meet: one corpus, indexed by the untouched base and by the recipe's model, and the systems over it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from acronis_pipeline.dataset import Question
from acronis_pipeline.embedding import Embedder
from acronis_pipeline.errors import IdentityMismatchError
from acronis_pipeline.evaluate.questions import Corpus
from acronis_pipeline.index.rows import content_version, read_content
from acronis_pipeline.retrieve import Batch, System, lexical, open_checked
from acronis_pipeline.store import Store

BASELINES = ("bm25", "base")
"""Systems without any training, of which the better one is the first champion's opponent."""


@dataclass(frozen=True)
class Arm:
    """A passages table and the model of its vectors."""

    table: str
    embedder: Embedder


@dataclass(frozen=True)
class Arena:
    """Questions about one corpus, and the tables that hold it; both tables must hold the same passages.

    Test and validation questions share their tables in the pipeline; in a benchmark of two files they need not.
    `lexical_queries` is what BM25 gets to see of each question, where that is not the question itself (`own_words`).
    """

    questions: tuple[Question, ...]
    base: Arm
    fine_tuned: Arm | None = None
    lexical_queries: tuple[str, ...] | None = None

    def arm(self, system: str) -> Arm:
        """The arm that a system searches."""
        if system in ("fine_tuned", "hybrid"):
            if self.fine_tuned is None:
                raise ValueError(f"there is no fine-tuned model here, so no system {system}")
            return self.fine_tuned
        return self.base


def systems(arena: Arena, weight_of: dict[str, float]) -> list[System]:
    """The systems of a report, in the order of its table; `weight_of` holds the dense weight of each hybrid."""
    untouched = [
        System("bm25", "bm25", arena.base.table),
        System("base", "dense", arena.base.table),
        System("hybrid_base", "hybrid", arena.base.table, weight_of["hybrid_base"]),
    ]
    if arena.fine_tuned is None:
        return untouched
    tuned = arena.fine_tuned.table
    bm25, base, hybrid_base = untouched
    return [
        *(bm25, base, System("fine_tuned", "dense", tuned)),
        *(hybrid_base, System("hybrid", "hybrid", tuned, weight_of["hybrid"])),
    ]


def read_corpus(store: Store, arena: Arena) -> Corpus:
    """The passages of an arena.

    Raises
    ------
    IdentityMismatchError
        If its two tables hold different passages, which would compare systems on different tasks.
    """
    tables = {arena.base.table, arena.arm("fine_tuned").table if arena.fine_tuned else arena.base.table}
    if len({content_version(store, table) for table in tables}) > 1:
        raise IdentityMismatchError(
            f"tables {' and '.join(sorted(tables))} hold different passages, not to be compared; refresh both indexes"
        )
    return Corpus(read_content(store, arena.base.table))


class Rankings:
    """All systems' rankings of the same queries; encodings, BM25 lists and similarities are shared between them."""

    def __init__(self, store: Store, arena: Arena, queries: Sequence[str], depth: int) -> None:
        self._store, self._arena, self._queries, self._depth = store, arena, queries, depth

    def of(self, system: str) -> Batch:
        """The batch in which a system, given by name, searches."""
        return self._tuned if self._arena.arm(system) is self._arena.fine_tuned else self._base

    @cached_property
    def _base(self) -> Batch:
        return self._batch(self._arena.base)

    @cached_property
    def _tuned(self) -> Batch:
        # The same passages give the same BM25 lists, and those take the most time.
        return self._batch(self._arena.arm("fine_tuned"), self._base)

    def _batch(self, arm: Arm, other: Batch | None = None) -> Batch:
        table = open_checked(self._store, System("base", "dense", arm.table), arm.embedder)
        lists = other.lexical_lists if other else None
        if lists is None and self._arena.lexical_queries is not None:
            lists = lexical.search_many(table, self._arena.lexical_queries, self._depth)
        return Batch(table, self._queries, arm.embedder, self._depth, lists)
