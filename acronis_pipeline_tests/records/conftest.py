import pytest

from acronis_pipeline.store import Store
from acronis_pipeline.tracking import Tracker


@pytest.fixture(scope="module")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> Tracker:
    """A database of its own: making its tables takes seconds."""
    database = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    return Tracker(f"sqlite:///{database}", "experiment", "model", "http://127.0.0.1:5000")


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(str(tmp_path / "lancedb"))
