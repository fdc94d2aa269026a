"""What there was when a model was trained: how far the site has moved on since, and what it must not be tested on."""

from dataclasses import dataclass

from acronis_pipeline.core.dataset import RetrievalDataset, gold_clusters
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.pairs.words import normalise
from acronis_pipeline.store import Store, quoted, tables


@dataclass(frozen=True)
class Seen:
    """What a model learned from or was chosen by: everything that the training and validation questions are about.

    `pages` are addresses, none for a corpus without pages; `passages` are digests of the gold passages' texts and of
    their near-duplicates'; `queries` are digests of the questions, normalised.
    """

    pages: frozenset[str]
    passages: frozenset[str]
    queries: frozenset[str]

    @classmethod
    def of(cls, dataset: RetrievalDataset) -> "Seen":
        """What training on this dataset sees."""
        by_id, questions = dataset.by_id, (*dataset.train, *dataset.validation)
        clusters = frozenset[str]().union(*(gold_clusters(question, by_id) for question in questions))
        gold = {by_id[key].url for question in questions for key in question.chunk_ids if key in by_id}
        return cls(
            # Files of labelled questions know no pages: their passages stand for them, under names of that file.
            pages=frozenset(url for url in gold if "://" in url),
            passages=frozenset(text_digest(p.text) for p in dataset.passages if p.cluster_id in clusters),
            queries=frozenset(query_digest(question.query) for question in questions),
        )

    def asked(self, query: str) -> bool:
        """Whether this question, letter case and punctuation aside, was trained on."""
        return query_digest(query) in self.queries

    def read(self, text: str) -> bool:
        """Whether this passage answered a question that was trained on."""
        return text_digest(text) in self.passages


def remember(store: Store, training_key: str, dataset: RetrievalDataset) -> None:
    """Write down what a training with this key had before it."""
    row = {
        "training_key": training_key,
        "chunk_ids": sorted(passage.chunk_id for passage in dataset.passages),
        **{name: sorted(values) for name, values in vars(Seen.of(dataset)).items()},
    }
    store.upsert(tables.TRAINING_CORPORA, tables.TRAINING_CORPORA.rows([row]))


def chunk_ids(store: Store, training_key: str) -> frozenset[str] | None:
    """Ids of all passages at that training; None if nothing was written down."""
    row = _row(store, training_key, ["chunk_ids"])
    return frozenset(row["chunk_ids"]) if row else None


def seen(store: Store, training_key: str) -> Seen | None:
    """What that training saw; None if nothing was written down."""
    row = _row(store, training_key, ["pages", "passages", "queries"])
    return Seen(**{name: frozenset(values) for name, values in row.items()}) if row else None


def text_digest(text: str) -> str:
    return digest(text)[:16]


def query_digest(query: str) -> str:
    return digest(normalise(query))[:16]


def _row(store: Store, training_key: str, columns: list[str]) -> dict[str, list[str]] | None:
    where = f"training_key = {quoted(training_key)}"
    rows = store.read(tables.TRAINING_CORPORA, columns=columns, where=where).to_pylist()
    return rows[0] if rows else None
