"""Training on windows: several vectors a passage, from the recipe to the published model."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from acronis_pipeline import encoders
from acronis_pipeline.core.errors import RecipeError
from acronis_pipeline.encoders import Windows
from acronis_pipeline.finetune import train
from acronis_pipeline.finetune.contrast import OUTSIDE, Contrast, lay_out, shown_of
from acronis_pipeline.finetune.examples import Questions
from acronis_pipeline.finetune.methods import distill
from acronis_pipeline.finetune.recipe import Recipe, parse_recipe
from acronis_pipeline.store import Store
from acronis_pipeline_tests.finetune.contrastive_tasks import QUICK, task_of
from acronis_pipeline_tests.finetune.worlds import codename_world

pytestmark = pytest.mark.model

WINDOWS = {"tokens": 8, "overlap": 4, "whole_share": 0.5}


def recipe_of(method: str, base_model: str, windows: object = WINDOWS, **parameters: object) -> Recipe:
    content = {"method": method, "base_model": base_model, "max_seq_length": 32, "windows": windows}
    return parse_recipe(method, json.dumps(content | {"parameters": parameters}), where=f"{method}.yaml")


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("full", QUICK),
        ("two_tower", QUICK),
        ("distill", QUICK),
        ("lora", QUICK),
        ("query_adapter", {"learning_rate": 0.003, "max_steps": 60}),
        ("ensemble", {key: value for key, value in QUICK.items() if key != "interpolation"}),
    ],
)
def test_every_method_learns_from_windows_and_publishes_a_plain_model(
    tiny: Path, tmp_path: Path, method: str, parameters: dict[str, object]
) -> None:
    recipe, store = recipe_of(method, str(tiny), **parameters), Store(str(tmp_path / "lancedb"))
    made = train(recipe, codename_world(), store, tmp_path / "model", device="cpu")
    assert made.identity.windows == made.base_identity.windows == recipe.cutting
    assert made.chosen != "step 0"
    assert made.validation["best"]["ndcg_at_10"] > made.validation["base"]["ndcg_at_10"]
    described = encoders.describe(tmp_path / "model", base="any", max_seq_length=1)
    assert described == made.identity  # a folder says how its passages are cut
    text = codename_world().passages[0].text
    loaded = encoders.load(tmp_path / "model", made.identity, device="cpu")
    assert np.allclose(
        SentenceTransformer(str(tmp_path / "model"), device="cpu").encode_document([text], normalize_embeddings=True),
        loaded.encode_passages([text]),
        atol=1e-5,
    )
    assert len(loaded.encode_windows([text]).matrix) > 1
    if method == "query_adapter":
        assert made.identity.document_fingerprint == made.base_identity.document_fingerprint


def test_a_passage_stands_before_a_question_by_its_closest_window(tiny: Path, tmp_path: Path) -> None:
    identity = encoders.describe(tiny, base=str(tiny), max_seq_length=32, windows=recipe_of("full", str(tiny)).cutting)

    def load() -> encoders.TorchEncoder:
        return encoders.load(tiny, identity, device="cpu")

    base = load()
    plain = task_of(tiny, Store(str(tmp_path)))
    vectors = base.encode_windows(plain.examples.passages)
    task = task_of(tiny, Store(str(tmp_path)), base=base, load_base=load, passage_vectors=vectors)
    shown = shown_of(task)
    assert shown is not None
    assert shown_of(plain) is None
    train_set = task.examples.train
    question, row = 0, train_set.origins[0]
    windows = base.cut([task.examples.passages[row]])[0]
    similarity = vectors.of(row) @ base.encode_queries([train_set.queries[question]])[0]
    assert shown(question, row) == windows[int(similarity.argmax())]


def test_a_teacher_judges_the_windows_that_are_shown_not_their_passages(tiny: Path, tmp_path: Path) -> None:
    cutting = Windows(tokens=8, overlap=2, whole_share=0.5)
    identity = encoders.describe(tiny, base=str(tiny), max_seq_length=32, windows=cutting)
    base = encoders.load(tiny, identity, device="cpu")
    plain = task_of(tiny, Store(str(tmp_path)))
    vectors = base.encode_windows(plain.examples.passages)
    task = task_of(tiny, Store(str(tmp_path)), base=base, passage_vectors=vectors)
    windows = base.cut([task.examples.passages[0]])[0]
    assert len(windows) > 1
    shown = [windows[0], windows[1], "of no passage"]
    contrast = Contrast([0], [task.examples.train.queries[0]], [0, 0, OUTSIDE], shown, shown, np.empty(0), np.empty(0))
    (found,) = distill.HybridOverCorpus(task).scores(contrast)
    assert found[0] != found[1]
    assert np.isnan(found[2])
    whole = distill.HybridOverCorpus(plain).scores(replace(contrast, shown=[task.examples.passages[0]] * 3))
    assert whole[0, 0] == whole[0, 1]


def test_all_windows_of_an_answer_are_answers() -> None:
    asked = Questions(("a", "b", "c"), (((0,),), ((0,),), ((1,),)), (0, 0, 1), ("question",) * 3)
    texts = {(0, 0): "first half", (1, 0): "second half", (2, 1): "other"}
    contrast = lay_out(asked, ["whole", "other"], [0, 1, 2], shown=lambda question, row: texts[question, row])
    assert contrast.passages == ["first half", "second half", "other"]
    assert contrast.shown == contrast.passages
    assert contrast.rows == [0, 0, 1]
    assert contrast.positive.tolist() == [[True, True, False], [True, True, False], [False, False, True]]


@pytest.mark.parametrize(
    ("windows", "named"),
    [
        ({"tokens": 4}, r"windows\.tokens"),
        ({"tokens": 16, "overlap": 16}, r"windows.*overlap \(16\)"),
        ({"whole_share": 1}, r"windows\.whole_share"),
        ({"stride": 3}, r"windows\.stride is not a key"),
        ({"tokens": 16}, r"windows.*overlap \(32, the default\)"),
        ({"tokens": 64}, r"windows.*tokens \(64\) must be below max_seq_length \(32\)"),
    ],
)
def test_windows_that_cannot_be_are_refused_by_name(windows: dict[str, float], named: str) -> None:
    with pytest.raises(RecipeError, match=named):
        recipe_of("full", "all-MiniLM-L6-v2", windows)


def test_windows_need_a_tokenizer_of_ones_own() -> None:
    with pytest.raises(RecipeError, match=r"windows.*endpoint"):
        recipe_of("query_adapter", "endpoint:text-embedding-3-small")
