"""Training in several processes: the model of one, whatever else they print, and refusals that arrive as they are."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from acronis_pipeline import embedding
from acronis_pipeline.embedding import Embedder
from acronis_pipeline.errors import AcronisPipelineError, DatasetError, ModelError, RecipeError
from acronis_pipeline.finetune import launch, train
from acronis_pipeline.finetune.method import Fitted, Task
from acronis_pipeline.finetune.methods import METHODS
from acronis_pipeline.finetune.recipe import Recipe, parse_recipe
from acronis_pipeline.store import Store
from acronis_pipeline_tests.finetune.contrastive_tasks import QUICK, recipe_of, task_of
from acronis_pipeline_tests.finetune.tiny_models import write_decoder
from acronis_pipeline_tests.finetune.worlds import codename_world, passages

pytestmark = [pytest.mark.model, pytest.mark.server]

TEXTS = [passage.text for passage in passages()]
NEGATIVES = {"per_question": 2, "relative_margin": 0.0}
OTHERS: Mapping[str, Mapping[str, object]] = {
    "lora": QUICK | {"learning_rate": 0.01},
    "ensemble": {key: value for key, value in QUICK.items() if key != "interpolation"},
    "two_tower": QUICK,
    "distill": QUICK,
    "decoder": QUICK | {"learning_rate": 0.01},
}

ONLY_THE_FIRST_DECIDES = """
import os

print("a library prints", flush=True)
if os.environ.get("RANK") == "1":
    from acronis_pipeline.embedding import Embedder
    from acronis_pipeline.finetune import contrast, negatives

    def refuse(*_, **__):
        raise AssertionError("not the first process, and yet it measures and chooses")

    Embedder._encode = contrast.lay_out = negatives.mine = refuse
"""
"""Python runs a module of the name `sitecustomize` first in every process."""


@pytest.fixture
def only_the_first_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "sitecustomize.py").write_text(ONLY_THE_FIRST_DECIDES, "utf-8")
    there = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "first"), *([there] if there else [])]))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and np.sum(one * other, axis=1).min() > 0.9999


@pytest.mark.usefixtures("only_the_first_decides")
def test_two_processes_train_the_model_of_one(tiny: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    recipe = recipe_of("full", tiny, mini_batch_tokens=48, dimensions=16, hard_negatives=NEGATIVES)
    vectors, reported = [], []
    for n in (1, 2):
        trained = train(
            recipe,
            codename_world(),
            Store(str(tmp_path / f"lancedb{n}")),
            tmp_path / f"model{n}",
            device="cpu",
            devices=n,
            report=reported.append,
        )
        assert trained.chosen != "step 0"
        vectors.append(embedding.load(trained.folder, trained.identity).encode_passages(TEXTS))
    assert vectors[0].shape == (30, 16)
    assert alike(*vectors)
    half = len(reported) // 2
    assert [entry["step"] for entry in reported[:half]] == [entry["step"] for entry in reported[half:]]
    assert "a library prints" in capfd.readouterr().err


@pytest.mark.usefixtures("only_the_first_decides")
def test_every_other_method_trains_the_model_of_one_too(tiny: Path, tmp_path: Path) -> None:
    store, decoder = Store(str(tmp_path / "lancedb")), write_decoder(tmp_path / "mistral")
    handed: dict[Path, tuple[Recipe, Task]] = {}
    for method, parameters in OTHERS.items():
        folder, model = tmp_path / method, decoder if method == "decoder" else tiny
        folder.mkdir()
        handed[folder] = recipe_for(method, model, parameters), task_of(model, store)
        launch._hand_over(*handed[folder], folder)
    start_two = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    them_all = ["-m", "acronis_pipeline_tests.finetune.launched_methods", *map(str, handed)]
    subprocess.run([sys.executable, *start_two, *them_all], check=True, env=os.environ | {launch._STORE_OPTIONS: "{}"})
    for folder, (recipe, task) in handed.items():
        together = launch._take_back(task, folder)
        alone = METHODS[recipe.method].fit(task, recipe.parameters)
        assert together.chosen == alone.chosen, recipe.method
        assert together.chosen != "step 0", recipe.method
        assert alike(vectors(together, task), vectors(alone, task)), recipe.method


def recipe_for(method: str, model: Path, parameters: Mapping[str, object]) -> Recipe:
    content = {"method": method, "base_model": str(model), "max_seq_length": 32, "parameters": parameters}
    return parse_recipe(method, json.dumps(content), where=f"{method}.yaml")


def vectors(fitted: Fitted, task: Task) -> np.ndarray:
    identity = replace(task.base.identity, dimension=fitted.model.get_embedding_dimension())
    embedder = Embedder(fitted.model, identity)
    return np.concatenate([embedder.encode_queries(TEXTS), embedder.encode_passages(TEXTS)])


def test_what_a_process_refuses_is_refused_in_its_words(
    tiny: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    recipe = recipe_of("full", tiny, hard_negatives={"per_question": 1, "relative_margin": 0.99})
    with pytest.raises(
        RecipeError, match=r"^recipe full: parameters\.hard_negatives: only \d+ of 24 questions keep one"
    ):
        train(recipe, codename_world(), Store(str(tmp_path / "lancedb")), tmp_path / "model", device="cpu", devices=2)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("name", "kind"), [("DatasetError", DatasetError), ("__doc__", AcronisPipelineError), ("no", AcronisPipelineError)]
)
def test_a_refusal_is_of_a_kind_that_we_know(tiny: Path, tmp_path: Path, name: str, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="too few") as caught:
        launch._hear({"refused": name, "text": "too few"}, task_of(tiny, Store(str(tmp_path / "lancedb"))))
    assert caught.type is kind


def test_a_process_that_fails_is_no_silent_end(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    store, folder = Store(str(tmp_path / "lancedb")), tmp_path / "model"
    with pytest.raises(ModelError, match="2 devices failed"):
        train(recipe_of("full", tiny), codename_world(), store, folder, device="cpu", devices=2)
    assert not folder.exists()
