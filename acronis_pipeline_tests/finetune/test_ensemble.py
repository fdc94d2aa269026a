"""Method `ensemble`: a trained encoder beside a frozen one, published as one stock model."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling

from acronis_pipeline import encoders
from acronis_pipeline.core.errors import RecipeError
from acronis_pipeline.encoders import TorchEncoder
from acronis_pipeline.finetune import TrainedModel, train
from acronis_pipeline.finetune.base_model import require_feasible
from acronis_pipeline.finetune.fusion import Fusion
from acronis_pipeline.finetune.methods import ensemble
from acronis_pipeline.finetune.recipe import parse_recipe
from acronis_pipeline.store import Store
from acronis_pipeline_tests.finetune.tiny_models import write_encoder
from acronis_pipeline_tests.finetune.worlds import codename_world, passages, solved_world

pytestmark = pytest.mark.model

TEXTS = [passage.text for passage in passages()]
LEARNS = "epochs: 12, batch_size: 8, learning_rate: 0.005, evaluations: 4, patience: 4"


@pytest.fixture(scope="module")
def first_token(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another model with the tokenizer of `tiny`, that pools by the first token."""
    folder = tmp_path_factory.mktemp("first_token")
    transformer = next(SentenceTransformer(str(tiny)).children())
    assert isinstance(transformer, Transformer)
    for parameter in transformer.parameters():
        parameter.data *= 1.3
    pooling = Pooling(transformer.get_embedding_dimension(), "cls")
    SentenceTransformer(modules=[transformer, pooling, Normalize()]).save_pretrained(str(folder))
    return folder


def fit(tiny: Path, folder: Path, parameters: str, data=None) -> TrainedModel:
    text = f"method: ensemble\nbase_model: {tiny}\nquery_prompt: 'ask '\nparameters: {{{parameters}}}"
    recipe = parse_recipe("both", text, where="both.yaml")
    return train(recipe, data or codename_world(), Store(str(folder / "lancedb")), folder / "models" / "one")


@pytest.fixture(scope="module")
def trained(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    return fit(tiny, tmp_path_factory.mktemp("ensemble"), LEARNS)


def vectors(folder: Path, texts: list[str] = TEXTS) -> np.ndarray:
    return SentenceTransformer(str(folder)).encode_document(texts, normalize_embeddings=True)


def test_it_learns_names_that_the_base_cannot_know(trained: TrainedModel) -> None:
    assert trained.chosen.startswith("epoch")
    assert "weight" in trained.chosen
    assert trained.validation["best"]["ndcg_at_10"] > trained.validation["base"]["ndcg_at_10"] + 0.1


@pytest.mark.parametrize("side", ["encode_query", "encode_document"])
def test_plain_sentence_transformer_gives_the_published_vectors(trained: TrainedModel, side: str) -> None:
    ours = encoders.load(trained.folder, trained.identity)
    mine = ours.encode_queries(TEXTS) if side == "encode_query" else ours.encode_passages(TEXTS)
    plain = getattr(SentenceTransformer(str(trained.folder)), side)(TEXTS, normalize_embeddings=True)
    np.testing.assert_allclose(plain, mine, atol=1e-6)


def test_the_second_half_is_the_untouched_base(trained: TrainedModel, tiny: Path) -> None:
    joined, base = vectors(trained.folder), vectors(tiny)
    assert trained.identity.dimension == joined.shape[1] == 2 * base.shape[1]
    second = joined[:, base.shape[1] :]
    np.testing.assert_allclose(second / np.linalg.norm(second, axis=1, keepdims=True), base, atol=1e-5)


def test_scores_are_the_weighted_mean_of_two_cosines(tiny: Path) -> None:
    base = encoders.load_base(str(tiny), max_seq_length=64)
    fusion = Fusion(encoders.load_base(str(tiny), max_seq_length=64), base)
    before = fusion.encoder.encode_passages(TEXTS)
    fusion.scale(fusion.factor(0.7, before))
    after = fusion.encoder.encode_passages(TEXTS)
    np.testing.assert_allclose(np.linalg.norm(after[:, : base.identity.dimension], axis=1) ** 2, 0.7, atol=1e-5)
    np.testing.assert_allclose(after @ after.T, base.encode_passages(TEXTS) @ base.encode_passages(TEXTS).T, atol=1e-5)
    np.testing.assert_allclose(fusion.scaled(before, fusion.factor(0.7, before)), after, atol=1e-6)


def test_a_second_encoder_may_pool_by_its_first_token(tiny: Path, first_token: Path, tmp_path: Path) -> None:
    fusion = Fusion(
        encoders.load_base(str(tiny), max_seq_length=64), encoders.load_base(str(first_token), max_seq_length=64)
    )
    fusion.encoder.model.save_pretrained(str(tmp_path))
    joined, second = vectors(tmp_path), vectors(first_token)
    part = joined[:, -second.shape[1] :]
    np.testing.assert_allclose(part / np.linalg.norm(part, axis=1, keepdims=True), second, atol=1e-5)


def test_two_encoders_can_be_joined_without_any_training_paying(tiny: Path, first_token: Path, tmp_path: Path) -> None:
    model = fit(tiny, tmp_path, f"second: '{first_token}', epochs: 1, batch_size: 8, learning_rate: 1.0e-9")
    assert model.chosen.startswith("step 0")
    assert model.validation["best"]["ndcg_at_10"] >= model.validation["base"]["ndcg_at_10"]


def test_training_stops_when_the_hit_rate_no_longer_rises(tiny: Path, tmp_path: Path) -> None:
    model = fit(tiny, tmp_path, "epochs: 8, batch_size: 8, evaluations: 8, patience: 2", solved_world())
    looks = [entry for entry in model.history if "hit_rate_at_5" in entry]
    assert model.chosen == "step 0"
    assert model.identity == model.base_identity
    assert len(looks) == 3


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ("second: /no/such/folder", r"parameters\.second = /no/such/folder: no such folder; .* remove the key"),
        ("second: {other}", r"parameters\.second = '.*other': cuts texts into other tokens"),
    ],
)
def test_a_second_encoder_that_cannot_be_used_is_refused_before_training(
    tiny: Path, tmp_path: Path, parameters: str, problem: str
) -> None:
    other = tmp_path / "other"
    shutil.copytree(tiny, other)
    tokenizer = other / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text("utf-8").replace('"lowercase": true', '"lowercase": false'), "utf-8")
    parameters = parameters.replace("{other}", str(other))
    with pytest.raises(RecipeError, match=problem):
        fit(tiny, tmp_path, parameters)
    assert not (tmp_path / "models").exists()


def test_a_second_encoder_with_fewer_positions_than_the_base_reads_is_refused(base: TorchEncoder) -> None:
    parameters = ensemble.Parameters.model_validate({"second": encoders.PACKAGED_BASE})
    with pytest.raises(RecipeError, match=r"parameters\.second .* reads 512 tokens, the base 1024; lower"):
        ensemble.check(replace(base.identity, max_seq_length=1024), parameters, "cpu")


@pytest.mark.parametrize("wrong", ["weights: [1.0]", "weights: []", "matryoshka_dimensions: [64]"])
def test_parameters_that_cannot_work_are_refused(wrong: str) -> None:
    with pytest.raises(RecipeError, match=wrong.split(":")[0]):
        parse_recipe("both", f"method: ensemble\nparameters: {{{wrong}}}", where="both.yaml")


def test_an_encoder_that_cannot_be_joined_is_refused_before_training_by_the_key_that_names_it(tmp_path: Path) -> None:
    from sentence_transformers.base.modules import Dense

    folder = tmp_path / "dense"
    base = next(SentenceTransformer(str(write_encoder(tmp_path))).children())
    assert isinstance(base, Transformer)
    modules = [base, Pooling(base.get_embedding_dimension(), "mean"), Dense(32, 16)]
    SentenceTransformer(modules=modules).save_pretrained(str(folder), create_model_card=False)
    for recipe, key in ((f"base_model: {folder}", "base_model"), (f"parameters: {{second: {folder}}}", "second")):
        parsed = parse_recipe("both", f"method: ensemble\n{recipe}", where="both.yaml")
        with pytest.raises(RecipeError, match=rf"{key} = .*, not Transformer, Pooling, Dense; name another"):
            require_feasible(parsed)
