from collections.abc import Iterator

import pytest

from acronis_pipeline.evaluate import evaluation


@pytest.fixture(scope="package", autouse=True)
def timed_briefly() -> Iterator[None]:
    """Time systems on the fewest questions: in a small world that takes more than everything else of an evaluation."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(evaluation, "_BUDGET_S", 0.0)
        yield
