"""`acronis-pipeline bench`: train on one labelled dataset and evaluate on another, as the pipeline does."""

import logging
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from acronis_pipeline import index
from acronis_pipeline.core.dataset import Question, RetrievalDataset
from acronis_pipeline.core.settings import Settings
from acronis_pipeline.evaluate import checks, leak
from acronis_pipeline.evaluate.evaluation import evaluate
from acronis_pipeline.evaluate.report import Report
from acronis_pipeline.evaluate.setup import EvaluationSetup, endpoint_models
from acronis_pipeline.finetune.examples import prepare
from acronis_pipeline.finetune.recipe import load_recipe
from acronis_pipeline.index import IndexedModel
from acronis_pipeline.models import records
from acronis_pipeline.models.indexed import indexed_base, indexed_model
from acronis_pipeline.models.records import ModelRecord
from acronis_pipeline.pairs import labelled_datasets
from acronis_pipeline.store import Store

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BenchResult:
    """Reports of all recipes on the same questions, and what their training took."""

    reports: tuple[Report, ...]
    training_s: dict[str, float]
    chosen: dict[str, str]


def bench(
    train: Path, evaluation: Path, recipes: Sequence[str], *, settings: Settings, keep_in: Path | None = None
) -> BenchResult:
    """Train every recipe on one labelled dataset (see `labelled_datasets.read`) and evaluate it on another.

    Checkpoints and fusion weights are chosen on a part of the training dataset, split by passage; the evaluation
    dataset chooses nothing.

    Parameters
    ----------
    keep_in
        Folder for models and vectors, reused by the next run; a temporary one by default.

    Raises
    ------
    DatasetError
        If a file is not such a dataset.
    RecipeError
        If a recipe is unknown or malformed; nothing is trained then.
    """
    loaded = [load_recipe(name, settings.recipes_dir) for name in dict.fromkeys(recipes)]
    learning, testing = labelled_datasets.load(train, evaluation)
    prepare(learning)  # a benchmark of a base that nothing was taught would be none
    with ExitStack() as stack:
        folder = keep_in or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="acronis-pipeline-bench-")))
        store = Store(str(folder / "lancedb"))
        reports: list[Report] = []
        training_s: dict[str, float] = {}
        chosen: dict[str, str] = {}
        for recipe in loaded:
            model = records.refresh(
                store,
                recipe,
                learning,
                folder / "models",
                running=settings.model,
            ).record
            training_s[recipe.name], chosen[recipe.name] = model.metrics["seconds"], model.metrics["chosen"]
            reports.append(_evaluate(store, model, learning, testing, settings))
        return BenchResult(tuple(reports), training_s, chosen)


def _evaluate(
    store: Store, model: ModelRecord, learning: RetrievalDataset, testing: RetrievalDataset, settings: Settings
) -> Report:
    indexed_models = [indexed_base(model, settings.model), indexed_model(model, settings.model)]
    device = settings.model.device
    validation = _setup(store, learning, learning.validation, indexed_models, "learning", device)
    test = _setup(store, testing, testing.test, indexed_models, "testing", device)
    compared = endpoint_models(store, test.base, settings.evaluation.external)
    report = evaluate(
        store,
        model.recipe,
        replace(test, others=compared.systems),
        validation,
        retrieval=settings.retrieval,
        checks=checks.read(settings.evaluation),
        caveats=compared.caveats,
    ).report
    leaked = leak.overlap_note(learning, testing)
    return replace(report, caveats=(leaked, *report.caveats)) if leaked else report


def _setup(
    store: Store,
    dataset: RetrievalDataset,
    questions: tuple[Question, ...],
    indexed_models: Sequence[IndexedModel],
    suffix: str,
    device: str | None,
) -> EvaluationSetup:
    """The questions and their corpus, indexed by base and tuned model in tables of their own."""
    rows = index.passage_rows(dataset.passages)
    base, tuned = (IndexedModel(f"{indexed.table}_{suffix}", indexed.encoder) for indexed in indexed_models)
    for indexed in (base, tuned):
        index.refresh_from(store, indexed, rows)
    return EvaluationSetup(questions, base, tuned, device=device)
