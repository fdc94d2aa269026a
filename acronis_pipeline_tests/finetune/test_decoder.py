"""Method `decoder`, on a Mistral of two layers with random weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from acronis_pipeline import encoders
from acronis_pipeline.core.errors import RecipeError
from acronis_pipeline.encoders import TorchEncoder
from acronis_pipeline.encoders.folder import is_decoder, is_language_model
from acronis_pipeline.finetune import TrainedModel, train
from acronis_pipeline.finetune.methods import decoder
from acronis_pipeline.finetune.recipe import parse_recipe
from acronis_pipeline.store import Store
from acronis_pipeline_tests.finetune.tiny_models import write_decoder, write_encoder
from acronis_pipeline_tests.finetune.worlds import codename_world, passages

pytestmark = pytest.mark.model

TEXTS = [passage.text for passage in passages()] + ["Falcon", "word " * 200]
PROMPT = "Instruct: Find what answers the question\nQuery: "
CHAT = "{% for message in messages %}[{{ message['role'] }}] {{ message['content'] }}{% endfor %}"


@pytest.fixture(scope="module")
def mistral(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_decoder(tmp_path_factory.mktemp("mistral"))


@pytest.fixture(scope="module")
def base(mistral: Path) -> TorchEncoder:
    return encoders.load_base(str(mistral), max_seq_length=64, query_prompt=PROMPT)


def recipe_text(base_model: Path, parameters: str = "", *, prompts: str = f"query_prompt: {PROMPT!r}") -> str:
    prompts = prompts.replace("'", '"')
    return f"method: decoder\nbase_model: {base_model}\nmax_seq_length: 64\n{prompts}\nparameters: {{{parameters}}}"


def fit(folder: Path, text: str) -> TrainedModel:
    recipe = parse_recipe("mistral", text, where="mistral.yaml")
    return train(recipe, codename_world(), Store(str(folder / "lancedb")), folder / "models" / "one")


@pytest.fixture(scope="module")
def trained(mistral: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    parameters = "epochs: 25, batch_size: 8, learning_rate: 0.01, evaluations: 3, interpolation: [0.75]"
    return fit(tmp_path_factory.mktemp("decoder"), recipe_text(mistral, parameters))


def test_a_language_model_is_described_without_being_loaded(mistral: Path, base: TorchEncoder) -> None:
    assert is_language_model(mistral)
    identity = encoders.describe(mistral, base=str(mistral), max_seq_length=64, query_prompt=PROMPT)
    assert (identity.dimension, identity.max_seq_length) == (64, 64)
    assert identity == base.identity


def test_every_text_ends_with_the_end_of_text_token_even_a_cut_one(base: TorchEncoder) -> None:
    tokenizer = base.model.tokenizer
    features = base.model.preprocess(TEXTS)
    lengths = features["attention_mask"].sum(dim=1)
    assert lengths.max() == 64
    last = features["input_ids"][torch.arange(len(TEXTS)), lengths - 1]
    assert set(last.tolist()) == {tokenizer.eos_token_id}
    assert set(features["input_ids"][:, 0].tolist()) == {tokenizer.bos_token_id}


def test_a_vector_is_that_of_the_last_token(base: TorchEncoder) -> None:
    ids = base.model.tokenizer(TEXTS[0], return_tensors="pt")
    with torch.no_grad():
        hidden = base.model[0].model(**ids).last_hidden_state[0, -1]
    expected = torch.nn.functional.normalize(hidden, dim=0).numpy()
    np.testing.assert_allclose(base.encode_passages(TEXTS[:1])[0], expected, atol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_on_either_side_changes_nothing(mistral: Path, base: TorchEncoder, side: str) -> None:
    padded = encoders.load(mistral, base.identity)
    padded.model.tokenizer.padding_side = side
    together = padded.model.encode(TEXTS, normalize_embeddings=True)
    alone = np.stack([padded.model.encode(text, normalize_embeddings=True) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_instruction_stands_before_questions_only(base: TorchEncoder) -> None:
    np.testing.assert_allclose(base.encode_queries(["Falcon"]), base.encode_passages([PROMPT + "Falcon"]), atol=1e-6)
    assert not np.allclose(base.encode_queries(["Falcon"]), base.encode_passages(["Falcon"]), atol=1e-3)


def test_a_chat_model_reads_plain_texts(tmp_path: Path, base: TorchEncoder) -> None:
    chat = encoders.load_base(str(write_decoder(tmp_path, chat_template=CHAT)), max_seq_length=64, query_prompt=PROMPT)
    assert np.array_equal(chat.encode_queries(TEXTS), base.encode_queries(TEXTS))


def test_it_learns_names_that_the_base_cannot_know(trained: TrainedModel) -> None:
    assert trained.chosen.startswith("epoch")
    assert trained.validation["best"]["ndcg_at_10"] > trained.validation["base"]["ndcg_at_10"] + 0.1
    assert trained.identity.document_fingerprint != trained.base_identity.document_fingerprint


@pytest.mark.parametrize("side", ["encode_query", "encode_document"])
def test_plain_sentence_transformer_gives_the_published_vectors(trained: TrainedModel, side: str) -> None:
    ours = encoders.load(trained.folder, trained.identity)
    vectors = ours.encode_queries(TEXTS) if side == "encode_query" else ours.encode_passages(TEXTS)
    plain = SentenceTransformer(str(trained.folder))
    np.testing.assert_allclose(getattr(plain, side)(TEXTS), vectors, atol=1e-5)
    assert plain.prompts["query"] == PROMPT
    assert plain.tokenizer("Falcon")["input_ids"][-1] == plain.tokenizer.eos_token_id


def test_nothing_of_the_adapters_is_left_in_the_published_folder(trained: TrainedModel, base: TorchEncoder) -> None:
    assert not list(trained.folder.rglob("adapter*"))
    plain = SentenceTransformer(str(trained.folder))
    assert plain.state_dict().keys() == base.model.state_dict().keys()
    assert is_decoder(trained.folder)
    assert not is_language_model(trained.folder)


def test_computing_activations_again_changes_no_result(mistral: Path, tmp_path: Path) -> None:
    parameters = "epochs: 8, batch_size: 8, learning_rate: 0.01, evaluations: 1, interpolation: [], "
    one, other = (
        fit(tmp_path / switch, recipe_text(mistral, f"{parameters}activation_checkpointing: {switch}"))
        for switch in ("true", "false")
    )
    losses = [[entry["loss"] for entry in model.history if "loss" in entry] for model in (one, other)]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-3)


@pytest.mark.parametrize(
    ("prompts", "named"),
    [
        ("", r"query_prompt = '': method decoder puts an instruction"),
        ("query_prompt: 'query: '", r"query_prompt = 'query: '"),
        (f"query_prompt: {PROMPT!r}\ndocument_prompt: 'passage: '", r"document_prompt = 'passage: '.*questions only"),
    ],
)
def test_prompts_that_are_no_instruction_are_refused(mistral: Path, tmp_path: Path, prompts: str, named: str) -> None:
    with pytest.raises(RecipeError, match=named):
        fit(tmp_path, recipe_text(mistral, prompts=prompts))


def test_base_that_is_no_language_model_is_refused(tmp_path: Path) -> None:
    encoder = write_encoder(tmp_path / "encoder")
    with pytest.raises(RecipeError, match=r"base_model .*model: method decoder needs a causal language model"):
        fit(tmp_path, recipe_text(encoder))
    assert Store(str(tmp_path / "lancedb")).names() == []


def test_four_bits_without_a_gpu_are_refused_before_training(mistral: Path) -> None:
    identity = encoders.describe(mistral, base=str(mistral), max_seq_length=64, query_prompt=PROMPT)
    with pytest.raises(RecipeError, match=r"parameters\.quantize = 4bit needs a GPU, found cpu"):
        decoder.check(identity, decoder.Parameters.model_validate({"quantize": "4bit"}), "cpu")


def test_four_bits_without_bitsandbytes_are_refused(mistral: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    identity = encoders.describe(mistral, base=str(mistral), max_seq_length=64, query_prompt=PROMPT)
    monkeypatch.setattr(decoder.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RecipeError, match=r"parameters\.quantize = 4bit needs bitsandbytes"):
        decoder.check(identity, decoder.Parameters.model_validate({"quantize": "4bit"}), "cuda:0")


def test_adapters_trained_beside_four_bits_are_merged_into_the_full_weights(
    mistral: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("bitsandbytes")
    monkeypatch.setattr(decoder, "check", lambda *_: None)  # newer versions of bitsandbytes run on a CPU, slowly
    parameters = "epochs: 25, batch_size: 8, learning_rate: 0.01, evaluations: 3, interpolation: [], quantize: 4bit"
    model = fit(tmp_path, recipe_text(mistral, parameters))
    assert model.validation["best"]["ndcg_at_10"] > model.validation["base"]["ndcg_at_10"] + 0.1
    plain = SentenceTransformer(str(model.folder))
    assert {type(module) for module in plain.modules() if isinstance(module, torch.nn.Linear)} == {torch.nn.Linear}
    assert "quantization" not in (model.folder / "config.json").read_text("utf-8")


def test_other_numbers_of_bits_are_refused_with_the_key(mistral: Path) -> None:
    with pytest.raises(RecipeError, match=r"mistral\.yaml: parameters\.quantize = '8bit'"):
        parse_recipe("mistral", recipe_text(mistral, "quantize: 8bit"), where="mistral.yaml")
