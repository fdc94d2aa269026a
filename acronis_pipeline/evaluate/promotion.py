"""The promotion: today's reports against the reigning champion, and the pointer that moves or stays."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from acronis_pipeline import index
from acronis_pipeline.dataset import RetrievalDataset
from acronis_pipeline.embedding import ModelIdentity, find_base
from acronis_pipeline.evaluate.arena import BASELINES, Arena
from acronis_pipeline.evaluate.arms import base_arm, champion_arm, require_model
from acronis_pipeline.evaluate.champion import (
    Champion,
    Contender,
    Decision,
    decide,
    needs_standing,
    promote,
    reigning,
)
from acronis_pipeline.evaluate.evaluation import Canonical, Evaluation, evaluate_alone
from acronis_pipeline.evaluate.stored import latest_reports, question_results
from acronis_pipeline.finetune import model_named
from acronis_pipeline.gold import GoldQuestion
from acronis_pipeline.settings import ModelSettings
from acronis_pipeline.store import Store


@dataclass(frozen=True)
class Promotion:
    """The decision, who reigns after it, and the registry version of its model (None without a trained one)."""

    decision: Decision
    champion: Champion
    changed: bool
    registry_version: str | None


def settle(
    store: Store,
    recipes: Sequence[str],
    dataset: RetrievalDataset,
    gold: Sequence[GoldQuestion],
    model: ModelSettings,
    *,
    candidates: int,
    canonical: Canonical = str,
) -> Promotion:
    """Decide on the newest report of each of `recipes`, and move the pointer if the decision says so.

    Raises
    ------
    ValueError
        If no recipe has a report.
    """
    before = reigning(store)
    reports = [report for report in latest_reports(store) if report.recipe in recipes]
    standing = None
    if before and needs_standing(reports, before):
        standing = _ask_again(store, before, dataset, gold, model, candidates, canonical)
    results = question_results(store, [report.report_id for report in reports])
    if standing:
        results = pa.concat_tables([results, standing.results])
    decision = decide(reports, results, before, standing.report if standing else None)
    if before and not decision.promote:
        return Promotion(decision, before, False, registry_version(store, before))
    folder, identity = _model_of(store, decision.winner)
    now = promote(store, decision, model_folder=folder, identity=identity)
    return Promotion(decision, now, True, registry_version(store, now))


def _ask_again(
    store: Store,
    champion: Champion,
    dataset: RetrievalDataset,
    gold: Sequence[GoldQuestion],
    model: ModelSettings,
    candidates: int,
    canonical: Canonical,
) -> Evaluation:
    """The champion on today's corpus and questions, after bringing its index up to date."""
    arm = champion_arm(champion, model) or base_arm(require_model(store, champion.recipe), model)
    index.refresh(store, arm.table, lambda: arm.embedder, arm.embedder.identity)
    arena = Arena(dataset.test, arm)
    return evaluate_alone(
        store, champion.recipe, champion.system, arena, gold, candidates=candidates, canonical=canonical
    )


def _model_of(store: Store, winner: Contender) -> tuple[str | None, ModelIdentity | None]:
    """Folder and identity of the model that a winner searches with; neither for BM25."""
    if winner.model_id is None:
        return None, None
    record = model_named(store, winner.recipe, winner.model_id)
    if record and record.identity.model_id == winner.model_id:
        return str(record.folder), record.identity
    base = require_model(store, winner.recipe).base_identity
    return str(find_base(base.base)), base


def registry_version(store: Store, champion: Champion) -> str | None:
    """Version of the champion's model in the registry; an untouched base was never registered."""
    if champion.model_id is None or champion.system.name in (*BASELINES, "hybrid_base"):
        return None
    record = model_named(store, champion.recipe, champion.model_id)
    return record.registry_version if record else None
