"""Training that is killed goes on from its last checkpoint, to the very weights that it would have had."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from acronis_pipeline.finetune import contrastive_training
from acronis_pipeline.finetune.method import Fitted
from acronis_pipeline.finetune.methods import method_named
from acronis_pipeline.models.records import is_unfinished, refresh, training_key
from acronis_pipeline.store import Store
from acronis_pipeline_tests.finetune.contrastive_tasks import recipe_of, task_of
from acronis_pipeline_tests.finetune.tiny_models import write_encoder
from acronis_pipeline_tests.finetune.worlds import codename_world

pytestmark = [pytest.mark.model, pytest.mark.server]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("tiny"))


class PowerError(Exception):
    """Goes off."""


def fit(model: Path, method: str, work: Path | None, *, dies_at: float = float("inf")) -> tuple[Fitted, list[float]]:
    """Train; the steps reported stand beside what came out."""
    steps: list[float] = []

    def report(entry: dict[str, float]) -> None:
        if entry["step"] >= dies_at:
            raise PowerError
        steps.append(entry["step"])

    recipe = recipe_of(method, model)
    task = task_of(model, Store(str(model.parent / "lancedb")), work=work, report=report)
    return method_named(method).fit(task, recipe.parameters), steps


@pytest.mark.parametrize("method", ["full", "lora"])
def test_the_same_weights_as_without_the_kill(model: Path, tmp_path: Path, method: str) -> None:
    whole, steps = fit(model, method, None)
    with pytest.raises(PowerError):
        fit(model, method, tmp_path, dies_at=steps[-1] - 3)
    resumed, later = fit(model, method, tmp_path)
    assert 0 < later[0] < steps[-1]
    assert resumed.history == whole.history
    assert resumed.chosen == whole.chosen
    ours, theirs = resumed.model.state_dict(), whole.model.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_checkpoint_of_another_version_is_left_alone(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(contrastive_training, "_VERSION", 1)
        with pytest.raises(PowerError):
            fit(model, "full", tmp_path, dies_at=8)
    _, steps = fit(model, "full", tmp_path)
    assert steps[0] == 0


def test_a_checkpoint_is_never_half_written(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PowerError):
        fit(model, "full", tmp_path, dies_at=8)
    before = (tmp_path / "checkpoint.pt").read_bytes()

    def full_disk(state: object, file: Path) -> None:
        file.write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match="no space"):
        fit(model, "full", tmp_path)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


KILLED = """
import os, signal, sys
from pathlib import Path
from acronis_pipeline.models.records import refresh
from acronis_pipeline.store import Store
from acronis_pipeline_tests.finetune.contrastive_tasks import recipe_of
from acronis_pipeline_tests.finetune.worlds import codename_world

def report(entry):
    if entry["step"] >= 10:
        os.kill(os.getpid(), signal.SIGKILL)

model, folder = map(Path, sys.argv[1:])
refresh(Store(str(folder / "lancedb")), recipe_of("full", model), codename_world(), folder / "models",
        report=report)
"""


def test_a_killed_process_leaves_what_the_next_one_goes_on_with(model: Path, tmp_path: Path) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(model), str(tmp_path)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert list((tmp_path / "models" / ".work" / "full").glob("*/checkpoint.pt"))
    steps: list[float] = []
    store, models = Store(str(tmp_path / "lancedb")), tmp_path / "models"
    key = training_key(recipe_of("full", model), codename_world())
    assert is_unfinished(models, "full", key)
    result = refresh(
        store,
        recipe_of("full", model),
        codename_world(),
        models,
        report=lambda entry: steps.append(entry["step"]),
    )
    assert min(steps) > 4
    assert result.record.metrics["history"][0]["step"] == 0
    assert not is_unfinished(models, "full", key)
    assert not list((models / ".work").iterdir())
    fresh = refresh(
        Store(str(tmp_path / "other")),
        recipe_of("full", model),
        codename_world(),
        tmp_path / "more",
    )
    assert fresh.record.identity == result.record.identity
