import os
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from acronis_pipeline.core.errors import DatasetError, IdentityMismatchError
from acronis_pipeline.core.settings import ModelSettings
from acronis_pipeline.encoders import running
from acronis_pipeline.finetune.recipe import parse_recipe
from acronis_pipeline.finetune.training import staged
from acronis_pipeline.models.records import annotate, current_model, refresh, training_key
from acronis_pipeline.store import Store, tables
from acronis_pipeline_tests.finetune.conftest import ADAPTER, Trained

pytestmark = pytest.mark.model


@pytest.fixture
def workspace(trained: Trained, tmp_path: Path) -> Trained:
    """A copy of the trained session that a test may change."""
    shutil.copytree(trained.store.uri, tmp_path / "lancedb")
    return replace(trained, store=Store(str(tmp_path / "lancedb")), models_dir=tmp_path / "models")


def test_same_recipe_and_data_are_not_trained_again(workspace: Trained) -> None:
    version = workspace.store.version(tables.MODELS)
    again = refresh(workspace.store, workspace.recipe, workspace.dataset, workspace.models_dir)
    assert again.reused
    assert again.record == workspace.result.record
    assert workspace.store.version(tables.MODELS) == version
    assert not workspace.models_dir.exists()


@pytest.mark.server
def test_reuse_does_not_import_torch(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "dataset").write_bytes(pickle.dumps(trained.dataset))
    code = f"""
import pickle, sys
from pathlib import Path
from acronis_pipeline.finetune.recipe import parse_recipe
from acronis_pipeline.models.records import refresh
from acronis_pipeline.store import Store
dataset = pickle.loads(Path({str(tmp_path / "dataset")!r}).read_bytes())
recipe = parse_recipe("adapter", {ADAPTER!r}, where="")
print(refresh(Store({trained.store.uri!r}), recipe, dataset, Path("unused")).reused, "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]


def test_model_whose_folder_is_gone_is_trained_again(workspace: Trained) -> None:
    fewer = replace(workspace.dataset, train=workspace.dataset.train[1:])
    first = refresh(workspace.store, workspace.recipe, fewer, workspace.models_dir)
    shutil.rmtree(first.record.folder)
    second = refresh(workspace.store, workspace.recipe, fewer, workspace.models_dir)
    assert not second.reused
    assert second.record.folder.is_dir()
    assert second.record.identity == first.record.identity


def test_model_whose_weights_were_replaced_is_refused_and_trained_again(workspace: Trained) -> None:
    fewer = replace(workspace.dataset, train=workspace.dataset.train[2:])
    first = refresh(workspace.store, workspace.recipe, fewer, workspace.models_dir).record
    (weights,) = (file for file in first.folder.rglob("*.safetensors") if "Dense" in str(file))
    before = weights.read_bytes()
    weights.write_bytes(before[:-4] + b"\0\0\0\0")
    with pytest.raises(IdentityMismatchError, match=f"{first.folder} now holds model"):
        running(first.folder, first.identity, ModelSettings.model_validate({"backend": "torch"}))
    again = refresh(workspace.store, workspace.recipe, fewer, workspace.models_dir)
    assert not again.reused
    assert weights.read_bytes() == before
    assert refresh(workspace.store, workspace.recipe, fewer, workspace.models_dir).reused


def test_every_entry_of_the_history_is_reported_as_it_comes(workspace: Trained) -> None:
    reported: list[dict[str, float]] = []
    fewer = replace(workspace.dataset, train=workspace.dataset.train[1:])
    result = refresh(workspace.store, workspace.recipe, fewer, workspace.models_dir, report=reported.append)
    assert reported == result.record.metrics["history"]
    assert reported[0]["step"] == 0


def test_key_follows_recipe_and_data_but_not_description(trained: Trained) -> None:
    key = training_key(trained.recipe, trained.dataset)
    described = parse_recipe("adapter", ADAPTER + "description: other", where="")
    seeded = parse_recipe("adapter", ADAPTER + "seed: 99", where="")
    fewer = replace(trained.dataset, train=trained.dataset.train[1:])
    assert training_key(described, trained.dataset) == key
    assert len({key, training_key(seeded, trained.dataset), training_key(trained.recipe, fewer)}) == 3


def test_current_model_is_the_newest_even_when_it_is_reused(workspace: Trained) -> None:
    store, record = workspace.store, workspace.result.record
    fewer = replace(workspace.dataset, train=workspace.dataset.train[1:])
    other = refresh(store, workspace.recipe, fewer, workspace.models_dir).record
    assert current_model(store, "adapter") == other
    back = refresh(store, workspace.recipe, workspace.dataset, workspace.models_dir)
    assert back.reused
    current = current_model(store, "adapter")
    assert current is not None
    assert current.record_id == record.record_id != other.record_id


def test_recipe_that_was_never_trained_has_no_model(tmp_path: Path) -> None:
    assert current_model(Store(str(tmp_path)), "full") is None


def test_where_a_model_was_logged_is_noted(workspace: Trained) -> None:
    record = workspace.result.record
    annotate(workspace.store, record.record_id, mlflow_run_id="run", registry_version="3")
    found = current_model(workspace.store, "adapter")
    assert found == replace(record, mlflow_run_id="run", registry_version="3")
    with pytest.raises(KeyError):
        annotate(workspace.store, "unknown", mlflow_run_id="run")


def test_refused_data_leaves_the_current_model(workspace: Trained) -> None:
    before = current_model(workspace.store, "adapter")
    too_few = replace(workspace.dataset, train=workspace.dataset.train[:3])
    with pytest.raises(DatasetError, match="3 training questions"):
        refresh(workspace.store, workspace.recipe, too_few, workspace.models_dir)
    assert current_model(workspace.store, "adapter") == before


@pytest.mark.server
def test_model_killed_half_way_has_no_final_name(tmp_path: Path) -> None:
    code = f"""
import os
from pathlib import Path
from acronis_pipeline.finetune.training import staged
with staged(Path({str(tmp_path / "model")!r})) as partial:
    (partial / "half").write_text("half")
    os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert not (tmp_path / "model").exists()
    with staged(tmp_path / "model") as partial:
        (partial / "whole").write_text("whole")
    assert os.listdir(tmp_path / "model") == ["whole"]
    assert os.listdir(tmp_path) == ["model"]


def test_error_while_writing_leaves_nothing(tmp_path: Path) -> None:
    def write() -> None:
        with staged(tmp_path / "model"):
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write()
    assert os.listdir(tmp_path) == []
