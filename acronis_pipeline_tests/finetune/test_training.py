"""Training for real, on thirty short passages and the packaged MiniLM."""

from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from acronis_pipeline import encoders
from acronis_pipeline.encoders import TorchEncoder
from acronis_pipeline.encoders.vector_cache import embed_passages
from acronis_pipeline.finetune import TrainedModel, train
from acronis_pipeline.finetune.recipe import parse_recipe
from acronis_pipeline.store import Store, tables
from acronis_pipeline_tests.finetune.conftest import Trained
from acronis_pipeline_tests.finetune.worlds import CODENAMES, codename_world, passages, solved_world

pytestmark = pytest.mark.model

FULL = """
method: full
max_seq_length: 64
parameters: {epochs: 4, batch_size: 8, learning_rate: 0.0002, evaluations: 2, interpolation: [0.5]}
"""
PROMPTED = """
method: query_adapter
max_seq_length: 16
query_prompt: "query: "
parameters: {learning_rate: 0.003, max_steps: 30}
"""
TEXTS = [passage.text for passage in passages()]


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    folder = tmp_path_factory.mktemp("full")
    recipe = parse_recipe("full", FULL, where="full.yaml")
    return train(recipe, codename_world(), Store(str(folder / "lancedb")), folder / "models" / "one")


def test_adapter_learns_names_that_the_base_cannot_know(trained: Trained) -> None:
    record = trained.result.record
    assert record.metrics["chosen"].startswith("step ")
    assert record.metrics["chosen"] != "step 0"
    validation = record.metrics["validation"]
    assert validation["best"]["ndcg_at_10"] > validation["base"]["ndcg_at_10"] + 0.1


def test_adapter_leaves_passage_vectors_bit_for_bit_as_they_were(trained: Trained, base: TorchEncoder) -> None:
    record = trained.result.record
    plain = SentenceTransformer(str(record.folder))
    adapted = plain.encode_document(TEXTS, normalize_embeddings=True)
    assert np.array_equal(adapted, base.encode_passages(TEXTS))
    assert not np.allclose(plain.encode_query(["Falcon"]), base.encode_queries(["Falcon"]), atol=1e-2)


def test_adapter_shares_the_document_side_of_its_base(trained: Trained) -> None:
    record = trained.result.record
    assert record.identity.document_fingerprint == record.base_identity.document_fingerprint
    assert record.identity.query_fingerprint != record.base_identity.query_fingerprint
    assert [name for name in trained.store.names() if name.startswith("vectors_")] == [
        tables.vectors_name(record.base_identity.document_fingerprint)
    ]


def test_full_learns_names_that_the_base_cannot_know(full: TrainedModel) -> None:
    assert full.chosen.startswith("epoch")
    assert full.validation["best"]["ndcg_at_10"] > full.validation["base"]["ndcg_at_10"] + 0.1


def test_full_has_vectors_of_its_own(full: TrainedModel) -> None:
    assert full.identity.document_fingerprint != full.base_identity.document_fingerprint
    assert full.identity.query_fingerprint != full.base_identity.query_fingerprint


def test_history_tells_loss_rate_and_validation(full: TrainedModel) -> None:
    losses = [entry["loss"] for entry in full.history if "loss" in entry]
    looks = [entry["step"] for entry in full.history if "ndcg_at_10" in entry]
    assert losses[-1] < losses[0]
    assert looks[0] == 0
    assert len(looks) == 3
    assert all(entry["lr"] > 0 for entry in full.history if "loss" in entry)


@pytest.mark.parametrize("side", ["encode_query", "encode_document"])
def test_plain_sentence_transformer_gives_the_published_vectors(full: TrainedModel, side: str) -> None:
    ours = encoders.load(full.folder, full.identity)
    encode = ours.encode_queries if side == "encode_query" else ours.encode_passages
    plain = SentenceTransformer(str(full.folder))
    assert plain.max_seq_length == 64
    assert np.array_equal(getattr(plain, side)(TEXTS, normalize_embeddings=True), encode(TEXTS))


def test_published_folder_says_who_it_is(full: TrainedModel) -> None:
    assert encoders.describe(full.folder, base="", max_seq_length=1) == full.identity


def test_length_limit_and_prompts_travel_with_the_model(tmp_path: Path) -> None:
    recipe = parse_recipe("prompted", PROMPTED, where="prompted.yaml")
    model = train(recipe, codename_world(), Store(str(tmp_path / "lancedb")), tmp_path / "models" / "one")
    plain = SentenceTransformer(str(model.folder))
    long = "word " * 200
    assert plain.prompts["query"] == "query: "
    assert plain.max_seq_length == 16
    assert np.array_equal(plain.encode_document([long]), plain.encode_document([long + long]))
    ours = encoders.load(model.folder, model.identity)
    assert np.array_equal(plain.encode_query(["Falcon"], normalize_embeddings=True), ours.encode_queries(["Falcon"]))


@pytest.mark.parametrize("method", ["query_adapter", "full"])
def test_base_is_published_when_training_can_only_hurt(tmp_path: Path, method: str, base: TorchEncoder) -> None:
    parameters = "epochs: 1, interpolation: []" if method == "full" else "max_steps: 20"
    text = f"method: {method}\nmax_seq_length: 64\nparameters: {{{parameters}}}"
    store = Store(str(tmp_path / "lancedb"))
    model = train(parse_recipe("hurt", text, where="hurt.yaml"), solved_world(), store, tmp_path / "models" / "one")
    assert model.chosen == "step 0"
    assert model.identity == model.base_identity == base.identity
    assert model.validation["best"] == model.validation["base"]
    assert np.array_equal(SentenceTransformer(str(model.folder)).encode(TEXTS), base.model.encode(TEXTS))


def test_vectors_of_the_published_model_are_ready_for_the_index(
    trained: Trained, caplog: pytest.LogCaptureFixture
) -> None:
    record = trained.result.record
    caplog.set_level("INFO", "acronis_pipeline.encoders.vector_cache")
    embed_passages(trained.store, encoders.load(record.folder, record.identity), TEXTS)
    assert "embedded" not in caplog.text


def test_same_seed_gives_the_same_model(trained: Trained, tmp_path: Path) -> None:
    again = train(trained.recipe, trained.dataset, Store(str(tmp_path / "lancedb")), tmp_path / "models" / "again")
    assert again.identity == trained.result.record.identity


def test_codenames_are_new_to_the_base(base: TorchEncoder) -> None:
    """What makes this world worth training in."""
    scores = base.encode_queries(list(CODENAMES.values())) @ base.encode_passages(list(CODENAMES)).T
    assert (scores.argmax(axis=1) == np.arange(len(CODENAMES))).mean() < 0.7
