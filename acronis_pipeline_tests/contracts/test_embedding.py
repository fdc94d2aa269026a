import json

import numpy as np
import pytest

from acronis_pipeline import embedding, vectors
from acronis_pipeline.embedding import PACKAGED_BASE, Embedder, TokenCounter
from acronis_pipeline.errors import ModelError
from acronis_pipeline.store import Store


class CountingEmbedder(Embedder):
    """Counts the passages it is asked to encode; its vectors depend only on the text."""

    def __init__(self) -> None:
        self.identity = embedding.ModelIdentity("fake", "q", "fake-documents", 4, 128)
        self.encoded: list[str] = []

    def encode_passages(self, passages):
        self.encoded += passages
        return np.array([[len(text), text.count("a"), 1, 0] for text in passages], np.float32)


def test_packaged_base_is_found_without_a_network():
    folder = embedding.find_base(PACKAGED_BASE)
    identity = embedding.describe(folder, base=PACKAGED_BASE, max_seq_length=10_000)
    assert identity.dimension == 384
    assert identity.max_seq_length == 512  # all that the model has positions for


def test_prompts_and_length_are_part_of_the_identity():
    folder = embedding.find_base(PACKAGED_BASE)
    plain = embedding.describe(folder, base=PACKAGED_BASE, max_seq_length=256)
    prompted = embedding.describe(folder, base=PACKAGED_BASE, max_seq_length=256, query_prompt="query: ")
    shorter = embedding.describe(folder, base=PACKAGED_BASE, max_seq_length=128)
    assert prompted.document_fingerprint == plain.document_fingerprint
    assert len({identity.model_id for identity in (plain, prompted, shorter)}) == 3


def test_identity_survives_json():
    identity = embedding.ModelIdentity("base", "q", "d", 384, 512, "query: ", "")
    assert embedding.ModelIdentity.from_json(identity.to_json()) == identity


def test_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"modules\.json"):
        embedding.find_base(str(tmp_path))
    with pytest.raises(ModelError, match="no such folder"):
        embedding.find_base(str(tmp_path / "nowhere"))


def test_broken_weights_are_a_clear_error(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"hidden_size": 8, "model_type": "bert"}))
    (tmp_path / "model.safetensors").write_bytes(b"not weights")
    identity = embedding.describe(tmp_path, base="broken", max_seq_length=16)
    with pytest.raises(ModelError, match="does not load"):
        embedding.load(tmp_path, identity)


def test_long_texts_are_counted_in_full():
    counter = TokenCounter(embedding.find_base(PACKAGED_BASE))
    assert counter.count("backup " * 1000) > 1000
    assert counter.count_many(["backup", "backup plan"]) == [counter.count("backup"), counter.count("backup plan")]


def test_a_passage_is_embedded_once(tmp_path):
    store, embedder = Store(str(tmp_path)), CountingEmbedder()
    first = vectors.embed_passages(store, embedder, ["a", "bb", "a"])
    second = vectors.embed_passages(store, embedder, ["bb", "ccc", "a"])
    assert sorted(embedder.encoded) == ["a", "bb", "ccc"]
    assert (first.of(0) == first.of(2)).all()
    assert (second.of(2) == first.of(0)).all()
    assert second.matrix.shape == (3, 4)
