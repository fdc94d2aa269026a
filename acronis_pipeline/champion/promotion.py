"""Promotion on evidence: today's reports against the current champion, and the pointer that moves or stays."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from acronis_pipeline import index
from acronis_pipeline.champion import serving
from acronis_pipeline.champion.decision import (
    Barred,
    Decision,
    asked,
    decide,
    forgotten,
    lost,
    must_be_asked_again,
    same_questions,
)
from acronis_pipeline.champion.record import Champion, Contender, promote, promotions
from acronis_pipeline.champion.rollback import rolled_back
from acronis_pipeline.core.dataset import RetrievalDataset
from acronis_pipeline.core.errors import ChampionError, ModelError
from acronis_pipeline.core.settings import EvaluationSettings, Settings
from acronis_pipeline.evaluate import leak
from acronis_pipeline.evaluate.evaluation import Canonical, Evaluation, evaluate_alone
from acronis_pipeline.evaluate.report import Report
from acronis_pipeline.evaluate.setup import EvaluationSetup
from acronis_pipeline.evaluate.stored import latest_reports, question_results
from acronis_pipeline.pairs.gold import GoldQuestion
from acronis_pipeline.store import Store


@dataclass(frozen=True)
class Promotion:
    """The decision, the champion after it, and whether that is another one than before."""

    decision: Decision
    champion: Champion
    changed: bool


def settle(
    store: Store,
    recipes: Sequence[str],
    dataset: RetrievalDataset,
    gold: Sequence[GoldQuestion],
    settings: Settings,
    *,
    canonical: Canonical = str,
) -> Promotion:
    """Decide on the newest report of each of `recipes`, and move the pointer if the decision says so.

    Systems whose model or table is gone are passed over, and so are those that a person took back (`rollback`), for as
    long as the questions are the same. A model that forgot (`Report.forgetting`) is promoted with a warning, or
    passed over if the setting `evaluation.forgetting_blocks` says so.

    Raises
    ------
    ChampionError
        If no recipe has a report, the newest one is no longer about today's passages and the champion must be asked
        anew or cannot be, or somebody moved the pointer meanwhile.
    """
    past = promotions(store)
    before = past[-1] if past else None
    reports = [report for report in latest_reports(store) if report.recipe in recipes]
    comparable = same_questions(reports)
    asked_again = None
    if before and must_be_asked_again(reports, before):
        asked_again = _ask_again(store, before, dataset, gold, settings, canonical)
    results = question_results(store, [report.report_id for report in comparable])
    if asked_again:
        results = pa.concat_tables([results, asked_again.results])
    questions = asked(results, comparable[0])
    if before:
        results = leak.fair(store, before.recipe, before.model_id, dataset, gold, results)
    barred = _barred(store, comparable, past, questions, settings.evaluation)
    decision = decide(reports, results, before, asked_again.report if asked_again else None, barred=barred)
    if before and not decision.promote:
        return Promotion(decision, before, False)
    now = promote(
        store,
        decision.winner,
        move="promotion" if before else "first",
        reason=decision.reason,
        previous=before,
        model=serving.model_of(store, decision.winner),
        evidence=decision.evidence,
        asked=questions,
    )
    return Promotion(decision, now, True)


def _barred(
    store: Store, reports: Sequence[Report], past: Sequence[Champion], questions: str, evaluation: EvaluationSettings
) -> Barred:
    """Why a contender of these reports may not be promoted."""

    def why(contender: Contender) -> str | None:
        if taken_back := rolled_back(past, contender, questions):
            day = f"{taken_back.promoted_at:%Y-%m-%d}"
            return f"rolled back on {day}, and neither its model nor the questions have changed: {taken_back.reason}"
        if evaluation.forgetting_blocks and (probe := forgotten(reports, contender)):
            return lost(probe)
        try:
            model = serving.model_of(store, contender)
        except ModelError as error:
            return str(error)
        return serving.problem(store, contender.system, model)

    return why


def _ask_again(
    store: Store,
    champion: Champion,
    dataset: RetrievalDataset,
    gold: Sequence[GoldQuestion],
    settings: Settings,
    canonical: Canonical,
) -> Evaluation:
    """The champion on today's corpus and questions, after bringing its index up to date."""
    if unfit := serving.problem(store, champion.system, champion.model):
        raise ChampionError(
            f"champion {champion.contender} can neither answer nor be compared: {unfit}; choose another one with "
            "`acronis-pipeline champion rollback` or `champion promote`"
        )
    indexed = serving.serving_model(store, champion, settings.model)
    index.refresh(store, indexed, settings.index)
    setup = EvaluationSetup(dataset.test, indexed, device=settings.model.device)
    return evaluate_alone(
        store, champion.recipe, champion.system, setup, gold, retrieval=settings.retrieval, canonical=canonical
    )
