from dataclasses import dataclass
from pathlib import Path

import pytest

from acronis_pipeline import encoders
from acronis_pipeline.core.dataset import RetrievalDataset
from acronis_pipeline.encoders import TorchEncoder
from acronis_pipeline.finetune import Recipe
from acronis_pipeline.finetune.recipe import parse_recipe
from acronis_pipeline.models.records import ModelResult, refresh
from acronis_pipeline.store import Store
from acronis_pipeline_tests.finetune.tiny_models import write_encoder
from acronis_pipeline_tests.finetune.worlds import codename_world
from acronis_pipeline_tests.needs import needs

ADAPTER = """
method: query_adapter
max_seq_length: 64
parameters: {learning_rate: 0.003, max_steps: 120}
"""


@dataclass(frozen=True)
class Trained:
    """A query adapter trained once for the whole session, with the store and data that it came from."""

    store: Store
    recipe: Recipe
    dataset: RetrievalDataset
    models_dir: Path
    result: ModelResult


@pytest.fixture(scope="session")
@needs("model")
def base() -> TorchEncoder:
    return encoders.load_base(encoders.PACKAGED_BASE, max_seq_length=64)


@pytest.fixture(scope="session")
@needs("model")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a randomly initialised encoder; only to be read."""
    return write_encoder(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def adapter_recipe() -> Recipe:
    return parse_recipe("adapter", ADAPTER, where="adapter.yaml")


@pytest.fixture(scope="session")
@needs("model")
def trained(tmp_path_factory: pytest.TempPathFactory, adapter_recipe: Recipe) -> Trained:
    folder = tmp_path_factory.mktemp("trained")
    store, dataset = Store(str(folder / "lancedb")), codename_world()
    # Not below the store's folder: a copy of the store alone still finds the model.
    models_dir = tmp_path_factory.mktemp("models")
    result = refresh(store, adapter_recipe, dataset, models_dir)
    return Trained(store, adapter_recipe, dataset, models_dir, result)
