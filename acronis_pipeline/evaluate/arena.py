"""Where systems meet: one corpus, indexed by every model that is compared, and the systems over it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from acronis_pipeline.core.dataset import Question
from acronis_pipeline.core.errors import IdentityMismatchError
from acronis_pipeline.core.settings import RetrievalSettings
from acronis_pipeline.encoders import Embedder
from acronis_pipeline.evaluate.questions import Corpus
from acronis_pipeline.evaluate.report import Behaviour, behaviour
from acronis_pipeline.index.rows import content_version, read_content
from acronis_pipeline.retrieve import Batch, Ranking, System, lexical, open_checked
from acronis_pipeline.store import Store

BASELINES = ("bm25", "base")
"""Systems without any training, of which the better one is the first champion's opponent."""
CHAMPION = "champion"
"""What the reigning champion is called in a report that does not hold its very system under another name."""


@dataclass(frozen=True)
class Arm:
    """A passages table and the model of its vectors."""

    table: str
    embedder: Embedder


@dataclass(frozen=True)
class Guest:
    """A system that is compared as it is: the reigning champion, or a model behind an endpoint."""

    system: System
    arm: Arm


@dataclass(frozen=True)
class Arena:
    """Questions about one corpus, and the tables that hold it; all tables must hold the same passages.

    Test and validation questions share their tables in the pipeline; in a benchmark of two files they need not.
    `lexical_queries` is what BM25 gets to see of each question, where that is not the question itself (`own_words`).
    Rerankers run on `device`, chosen automatically by default.
    """

    questions: tuple[Question, ...]
    base: Arm
    fine_tuned: Arm | None = None
    lexical_queries: tuple[str, ...] | None = None
    guests: tuple[Guest, ...] = ()
    device: str | None = None

    @property
    def arms(self) -> dict[str, Arm]:
        """Every arm by its table, the base first."""
        found = {self.base.table: self.base}
        for arm in (self.fine_tuned, *(guest.arm for guest in self.guests)):
            if arm:
                found.setdefault(arm.table, arm)
        return found

    @property
    def hybrids(self) -> dict[str, Arm]:
        """The arms whose dense ranking is mixed with BM25, by the name of the mix."""
        untouched = {"hybrid_base": self.base}
        return untouched | {"hybrid": self.fine_tuned} if self.fine_tuned else untouched

    def embedder(self, system: System) -> Embedder | None:
        """The model that a system encodes questions with; None if it searches words only."""
        return self.arms[system.table].embedder if system.needs_encoder else None

    def as_in(self, others: Iterable[System], system: System) -> System | None:
        """The first of `others` that ranks as `system` does, whatever both are called."""
        wanted = self.behaviour(system)
        return next((other for other in others if self.behaviour(other) == wanted), None)

    def behaviour(self, system: System) -> Behaviour:
        """What decides a system's rankings here."""
        embedder = self.embedder(system)
        return behaviour(system, embedder.identity.model_id if embedder else None)


def systems(arena: Arena, retrieval: RetrievalSettings, weight_of: Mapping[str, float]) -> list[System]:
    """The systems of a report, in the order of its table; `weight_of` holds the dense weight of each learned mix."""
    dense = {"base": arena.base} | ({"fine_tuned": arena.fine_tuned} if arena.fine_tuned else {})
    own = [System("bm25", "bm25", arena.base.table)]
    own += [System(name, "dense", arm.table) for name, arm in dense.items()]
    own += [
        System(name, "hybrid", arm.table, weight_of.get(name), fusion=retrieval.fusion)
        for name, arm in arena.hybrids.items()
    ]
    if retrieval.reranker or retrieval.mmr is not None:
        own.append(
            replace(
                own[-1],
                name="hybrid_rerank" if retrieval.reranker else "hybrid_mmr",
                reranker=retrieval.reranker,
                rerank_depth=retrieval.rerank_depth,
                mmr=retrieval.mmr,
            )
        )
    return [*own, *(guest.system for guest in arena.guests if arena.as_in(own, guest.system) is None)]


def read_corpus(store: Store, arena: Arena) -> Corpus:
    """The passages of an arena.

    Raises
    ------
    IdentityMismatchError
        If its tables hold different passages, which would compare systems on different tasks.
    """
    if len({content_version(store, table) for table in arena.arms}) > 1:
        raise IdentityMismatchError(
            f"tables {' and '.join(sorted(arena.arms))} hold different passages, not to be compared; "
            "refresh both indexes"
        )
    return Corpus(read_content(store, arena.base.table))


class Rankings:
    """All systems' rankings of the same queries; encodings, BM25 lists and similarities are shared between them."""

    def __init__(self, store: Store, arena: Arena, queries: Sequence[str], depth: int) -> None:
        self._store, self._arena, self._queries, self._depth = store, arena, queries, depth
        self._batches: dict[str, Batch] = {}

    def of(self, system: System) -> list[Ranking]:
        """A system's ranking of every query."""
        return self.batch(self._arena.arms[system.table]).rankings(system)

    def batch(self, arm: Arm) -> Batch:
        """The queries asked of one arm's table."""
        if arm.table not in self._batches:
            self._batches[arm.table] = self._batch(arm)
        return self._batches[arm.table]

    def _batch(self, arm: Arm) -> Batch:
        tables = open_checked(self._store, System("base", "dense", arm.table), arm.embedder)
        if arm.table != self._arena.base.table:
            # The same passages give the same BM25 lists, and those take the most time.
            words = self.batch(self._arena.base).words
        elif self._arena.lexical_queries is not None:
            words = lexical.Lists(tables, self._arena.lexical_queries, self._depth)
        else:
            words = None
        return Batch(tables, self._queries, arm.embedder, self._depth, words, device=self._arena.device)
