"""Training in several processes: the model of one, whatever else they print, and refusals that arrive as they are."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from acronis_pipeline import encoders
from acronis_pipeline.core.errors import ModelError, RecipeError
from acronis_pipeline.finetune import methods, train
from acronis_pipeline.finetune.devices import fit_on_many
from acronis_pipeline.finetune.method import Method
from acronis_pipeline.finetune.methods import encoder, method_named
from acronis_pipeline.finetune.recipe import Recipe, parse_recipe
from acronis_pipeline.store import Store
from acronis_pipeline_tests.finetune import launched_methods
from acronis_pipeline_tests.finetune.contrastive_tasks import QUICK, recipe_of, task_of
from acronis_pipeline_tests.finetune.launched_methods import TEXTS, vectors_of
from acronis_pipeline_tests.finetune.tiny_models import write_decoder
from acronis_pipeline_tests.finetune.worlds import codename_world

pytestmark = [pytest.mark.model, pytest.mark.server]

NEGATIVES = {"per_question": 2, "relative_margin": 0.0}
OTHERS: Mapping[str, Mapping[str, object]] = {
    "lora": QUICK | {"learning_rate": 0.01},
    "ensemble": {key: value for key, value in QUICK.items() if key != "interpolation"},
    "two_tower": QUICK,
    "distill": QUICK,
    "decoder": QUICK | {"learning_rate": 0.01},
}


@pytest.fixture(autouse=True)
def one_thread_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and np.sum(one * other, axis=1).min() > 0.9999


def test_two_processes_train_the_model_of_one(
    tiny: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = recipe_of("full", tiny, mini_batch_tokens=48, dimensions=16, hard_negatives=NEGATIVES)
    monkeypatch.setitem(methods.OURS, "full", replace(encoder.FULL, fit=launched_methods.train_fully))
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
        vectors.append(encoders.load(trained.folder, trained.identity).encode_passages(TEXTS))
    assert vectors[0].shape == (30, 16)
    assert alike(*vectors)
    half = len(reported) // 2
    assert [entry["step"] for entry in reported[:half]] == [entry["step"] for entry in reported[half:]]
    assert "a library prints" in capfd.readouterr().err


def test_every_other_method_trains_the_model_of_one_too(tiny: Path, tmp_path: Path) -> None:
    store, decoder = Store(str(tmp_path / "lancedb")), write_decoder(tmp_path / "mistral")
    recipes = [
        recipe_for(method, decoder if method == "decoder" else tiny, parameters)
        for method, parameters in OTHERS.items()
    ]
    each = Method(encoder.FullParameters, launched_methods.train_each)
    fit_on_many(each, recipes, task_of(tiny, store, work=tmp_path / "work"), 2)  # pyright: ignore[reportArgumentType]
    for recipe in recipes:
        task = task_of(Path(recipe.base_model), store)
        alone = method_named(recipe.method).fit(task, recipe.parameters)
        chosen = (tmp_path / "work" / recipe.name / "chosen").read_text("utf-8")
        assert chosen == alone.chosen, recipe.method
        assert chosen != "step 0", recipe.method
        together = np.load(tmp_path / "work" / recipe.name / "vectors.npy")
        assert alike(together, vectors_of(alone, task)), recipe.method


def recipe_for(method: str, model: Path, parameters: Mapping[str, object]) -> Recipe:
    content = {"method": method, "base_model": str(model), "max_seq_length": 32, "parameters": parameters}
    return parse_recipe(method, json.dumps(content), where=f"{method}.yaml")


def test_what_a_process_refuses_is_refused_in_its_words(
    tiny: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    recipe = recipe_of("full", tiny, hard_negatives={"per_question": 1, "relative_margin": 0.99})
    with pytest.raises(
        RecipeError, match=r"^recipe full: parameters\.hard_negatives: only \d+ of 24 questions keep one"
    ):
        train(recipe, codename_world(), Store(str(tmp_path / "lancedb")), tmp_path / "model", device="cpu", devices=2)
    assert "Traceback" not in capfd.readouterr().err


def test_a_process_that_is_killed_ends_all_and_is_no_silent_end(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(methods.OURS, "full", replace(encoder.FULL, fit=launched_methods.be_killed))
    store, folder = Store(str(tmp_path / "lancedb")), tmp_path / "model"
    with pytest.raises(ModelError, match="2 devices failed"):
        train(recipe_of("full", tiny), codename_world(), store, folder, device="cpu", devices=2)
    assert not folder.exists()
