"""What asks for more than the data or the base have is refused before anything is embedded."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from acronis_pipeline import embedding
from acronis_pipeline.errors import RecipeError
from acronis_pipeline.finetune import train
from acronis_pipeline.store import Store
from acronis_pipeline_tests.finetune.contrastive_tasks import recipe_of
from acronis_pipeline_tests.finetune.tiny_models import write_encoder
from acronis_pipeline_tests.finetune.worlds import codename_world, passages

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
    assert embedding.load(trained.folder, trained.identity).encode_queries(TEXTS[:1]).shape == (1, 8)
    looks = [entry for entry in trained.history if "ndcg_at_10" in entry]
    assert all("ndcg_at_10_of_8" in look for look in looks)


def test_training_stops_when_nothing_gets_better(model: Path, tmp_path: Path) -> None:
    recipe = recipe_of("full", model, learning_rate=1e-9, epochs=8, evaluations=8, patience=2, interpolation=[])
    trained = train(recipe, codename_world(), Store(str(tmp_path / "lancedb")), tmp_path / "model", precision="float32")
    assert trained.chosen == "step 0"
    assert len([entry for entry in trained.history if "ndcg_at_10" in entry]) == 3
