"""The pairs table as a dataset for training and evaluation."""

from acronis_pipeline import schemas
from acronis_pipeline.dataset import Passage, Question, RetrievalDataset
from acronis_pipeline.errors import EmptyCorpusError
from acronis_pipeline.pairs.generator import read_chunks
from acronis_pipeline.pairs.splits import page_groups
from acronis_pipeline.store import Store


def load_dataset(store: Store) -> RetrievalDataset:
    """Every kept pair, over all chunks.

    A question's group is that of its page: near-duplicate pages share one.

    Raises
    ------
    EmptyCorpusError
        If there are no chunks or no kept pairs.
    """
    chunks = read_chunks(store)
    rows = store.read("pairs", schemas.PAIRS, where="status = 'kept'").to_pylist()
    if not chunks or not rows:
        raise EmptyCorpusError(f"{len(chunks)} chunks and {len(rows)} kept pairs; materialize synthetic_pairs first")
    by_id = {chunk.chunk_id: chunk for chunk in chunks}
    groups = page_groups(chunks)
    questions: dict[str, list[Question]] = {"train": [], "validation": [], "test": []}
    for row in sorted(rows, key=lambda row: row["pair_id"]):
        gold = tuple(chunk_id for chunk_id in row["chunk_ids"] if chunk_id in by_id)
        if gold:  # the chunks may have moved on since the pairs were made
            group = groups[by_id[gold[0]].url]
            negatives = tuple(row["negatives"] or ())
            questions[row["split"]].append(
                Question(row["pair_id"], row["query"], gold, group, row["style"], negatives, row["removed"] or "")
            )
    passages = tuple(Passage(chunk.chunk_id, chunk.passage, chunk.cluster_id, chunk.url) for chunk in chunks)
    return RetrievalDataset(passages, **{split: tuple(found) for split, found in questions.items()})
