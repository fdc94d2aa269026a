"""What is compared on which questions: one corpus, the models that indexed it, and the systems that search it."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from acronis_pipeline import index
from acronis_pipeline.core.dataset import Question
from acronis_pipeline.core.errors import IdentityMismatchError, ModelError
from acronis_pipeline.core.settings import EmbeddingEndpoint, RetrievalSettings
from acronis_pipeline.encoders import Encoder
from acronis_pipeline.encoders import endpoint as endpoint_encoder
from acronis_pipeline.evaluate.questions import Corpus
from acronis_pipeline.evaluate.report import RankingKey, ranking_key
from acronis_pipeline.index import IndexedModel
from acronis_pipeline.retrieve import Batch, Ranking, System, open_checked, search
from acronis_pipeline.store import Store

_log = logging.getLogger(__name__)
BASELINES = ("bm25", "base")
"""Systems without any training, of which the better one is the first champion's opponent."""
CHAMPION = "champion"
"""What the current champion is called in a report that does not hold its very system under another name."""


@dataclass(frozen=True)
class ComparedSystem:
    """A system that is compared as it is: the current champion, or a model behind an endpoint."""

    system: System
    indexed: IndexedModel


@dataclass(frozen=True)
class ComparedSystems:
    """Those that take part, and a caveat for each that cannot, the champion's apart."""

    systems: tuple[ComparedSystem, ...] = ()
    caveats: tuple[str, ...] = ()
    champion_caveats: tuple[str, ...] = ()

    @property
    def champion(self) -> ComparedSystem | None:
        return next((compared for compared in self.systems if compared.system.name == CHAMPION), None)


@dataclass(frozen=True)
class EvaluationSetup:
    """Questions about one corpus, and the tables that hold it; all tables must hold the same passages.

    Test and validation questions share their tables in the pipeline; in a benchmark of two files they need not.
    `lexical_queries` is what BM25 gets to see of each question, where that is not the question itself (see
    `as_customers_would`). `others` are compared besides the systems of base and fine-tuned model. Rerankers run on
    `device`, chosen automatically by default.
    """

    questions: tuple[Question, ...]
    base: IndexedModel
    fine_tuned: IndexedModel | None = None
    lexical_queries: tuple[str, ...] | None = None
    others: tuple[ComparedSystem, ...] = ()
    device: str | None = None

    @property
    def indexed_models(self) -> dict[str, IndexedModel]:
        """Every model by its table, the base first."""
        found = {self.base.table: self.base}
        for indexed in (self.fine_tuned, *(other.indexed for other in self.others)):
            if indexed:
                found.setdefault(indexed.table, indexed)
        return found

    @property
    def hybrids(self) -> dict[str, IndexedModel]:
        """The models whose dense ranking is mixed with BM25, by the name of the mix."""
        untouched = {"hybrid_base": self.base}
        return untouched | {"hybrid": self.fine_tuned} if self.fine_tuned else untouched

    def encoder(self, system: System) -> Encoder | None:
        """The model that a system encodes questions with; None if it searches words only."""
        return self.indexed_models[system.table].encoder if system.needs_encoder else None

    def as_in(self, others: Iterable[System], system: System) -> System | None:
        """The first of `others` that ranks as `system` does, whatever both are called."""
        wanted = self.ranking_key(system)
        return next((other for other in others if self.ranking_key(other) == wanted), None)

    def ranking_key(self, system: System) -> RankingKey:
        """What decides a system's rankings here."""
        encoder = self.encoder(system)
        return ranking_key(system, encoder.identity.model_id if encoder else None)


def systems(setup: EvaluationSetup, retrieval: RetrievalSettings, weight_of: Mapping[str, float]) -> list[System]:
    """The systems of a report, in the order of its table; `weight_of` holds the dense weight of each learned mix."""
    dense = {"base": setup.base} | ({"fine_tuned": setup.fine_tuned} if setup.fine_tuned else {})
    own = [System("bm25", "bm25", setup.base.table)]
    own += [System(name, "dense", indexed.table) for name, indexed in dense.items()]
    own += [
        System(name, "hybrid", indexed.table, weight_of.get(name), fusion=retrieval.fusion)
        for name, indexed in setup.hybrids.items()
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
    return [*own, *(other.system for other in setup.others if setup.as_in(own, other.system) is None)]


def read_corpus(store: Store, setup: EvaluationSetup) -> Corpus:
    """The passages of a setup.

    Raises
    ------
    IdentityMismatchError
        If its tables hold different passages, which would compare systems on different tasks.
    """
    if len({index.content_version(store, table) for table in setup.indexed_models}) > 1:
        raise IdentityMismatchError(
            f"tables {' and '.join(sorted(setup.indexed_models))} hold different passages, not to be compared; "
            "refresh both indexes"
        )
    return Corpus(index.read_content(store, setup.base.table))


class Rankings:
    """All systems' rankings of the same queries; encodings, BM25 lists and similarities are shared between them."""

    def __init__(self, store: Store, setup: EvaluationSetup, queries: Sequence[str], depth: int) -> None:
        self._store, self._setup, self._queries, self._depth = store, setup, queries, depth
        self._batches: dict[str, Batch] = {}

    def of(self, system: System) -> list[Ranking]:
        """A system's ranking of every query."""
        return self.batch(self._setup.indexed_models[system.table]).rankings(system)

    def batch(self, indexed: IndexedModel) -> Batch:
        """The queries asked of one model's table."""
        if indexed.table not in self._batches:
            self._batches[indexed.table] = self._batch(indexed)
        return self._batches[indexed.table]

    def _batch(self, indexed: IndexedModel) -> Batch:
        tables = open_checked(self._store, System("base", "dense", indexed.table), indexed.encoder)
        if indexed.table != self._setup.base.table:
            # The same passages give the same BM25 lists, and those take the most time.
            words = self.batch(self._setup.base).words
        elif self._setup.lexical_queries is not None:
            words = search.WordLists(tables, self._setup.lexical_queries, self._depth)
        else:
            words = None
        return Batch(tables, self._queries, indexed.encoder, self._depth, words, device=self._setup.device)


def endpoint_models(store: Store, base: IndexedModel, endpoints: Sequence[EmbeddingEndpoint]) -> ComparedSystems:
    """A dense system `external:<model>` of each endpoint, over the passages of the base's table.

    Passages that the endpoint embedded before are not sent again. One that refuses or does not answer costs its system,
    not the evaluation.
    """
    systems: list[ComparedSystem] = []
    caveats: list[str] = []
    for endpoint in endpoints:
        try:
            encoder = endpoint_encoder.connect(endpoint, store)
            # The base's table in its name, because evaluations of several corpora can share a store.
            table = f"{index.table_name('external', encoder.identity.model_id)}_of_{base.table}"
            indexed = IndexedModel(table, encoder)
            index.refresh_from(store, indexed, index.read_content(store, base.table))
        except ModelError as error:
            _log.warning("%s", error)
            caveats.append(f"Not compared: {error}.")
            continue
        systems.append(ComparedSystem(System(f"external:{endpoint.model}", "dense", table), indexed))
    return ComparedSystems(tuple(systems), tuple(caveats))
