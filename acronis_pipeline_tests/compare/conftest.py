import pytest

from acronis_pipeline.store import Store


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(str(tmp_path / "lancedb"))
