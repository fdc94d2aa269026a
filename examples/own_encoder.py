"""An encoder of your own, indexed and searched: `python examples/own_encoder.py`. This one hashes words."""

import tempfile
import zlib
from collections.abc import Sequence

import numpy as np

from acronis_pipeline import index
from acronis_pipeline.core.dataset import Passage
from acronis_pipeline.encoders import Encoder, ModelIdentity
from acronis_pipeline.retrieve import Retriever, System
from acronis_pipeline.store import Store


class HashedWords(Encoder):
    def __init__(self, dimension: int = 256) -> None:
        # What shapes a vector belongs into its fingerprint: vectors of different fingerprints are never compared.
        super().__init__(ModelIdentity("hashed words", "hashed-words-1", "hashed-words-1", dimension, 10_000))

    def encode_queries(self, queries: Sequence[str]) -> np.ndarray:
        vectors = np.full((len(queries), self.dimension), 1e-6, dtype=np.float32)
        for row, query in enumerate(queries):
            for word in query.lower().split():
                vectors[row, zlib.crc32(word.strip("?.,").encode()) % self.dimension] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    encode_passages = encode_queries


def main(question: str = "Which memory does the agent need?") -> str:
    texts = ["Backups are kept for seven days.", "The agent has to have memory: it will need 2 GB."]
    rows = index.passage_rows([Passage(f"p{n}", text, f"c{n}", f"file:///{n}") for n, text in enumerate(texts)])
    encoder = HashedWords()
    indexed = index.IndexedModel(index.table_name("mine", encoder.identity.model_id), encoder)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        index.refresh_from(store, indexed, rows)
        (hit,) = Retriever(store, System("mine", "dense", indexed.table), encoder, 10).retrieve(question, 1)
    print(f"{question} -> {hit.passage}")
    return hit.passage


if __name__ == "__main__":
    main()
