"""Low-rank adapters: found in any transformer, merged away, refused where there is nothing to adapt."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from acronis_pipeline import encoders
from acronis_pipeline.core.errors import RecipeError
from acronis_pipeline.finetune import TrainedModel, train
from acronis_pipeline.finetune.low_rank import add_adapters, linear_maps, merge_adapters
from acronis_pipeline.store import Store
from acronis_pipeline_tests.finetune.contrastive_tasks import recipe_of
from acronis_pipeline_tests.finetune.tiny_models import write_decoder, write_encoder
from acronis_pipeline_tests.finetune.worlds import codename_world, passages

pytestmark = pytest.mark.model

TEXTS = [passage.text for passage in passages()]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def trained(model: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    folder = tmp_path_factory.mktemp("lora")
    recipe = recipe_of("lora", model, rank=8, learning_rate=0.01, interpolation=[])
    return train(recipe, codename_world(), Store(str(folder / "lancedb")), folder / "model", precision="float32")


def test_it_learns_names_that_the_base_cannot_know(trained: TrainedModel) -> None:
    assert trained.chosen.startswith("epoch")
    assert trained.validation["best"]["ndcg_at_10"] > trained.validation["base"]["ndcg_at_10"] + 0.1


def test_what_is_published_is_a_plain_model(trained: TrainedModel, model: Path) -> None:
    plain = SentenceTransformer(str(trained.folder))
    assert {name for name, _ in plain.named_parameters()} == {
        name for name, _ in SentenceTransformer(str(model)).named_parameters()
    }
    assert not list(trained.folder.rglob("adapter*"))


def test_only_maps_within_layers_are_changed(trained: TrainedModel, model: Path) -> None:
    before, after = (dict(SentenceTransformer(str(folder)).named_parameters()) for folder in (model, trained.folder))
    changed = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    assert changed
    assert all(".layer." in name and name.endswith("weight") and "LayerNorm" not in name for name in changed)


def test_merging_changes_no_vector(model: Path) -> None:
    encoder = encoders.load_base(str(model), max_seq_length=32)
    transformer = encoder.model[0].model
    base = encoder.encode_passages(TEXTS)
    add_adapters(transformer, rank=4, alpha=8, seed=1)
    assert np.array_equal(encoder.encode_passages(TEXTS), base)
    for parameter in transformer.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.3)
    adapted = encoder.encode_passages(TEXTS)
    merge_adapters(transformer)
    assert np.abs(adapted - base).max() > 0.01
    assert np.abs(encoder.encode_passages(TEXTS) - adapted).max() < 1e-5


def test_adapters_leave_gpus_of_other_processes_alone(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: pytest.fail(f"{device} was opened"))
    add_adapters(
        encoders.load_base(str(model), max_seq_length=32, device="cpu").model[0].model, rank=4, alpha=8, seed=1
    )


def test_maps_are_found_in_encoders_and_decoders(model: Path, tmp_path: Path) -> None:
    from transformers import AutoModel

    encoder = AutoModel.from_pretrained(encoders.find_base(encoders.PACKAGED_BASE))
    assert len(linear_maps(encoder)) == 6 * 6
    assert not any("pooler" in name for name in linear_maps(encoder))
    decoder = AutoModel.from_pretrained(write_decoder(tmp_path))
    assert {name.rpartition(".")[2] for name in linear_maps(decoder)} == {
        *("q_proj", "k_proj", "v_proj", "o_proj"),
        *("gate_proj", "up_proj", "down_proj"),
    }


def test_static_embeddings_are_refused_before_training(tmp_path: Path) -> None:
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(encoders.find_base(encoders.PACKAGED_BASE) / "tokenizer.json"))
    static = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=16)], device="cpu")
    static.save_pretrained(str(tmp_path / "static"), create_model_card=False)
    recipe = recipe_of("lora", tmp_path / "static")
    with pytest.raises(RecipeError, match=r"base_model = .*starts with StaticEmbedding"):
        train(recipe, codename_world(), Store(str(tmp_path / "lancedb")), tmp_path / "model")
