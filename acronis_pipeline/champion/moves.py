"""How the pointer moves: on evidence, today's reports against the current champion; or by a person's hand, back to an
earlier champion or to a system of a report.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

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
    may_be_champion,
    must_be_asked_again,
    same_questions,
)
from acronis_pipeline.champion.record import Champion, Contender, promote, promotions
from acronis_pipeline.core.dataset import RetrievalDataset
from acronis_pipeline.core.errors import ChampionError, ModelError, NoChampionError
from acronis_pipeline.core.settings import EvaluationSettings, Settings
from acronis_pipeline.evaluate import leak
from acronis_pipeline.evaluate.evaluation import Evaluation, evaluate_alone
from acronis_pipeline.evaluate.report import Report
from acronis_pipeline.evaluate.setup import EvaluationSetup
from acronis_pipeline.evaluate.stored import latest_report, latest_reports, question_results
from acronis_pipeline.index import IndexResult
from acronis_pipeline.pairs.gold import GoldQuestion
from acronis_pipeline.retrieve import System
from acronis_pipeline.store import Store

_log = logging.getLogger(__name__)


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
) -> Promotion:
    """Decide on the newest report of each of `recipes`, and move the pointer if the decision says so.

    Systems whose model or table is gone are passed over, and so are those that a person took back (`roll_back`), for as
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
        asked_again = _ask_again(store, before, dataset, gold, settings)
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
    return evaluate_alone(store, champion.recipe, champion.system, setup, gold, retrieval=settings.retrieval)


@dataclass(frozen=True)
class Moved:
    """The champion now and before, and what was done to the index (None if it was in step or left alone)."""

    champion: Champion
    before: Champion
    refreshed: IndexResult | None


def roll_back(store: Store, settings: Settings, *, reason: str, to: str | None = None, refresh: bool = True) -> Moved:
    """Go back to an earlier champion.

    Its index is brought up to date with today's chunks before the pointer moves; vectors come from the cache, so only
    passages that its model never saw are embedded.

    Parameters
    ----------
    reason
        For the history, and for whoever reads why the system is not promoted again.
    to
        Id of a promotion or its beginning, or its number in `history` from 1. By default the champion before the
        current one first came; rolling back twice goes back two steps.
    refresh
        False moves the pointer at once and leaves the index as it is until the next refresh.

    Raises
    ------
    ChampionError
        If there is nobody to go back to, or its table or model is gone or another's.
    """
    past = promotions(store)
    if not past:
        raise NoChampionError(f"{store.uri} has no champion yet, so there is nothing to go back to")
    now, target = past[-1], _named(past, to) if to else _before(past)
    if target.contender.ranking_key == now.contender.ranking_key:
        raise ChampionError(
            f"{now.contender} (promotion {target.promotion_id}) is the champion already; nothing to roll back"
        )
    return _move(store, settings, target, now, reason=reason, refresh=refresh, restored_id=target.promotion_id)


def promote_by_hand(
    store: Store, settings: Settings, recipe: str, system: str, *, reason: str, refresh: bool = True
) -> Moved:
    """Promote a system of a recipe's newest report, whatever the evidence says.

    Raises
    ------
    ChampionError
        If the report has no such system, it cannot be champion, or it is already.
    """
    past = promotions(store)
    if not past:
        raise NoChampionError(f"{store.uri} has no champion yet; materialize champion, which chooses on evidence")
    now, report = past[-1], latest_report(store, recipe)
    if report is None:
        raise ChampionError(f"recipe {recipe} has no report; materialize eval_report[{recipe}] first")
    found = next((known for known in report.systems if known.name == system), None)
    possible = [known.name for known in report.systems if may_be_champion(known)]
    if found is None or system not in possible:
        raise ChampionError(f"the report of recipe {recipe} has no {system!r} to promote, only {', '.join(possible)}")
    model_id = next(score.model_id for score in report.scores if score.system == found)
    contender = Contender(recipe, found, model_id, report.report_id)
    if now.contender.ranking_key == contender.ranking_key:
        raise ChampionError(f"{contender} is the champion already, by promotion {now.promotion_id}")
    target = replace(now, **vars(contender), model=serving.model_of(store, contender), evidence=())
    return _move(store, settings, target, now, reason=reason, refresh=refresh)


def rolled_back(past: Sequence[Champion], contender: Contender, questions: str) -> Champion | None:
    """The rollback that took a contender back on these questions, unless a person promoted it again since.

    With a champion go all systems of its model, or the next best of them would take its place at once; where the one
    that came back has the same model, only systems of the same settings go. A relearned fusion weight makes no other
    settings.
    """
    found = None
    for row, before in zip(past[1:], past, strict=False):
        if row.move in ("by_hand", "rollback") and _alike(contender, row):
            found = None
        if row.restored_id and row.asked == questions:
            gone = _stepped_over(past, before, row.restored_id)
            found = row if any(_goes_with(contender, left, row) for left in gone) else found
    return found


def _move(
    store: Store,
    settings: Settings,
    target: Champion,
    now: Champion,
    *,
    reason: str,
    refresh: bool,
    restored_id: str | None = None,
) -> Moved:
    if unfit := serving.problem(store, target.system, target.model):
        raise ChampionError(f"{target.contender} cannot answer questions: {unfit}; {now.contender} stays champion")
    refreshed = _in_step(store, target, settings) if refresh else None
    champion = promote(
        store,
        target.contender,
        move="rollback" if restored_id else "by_hand",
        reason=reason,
        previous=now,
        model=target.model,
        evidence=target.evidence,
        asked=_questions_now(store),
        restored_id=restored_id,
    )
    return Moved(champion, now, refreshed)


def _in_step(store: Store, champion: Champion, settings: Settings) -> IndexResult | None:
    table = champion.system.table
    if index.content_version(store) == index.content_version(store, table):
        return None
    _log.info("table %s is older than today's passages: brought up to date before it answers", table)
    indexed = serving.serving_model(store, champion, settings.model)
    return index.refresh(store, indexed, settings.index)


def _questions_now(store: Store) -> str:
    """Digest of the questions of the newest report; empty if there is none."""
    reports = latest_reports(store)
    if not reports:
        return ""
    newest = max(reports, key=lambda report: report.created_at)
    return asked(question_results(store, [newest.report_id]), newest)


def _named(past: Sequence[Champion], name: str) -> Champion:
    if name.isdecimal() and 1 <= int(name) <= len(past):
        return past[int(name) - 1]
    found = [row for row in past if row.promotion_id.startswith(name)]
    if len(found) != 1:
        what = "several promotions begin with" if found else "no promotion is called"
        raise ChampionError(f"{what} {name!r}; `acronis-pipeline champion history` lists the {len(past)} of them")
    return found[0]


def _before(past: Sequence[Champion]) -> Champion:
    """The champion before the current one, rollbacks undone: they count as what they brought back."""
    previous = _previous(past, past[-1])
    if previous is None:
        raise ChampionError(
            f"{past[-1].contender} was the first champion, so there is nobody to go back to; `champion promote` "
            "takes any system of a report"
        )
    return previous


def _previous(past: Sequence[Champion], row: Champion) -> Champion | None:
    by_id = {known.promotion_id: known for known in past}
    while row.restored_id:
        row = by_id[row.restored_id]
    return by_id[row.previous_id] if row.previous_id else None


def _stepped_over(past: Sequence[Champion], before: Champion, restored_id: str) -> list[Champion]:
    """Every champion from the one at a rollback to the one it brought back; the first alone where that is no way."""
    found: list[Champion] = []
    row: Champion | None = before
    while row and restored_id not in (row.promotion_id, row.restored_id):
        found.append(row)
        row = _previous(past, row)
    return found if row else found[:1]


def _goes_with(contender: Contender, gone: Champion, restored: Champion) -> bool:
    if gone.model_id and gone.model_id != restored.model_id:
        return contender.model_id == gone.model_id
    return _kind(contender) == _kind(gone.contender)


def _alike(contender: Contender, champion: Champion) -> bool:
    same_model = contender.model_id is not None and contender.model_id == champion.model_id
    return same_model or _kind(contender) == _kind(champion.contender)


def _kind(contender: Contender) -> tuple[System, str | None]:
    system, model_id = contender.ranking_key
    return (system if system.dense_weight is None else replace(system, dense_weight=0.0)), model_id
