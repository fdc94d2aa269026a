from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from acronis_pipeline.evaluate import stored
from acronis_pipeline.evaluate.evaluation import Evaluation

_EVALUATED: dict[str, Evaluation] = {}


@pytest.fixture(scope="package", autouse=True)
def computed_once() -> Iterator[None]:
    """Compute a report's numbers once, however many small worlds ask for it.

    A report's id tells everything that it depends on. With a champion or a model elsewhere in it, it always is.
    """
    evaluate = stored.evaluate

    def remembered(store: Any, recipe: str, test: Any, *others: Any, report_id: str, **options: Any) -> Evaluation:
        if report_id not in _EVALUATED or test.others:
            _EVALUATED[report_id] = evaluate(store, recipe, test, *others, report_id=report_id, **options)
        done = _EVALUATED[report_id]
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        return replace(done, report=replace(done.report, created_at=now))

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(stored, "evaluate", remembered)
        yield
