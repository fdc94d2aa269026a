"""A small world in which the right answer is known: pages in one vocabulary, questions in another."""

from pathlib import Path

from acronis_pipeline import index
from acronis_pipeline.core.dataset import Passage, Question, RetrievalDataset
from acronis_pipeline.index import IndexedModel
from acronis_pipeline.pairs.gold import GoldQuestion
from acronis_pipeline.store import Store
from acronis_pipeline_tests.index.corpora import WordEncoder, chunk, write_chunks

N_PAGES = 40
SYNONYMS = {f"question{n}": f"topic{n}" for n in range(N_PAGES)}
"""What the untouched model and BM25 do not know, and the tuned model has learned."""
CHUNKS = [
    chunk(f"c{n}", f"How topic{n} works in the console with backups and agents variant{n % 4}") for n in range(N_PAGES)
]


def question(n: int, prefix: str = "how does") -> Question:
    """A question about page `n` in words that only the tuned model connects with it."""
    words = f"question{n} variant{n % 4}"
    return Question(f"q{n}", f"{prefix} {words}", (f"c{n}",), group=f"https://docs.test/c{n}/")


DATASET = RetrievalDataset(
    passages=tuple(Passage(row["chunk_id"], row["passage"], row["cluster_id"], row["url"]) for row in CHUNKS),
    validation=tuple(question(n) for n in range(15)),
    test=tuple(question(n) for n in range(15, N_PAGES)),
)
GOLD = (
    *(GoldQuestion(f"g{n}", f"please explain question{n}", (f"https://docs.test/c{n}/",)) for n in range(8)),
    GoldQuestion("lost", "Where is the lost page?", ("https://docs.test/lost/",)),
    GoldQuestion("open", "What else should I know?"),
)


def build(folder: Path) -> tuple[Store, IndexedModel, IndexedModel]:
    """A store with the chunks indexed for the untouched and the tuned model."""
    store = Store(str(folder / "lancedb"))
    write_chunks(store, CHUNKS)
    return store, indexed(store, WordEncoder()), indexed(store, WordEncoder("tuned", SYNONYMS))


def indexed(store: Store, encoder: WordEncoder) -> IndexedModel:
    """The chunks, indexed for a model."""
    table = index.table_name("words", encoder.identity.model_id)
    index.refresh(store, index.IndexedModel(table, encoder))
    return IndexedModel(table, encoder)
