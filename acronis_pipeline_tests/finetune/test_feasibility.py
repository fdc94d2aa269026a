"""What asks for more than the data or the base have is refused before anything is embedded."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from acronis_pipeline import encoders
from acronis_pipeline.core.errors import RecipeError
from acronis_pipeline.core.settings import ModelSettings
from acronis_pipeline.encoders import running
from acronis_pipeline.finetune import train
from acronis_pipeline.finetune.base_model import describe_base
from acronis_pipeline.finetune.recipe import parse_recipe
from acronis_pipeline.models.records import refresh
from acronis_pipeline.store import Store
from acronis_pipeline_tests.finetune.contrastive_tasks import recipe_of
from acronis_pipeline_tests.finetune.tiny_models import write_encoder
from acronis_pipeline_tests.finetune.worlds import codename_world, passages
from acronis_pipeline_tests.retrieve.cross_encoders import write_cross_encoder

pytestmark = pytest.mark.model

TEXTS = [passage.text for passage in passages()]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("tiny"))


@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"batch_size": 25}, r"parameters.batch_size = 25: .* 24 distinct passages"),
        ({"matryoshka_dimensions": [16, 33]}, r"parameters.matryoshka_dimensions = 33: .* 32 dimensions"),
        ({"dimensions": 64}, r"parameters.dimensions = 64: .* 32 dimensions"),
    ],
)
def test_more_than_there_is(model: Path, tmp_path: Path, method: str, parameters: dict[str, Any], named: str) -> None:
    store = Store(str(tmp_path / "lancedb"))
    with pytest.raises(RecipeError, match=named):
        train(recipe_of(method, model, **parameters), codename_world(), store, tmp_path / "model")
    assert store.names() == []


def test_published_vectors_are_cut_where_the_recipe_says_so(model: Path, tmp_path: Path) -> None:
    recipe = recipe_of("full", model, dimensions=8, matryoshka_dimensions=[8, 16])
    trained = train(recipe, codename_world(), Store(str(tmp_path / "lancedb")), tmp_path / "model", precision="float32")
    plain = SentenceTransformer(str(trained.folder))
    vectors = plain.encode_document(TEXTS)
    assert trained.identity.dimension == vectors.shape[1] == 8
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert encoders.load(trained.folder, trained.identity).encode_queries(TEXTS[:1]).shape == (1, 8)
    looks = [entry for entry in trained.history if "ndcg_at_10" in entry]
    assert all("ndcg_at_10_of_8" in look for look in looks)


def test_training_stops_when_nothing_gets_better(model: Path, tmp_path: Path) -> None:
    recipe = recipe_of("full", model, learning_rate=1e-9, epochs=8, evaluations=8, patience=2, interpolation=[])
    trained = train(recipe, codename_world(), Store(str(tmp_path / "lancedb")), tmp_path / "model", precision="float32")
    assert trained.chosen == "step 0"
    assert len([entry for entry in trained.history if "ndcg_at_10" in entry]) == 3


def test_a_published_base_is_run_as_it_was_trained(model: Path, tmp_path: Path) -> None:
    identity = encoders.describe(model, base="small", query_prompt="ask ")
    folder = tmp_path / "published"
    shutil.copytree(model, folder)
    (folder / encoders.IDENTITY_FILE).write_text(identity.to_json())
    same = parse_recipe("again", f"method: full\nbase_model: {folder}\nquery_prompt: 'ask '", where="again.yaml")
    assert describe_base(same) == replace(identity, base=str(folder))
    for other, key in (
        ("query_prompt: 'find '", "query_prompt"),
        ("windows: {tokens: 16, overlap: 4}", "windows"),
        ("max_seq_length: 16", "max_seq_length"),
    ):
        recipe = parse_recipe("again", f"method: full\nbase_model: {folder}\n{other}", where="again.yaml")
        with pytest.raises(RecipeError, match=f"recipe again: {key}: .* was published with .*; remove the key"):
            describe_base(recipe)


def test_a_model_made_from_a_published_one_finds_it_again_as_its_base(model: Path, tmp_path: Path) -> None:
    store, world = Store(str(tmp_path / "lancedb")), codename_world()
    first = refresh(store, recipe_of("full", model), world, tmp_path / "models").record
    assert first.metrics["chosen"] != "step 0"  # or both would be the same
    again = parse_recipe("again", f"method: query_adapter\nbase_model: {first.folder}", where="again.yaml")
    second = refresh(store, again, world, tmp_path / "models").record
    assert second.base_folder() == first.folder
    base = running(second.base_folder(), second.base_identity, ModelSettings.model_validate({"backend": "torch"}))
    assert np.array_equal(
        base.encode_passages(TEXTS), encoders.load(first.folder, first.identity).encode_passages(TEXTS)
    )


def test_a_cross_encoder_is_no_base(tmp_path: Path) -> None:
    from sentence_transformers import CrossEncoder

    plain, saved = write_cross_encoder(tmp_path / "plain"), tmp_path / "saved"
    CrossEncoder(str(plain), device="cpu").save_pretrained(str(saved), create_model_card=False)
    for folder in (plain, saved):
        recipe = parse_recipe("mixed", f"method: full\nbase_model: {folder}", where="mixed.yaml")
        with pytest.raises(RecipeError, match=r"recipe mixed: base_model = .* \(a cross-encoder\); name an encoder"):
            describe_base(recipe)
