import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from acronis_pipeline import encoders
from acronis_pipeline.core.errors import ModelError
from acronis_pipeline.encoders import PACKAGED_BASE, Encoder, TokenCounter, vector_cache
from acronis_pipeline.store import Store
from acronis_pipeline_tests.finetune.tiny_models import write_encoder
from acronis_pipeline_tests.needs import needs


class CountingEncoder(Encoder):
    """Counts the passages it is asked to encode; its vectors depend only on the text."""

    def __init__(self) -> None:
        super().__init__(encoders.ModelIdentity("fake", "q", "fake-documents", 4, 128))
        self.encoded: list[str] = []

    def encode_passages(self, passages):
        self.encoded += passages
        return np.array([[len(text), text.count("a"), 1, 0] for text in passages], np.float32)

    encode_queries = encode_passages


def test_packaged_base_is_found_without_a_network():
    folder = encoders.find_base(PACKAGED_BASE)
    identity = encoders.describe(folder, base=PACKAGED_BASE, max_seq_length=10_000)
    assert identity.dimension == 384
    assert identity.max_seq_length == 512  # all that the model has positions for


def test_prompts_and_length_are_part_of_the_identity():
    folder = encoders.find_base(PACKAGED_BASE)
    plain = encoders.describe(folder, base=PACKAGED_BASE, max_seq_length=256)
    prompted = encoders.describe(folder, base=PACKAGED_BASE, max_seq_length=256, query_prompt="query: ")
    shorter = encoders.describe(folder, base=PACKAGED_BASE, max_seq_length=128)
    assert prompted.document_fingerprint == plain.document_fingerprint
    assert len({identity.model_id for identity in (plain, prompted, shorter)}) == 3


def test_identity_survives_json():
    identity = encoders.ModelIdentity("base", "q", "d", 384, 512, "query: ", "")
    assert encoders.ModelIdentity.from_json(identity.to_json()) == identity


def test_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"modules\.json"):
        encoders.find_base(str(tmp_path))
    with pytest.raises(ModelError, match="no such folder"):
        encoders.find_base(str(tmp_path / "nowhere"))


@pytest.mark.model
def test_broken_weights_are_a_clear_error(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"hidden_size": 8, "model_type": "bert"}))
    (tmp_path / "model.safetensors").write_bytes(b"not weights")
    identity = encoders.describe(tmp_path, base="broken", max_seq_length=16)
    with pytest.raises(ModelError, match="does not load"):
        encoders.load(tmp_path, identity)


def test_long_texts_are_counted_in_full():
    counter = TokenCounter(encoders.find_base(PACKAGED_BASE))
    assert counter.count("backup " * 1000) > 1000
    assert counter.count_many(["backup", "backup plan"]) == [counter.count("backup"), counter.count("backup plan")]


def test_a_passage_is_embedded_once(tmp_path):
    store, encoder = Store(str(tmp_path)), CountingEncoder()
    first = vector_cache.embed_passages(store, encoder, ["a", "bb", "a"])
    second = vector_cache.embed_passages(store, encoder, ["bb", "ccc", "a"])
    assert sorted(encoder.encoded) == ["a", "bb", "ccc"]
    assert (first.of(0) == first.of(2)).all()
    assert (second.of(2) == first.of(0)).all()
    assert second.matrix.shape == (3, 4)


PROMPTS = {"query": "search_query: ", "passage": "search_document: ", "cluster": "topic: "}


@pytest.fixture(scope="module")
@needs("model")
def prompted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with prompts and a length of its own."""
    from sentence_transformers import SentenceTransformer

    made = tmp_path_factory.mktemp("prompted")
    model = SentenceTransformer(str(write_encoder(made)), device="cpu")
    model.prompts, model.max_seq_length = dict(PROMPTS), 40
    model.save_pretrained(str(made / "saved"), create_model_card=False)
    return made / "saved"


def test_a_models_own_prompts_and_length_hold_unless_others_are_asked_for(prompted: Path):
    own = encoders.describe(prompted, base="own")
    assert (own.query_prompt, own.document_prompt, own.max_seq_length) == ("search_query: ", "search_document: ", 40)
    loaded = encoders.load(prompted, own, device="cpu")
    text = "a long text " * 30
    by_hand = loaded.model.encode([f"search_document: {text}"], prompt="", normalize_embeddings=True)
    assert np.allclose(loaded.encode_passages([text]), by_hand, atol=1e-6)
    none = encoders.describe(prompted, base="own", max_seq_length=10_000, query_prompt="", document_prompt="")
    assert (none.query_prompt, none.document_prompt, none.max_seq_length) == ("", "", 64)
    assert none.model_id != own.model_id


def test_a_folder_is_found_as_it_was_described_until_it_changes(prompted: Path, tmp_path: Path):
    folder = tmp_path / "copy"
    shutil.copytree(prompted, folder)
    before = encoders.describe(folder, base="own", query_prompt="ask ", windows=encoders.Windows(16, 4, 0.5))
    assert encoders.as_found(folder, before) == before
    assert encoders.as_found(folder, encoders.in_precision(before, "bfloat16")).precision == "bfloat16"
    (folder / "config.json").write_text((folder / "config.json").read_text() + " ")
    assert encoders.as_found(folder, before).model_id != before.model_id


def test_half_copied_weights_are_a_clear_error(prompted: Path, tmp_path: Path):
    folder = tmp_path / "copy"
    shutil.copytree(prompted, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(ModelError, match="does not load"):
        encoders.load(folder, encoders.describe(folder, base="own"), device="cpu")


class Hub:
    """A hub that gives `there`, or cannot be reached; `cached` is what this machine has of it."""

    def __init__(self, cached: Path | None, there: Path | None) -> None:
        self.cached, self.there = cached, there

    def snapshot_download(self, name: str, *, local_files_only: bool = False, **_: object) -> str:
        found = self.cached if local_files_only else self.there
        if found is None:
            raise ConnectionError(f"no {name} here")
        return str(found)


def test_weights_that_transformers_cached_are_no_whole_model(prompted: Path, tmp_path: Path, monkeypatch):
    part = tmp_path / "part"
    part.mkdir()
    shutil.copy(prompted / "config.json", part)
    for cached, there, expected in (
        (part, prompted, prompted),  # the rest of it is fetched
        (part, None, part),  # a plain transformer, or no network: what there is
        (prompted, None, prompted),
        (None, prompted, prompted),
    ):
        monkeypatch.setattr("huggingface_hub.snapshot_download", Hub(cached, there).snapshot_download)
        encoders.folder._download.cache_clear()
        assert encoders.find_base("some/model") == expected
    monkeypatch.setattr("huggingface_hub.snapshot_download", Hub(None, None).snapshot_download)
    encoders.folder._download.cache_clear()
    with pytest.raises(ModelError, match=r"base model some/model: .*no some/model here"):
        encoders.find_base("some/model")
