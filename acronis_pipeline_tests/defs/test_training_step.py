"""The step `fine_tuned_model` while it trains and when it fails, and what becomes of its models."""

import shutil
from dataclasses import replace
from typing import Any

import pytest

from acronis_pipeline import encoders, pairs
from acronis_pipeline.champion import current_champion, pointer, promote_by_hand, serving
from acronis_pipeline.core.errors import RecipeError
from acronis_pipeline.encoders import in_precision
from acronis_pipeline.encoders.identity import INT8
from acronis_pipeline.encoders.openvino_encoder import read_sides, write_manifest
from acronis_pipeline.export import export, serve
from acronis_pipeline.finetune import Recipe, base_model
from acronis_pipeline.finetune.examples import Examples
from acronis_pipeline.finetune.method import Fitted, Task
from acronis_pipeline.finetune.methods import OURS, query_adapter
from acronis_pipeline.models.indexed import require_model
from acronis_pipeline.models.records import ModelRecord
from acronis_pipeline.store import tables
from acronis_pipeline.tracking import RunSummary
from acronis_pipeline_tests.defs.corpus import execute
from acronis_pipeline_tests.finished_run import RECIPE, FinishedRun


def test_others_see_the_curves_of_a_step_that_trains_and_its_run_fails_with_it(
    copied: FinishedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[RunSummary] = []

    def diverging(task: Task, parameters: Any) -> Fitted:
        task.report({"step": 0, "epoch": 0.0, "ndcg_at_10": 0.4})
        seen.extend(copied.tracker.find("attributes.status = 'RUNNING'"))
        raise FloatingPointError("loss is NaN")

    monkeypatch.setitem(OURS, "query_adapter", replace(query_adapter.METHOD, fit=diverging))
    _forget_a_pair(copied)
    result = execute(copied, "full_pipeline", ["fine_tuned_model"], raise_on_error=False)
    assert not result.success
    (running,) = seen
    assert running.metrics["training_ndcg_at_10"] == 0.4
    assert running.tags["dagster.run_id"] == result.run_id
    (ended,) = copied.tracker.find(f"attributes.run_id = '{running.run_id}'")
    assert ended.status == "FAILED"


def test_a_recipe_that_does_not_fit_the_data_leaves_no_run_in_mlflow(
    copied: FinishedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def misfit(recipe: Recipe, examples: Examples) -> None:
        raise RecipeError(f"recipe {recipe.name}: {len(examples.train)} training questions")

    before = len(copied.tracker.find(""))
    monkeypatch.setattr(base_model, "refuse_unfit_data", misfit)
    _forget_a_pair(copied)
    result = execute(copied, "full_pipeline", ["fine_tuned_model"], raise_on_error=False)
    assert not result.success
    assert len(copied.tracker.find("")) == before


def test_a_model_that_was_trained_over_leaves_when_the_next_one_is_indexed(copied: FinishedRun) -> None:
    trained: list[ModelRecord] = []
    for _ in range(2):
        _forget_a_pair(copied)
        result = execute(copied, "full_pipeline", ["fine_tuned_model", "lancedb_index"])
        trained.append(require_model(copied.store, RECIPE))
    over, current = trained
    assert (over.is_there, current.is_there) == (False, True)
    (step,) = result.asset_materializations_for_node("lancedb_index")
    assert str(over.folder) in str(step.metadata["dropped_models"].value)
    assert step.metadata["dropped_models_bytes"].value > 1_000_000
    now = current_champion(copied.store)
    assert now
    assert serving.problem(copied.store, now.system, now.model) is None


def test_a_recipe_runs_on_its_export_through_the_whole_graph(copied: FinishedRun) -> None:
    record = require_model(copied.store, RECIPE)
    encoder = encoders.load(record.folder, record.identity, device="cpu")
    out = copied.settings().data_dir / "exported"
    done = export(encoder, pairs.load_dataset(copied.store), out, "openvino", max_loss=1.0)
    done = replace(done, identity=in_precision(record.identity, INT8, "calibrated"))  # which takes half a minute
    write_manifest(out, read_sides(out), done.identity)
    serve(copied.store, record, done)
    whole = ["fine_tuned_model", "lancedb_index", "eval_report", "champion"]
    assert execute(copied, "full_pipeline", whole).success
    assert require_model(copied.store, RECIPE).folder == out
    now = promote_by_hand(copied.store, copied.settings(), RECIPE, "fine_tuned", reason="to see it answer").champion
    assert now.model_id == done.identity.model_id
    pointer.follow(copied.store, copied.tracker, now)
    assert pointer.disagreements(copied.store, copied.tracker, now) == []
    version = copied.tracker.champion_version()
    assert version
    assert copied.tracker.model_id_of(version) == done.identity.model_id

    shutil.rmtree(out)
    assert execute(copied, "full_pipeline", ["fine_tuned_model"]).success
    assert require_model(copied.store, RECIPE).folder == record.folder


def _forget_a_pair(copied: FinishedRun) -> None:
    """Other data than the model on record was trained on."""
    pairs = copied.store.open(tables.PAIRS)
    (pair,) = pairs.search().where("split = 'train' AND status = 'kept'").limit(1).to_list()
    pairs.delete(f"pair_id = '{pair['pair_id']}'")
