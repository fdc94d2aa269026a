"""Method `two_tower`: two encoders that start as one, published as a stock Router."""

from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from acronis_pipeline import encoders
from acronis_pipeline.core.errors import RecipeError
from acronis_pipeline.encoders import TorchEncoder
from acronis_pipeline.finetune import TrainedModel, train
from acronis_pipeline.finetune.recipe import parse_recipe
from acronis_pipeline.store import Store
from acronis_pipeline_tests.finetune.worlds import codename_world, passages, solved_world

pytestmark = pytest.mark.model

TEXTS = [passage.text for passage in passages()]


def fit(tiny: Path, folder: Path, parameters: str, data=None) -> TrainedModel:
    text = f"method: two_tower\nbase_model: {tiny}\nquery_prompt: 'ask '\nparameters: {{{parameters}}}"
    recipe = parse_recipe("two", text, where="two.yaml")
    return train(recipe, data or codename_world(), Store(str(folder / "lancedb")), folder / "models" / "one")


@pytest.fixture(scope="module")
def trained(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    folder = tmp_path_factory.mktemp("two_tower")
    return fit(tiny, folder, "epochs: 12, batch_size: 8, learning_rate: 0.005, evaluations: 3, interpolation: []")


def test_it_learns_names_that_the_base_cannot_know(trained: TrainedModel) -> None:
    assert trained.chosen.startswith("epoch")
    assert trained.validation["best"]["ndcg_at_10"] > trained.validation["base"]["ndcg_at_10"] + 0.1


def test_questions_and_passages_take_towers_of_their_own(trained: TrainedModel, tiny: Path) -> None:
    plain, base = SentenceTransformer(str(trained.folder)), SentenceTransformer(str(tiny))
    assert plain.prompts["query"] == "ask "
    bare = plain.encode_query(TEXTS, prompt="")
    assert not np.allclose(bare, plain.encode_document(TEXTS), atol=1e-2)
    assert not np.allclose(bare, base.encode(TEXTS), atol=1e-2)
    assert not np.allclose(plain.encode_document(TEXTS), base.encode(TEXTS), atol=1e-2)


@pytest.mark.parametrize("side", ["encode_query", "encode_document"])
def test_plain_sentence_transformer_gives_the_published_vectors(trained: TrainedModel, side: str) -> None:
    ours = encoders.load(trained.folder, trained.identity)
    vectors = ours.encode_queries(TEXTS) if side == "encode_query" else ours.encode_passages(TEXTS)
    plain = getattr(SentenceTransformer(str(trained.folder)), side)(TEXTS, normalize_embeddings=True)
    np.testing.assert_allclose(plain, vectors, atol=1e-6)


def test_both_sides_have_vectors_of_their_own(trained: TrainedModel) -> None:
    assert trained.identity.document_fingerprint != trained.base_identity.document_fingerprint
    assert trained.identity.query_fingerprint != trained.base_identity.query_fingerprint
    assert encoders.describe(trained.folder, base="", max_seq_length=1) == trained.identity


def test_base_is_published_when_training_can_only_hurt(tmp_path: Path, base: TorchEncoder) -> None:
    text = "method: two_tower\nmax_seq_length: 64\nparameters: {epochs: 1, interpolation: []}"
    store = Store(str(tmp_path / "lancedb"))
    model = train(parse_recipe("two", text, where="two.yaml"), solved_world(), store, tmp_path / "models" / "one")
    assert model.chosen == "step 0"
    assert model.identity == base.identity


def test_passage_tower_that_goes_back_to_the_base_needs_no_new_vectors(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from acronis_pipeline.finetune.methods import two_tower

    monkeypatch.setattr(two_tower, "_choose", lambda *_: (1.0, 0.0))
    model = fit(tiny, tmp_path, "epochs: 8, batch_size: 8, learning_rate: 0.005, evaluations: 2")
    assert model.identity.document_fingerprint == model.base_identity.document_fingerprint
    assert model.identity.query_fingerprint != model.base_identity.query_fingerprint
    plain, base = SentenceTransformer(str(model.folder)), SentenceTransformer(str(tiny))
    assert np.array_equal(plain.encode_document(TEXTS), base.encode(TEXTS))


def test_every_share_of_one_tower_is_tried_with_every_share_of_the_other(
    tiny: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "acronis_pipeline.finetune.methods.two_tower")
    model = fit(tiny, tmp_path, "epochs: 8, batch_size: 8, learning_rate: 0.005, evaluations: 1, interpolation: [0.5]")
    tried = [record.message for record in caplog.records if "of the passage tower" in record.message]
    assert len(tried) == 8
    assert model.validation["best"]["ndcg_at_10"] > model.validation["base"]["ndcg_at_10"]


def test_vectors_may_be_cut_on_both_sides(tiny: Path, tmp_path: Path) -> None:
    options = "dimensions: 16, matryoshka_dimensions: [16], interpolation: []"
    model = fit(tiny, tmp_path, f"epochs: 8, batch_size: 8, learning_rate: 0.005, evaluations: 1, {options}")
    plain = SentenceTransformer(str(model.folder))
    assert model.identity.dimension == 16
    assert plain.encode_query(TEXTS).shape == plain.encode_document(TEXTS).shape == (30, 16)
    assert not np.allclose(plain.encode_query(TEXTS, prompt=""), plain.encode_document(TEXTS), atol=1e-2)


def test_base_of_two_towers_is_refused(trained: TrainedModel, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"base_model = .*: method two_tower starts from one encoder"):
        fit(trained.folder, tmp_path, "epochs: 1")


def test_share_outside_base_and_tuned_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"two\.yaml: parameters\.interpolation: 2\.0 is not between"):
        parse_recipe("two", "method: two_tower\nparameters: {interpolation: [2.0]}", where="two.yaml")
