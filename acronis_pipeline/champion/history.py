"""The history of champions as people read it: who reigned from when to when, how good it was, and why it came."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from acronis_pipeline.champion.record import Champion, history
from acronis_pipeline.core.figures import canvas, png
from acronis_pipeline.evaluate.metrics import PRIMARY
from acronis_pipeline.evaluate.report import Comparison, Report, SystemScore
from acronis_pipeline.evaluate.stored import stored_reports
from acronis_pipeline.store import Store

_COLOURS = {"synthetic": "#1f5fa8", "human": "#d9822b"}


@dataclass(frozen=True)
class Reign:
    """One row of the history. `number` counts from 1; `scores` are by set of questions, from `report`."""

    number: int
    champion: Champion
    until: datetime | None
    report: Report | None
    scores: Mapping[str, SystemScore]


def reigns(store: Store) -> list[Reign]:
    """All of them, oldest first, with the figures that they came to reign with."""
    past = history(store)
    if not past:
        return []
    reports = {stored.report.report_id: stored.report for stored in stored_reports(store)}
    ends = [*(champion.promoted_at for champion in past[1:]), None]
    return [
        _reign(number, champion, until, reports.get(champion.report_id))
        for number, (champion, until) in enumerate(zip(past, ends, strict=True), start=1)
    ]


def current(store: Store) -> Reign | None:
    """Who reigns, with the figures of the newest report that asked it; None if nobody does."""
    past = reigns(store)
    if not past:
        return None
    now = past[-1]
    for stored in reversed(stored_reports(store)):
        if scores := _scores(now.champion, stored.report):
            return replace(now, report=stored.report, scores=scores)
    return now


def as_json(reign: Reign) -> dict[str, Any]:
    """Everything of a reign as plain values."""
    champion = reign.champion
    return {
        "number": reign.number,
        "promotion_id": champion.promotion_id,
        "promoted_at": champion.promoted_at.isoformat(timespec="seconds"),
        "until": reign.until.isoformat(timespec="seconds") if reign.until else None,
        "move": champion.move,
        "restored_id": champion.restored_id,
        "previous_id": champion.previous_id,
        "recipe": champion.recipe,
        "system": vars(champion.system),
        "model_id": champion.model_id,
        "model_folder": champion.model_folder,
        "reason": champion.reason,
        "evidence": [difference_row(comparison) for comparison in champion.evidence],
        "ndcg_at_10": {name: vars(score.metrics[PRIMARY]) | {"n": score.n} for name, score in reign.scores.items()},
        "report_id": reign.report.report_id if reign.report else None,
    }


def history_row(reign: Reign) -> dict[str, Any]:
    """A reign as a row of a table."""
    champion = reign.champion
    return {
        "number": reign.number,
        "since": champion.promoted_at.isoformat(timespec="seconds"),
        "move": champion.move,
        "system": str(champion.contender),
        **{f"ndcg_at_10_{name}": figures(reign, name) for name in _COLOURS},
        "reason": champion.reason,
        "promotion_id": champion.promotion_id,
    }


def difference_row(comparison: Comparison) -> dict[str, Any]:
    """A comparison as a row of a table; candidate minus opponent."""
    difference = comparison.difference
    return {
        "questions": comparison.question_set,
        "n": difference.n,
        "candidate": comparison.a,
        "opponent": comparison.b,
        "ndcg_at_10_difference": difference.mean,
        "low": difference.low,
        "high": difference.high,
        "p_value": difference.p_value,
    }


def figures(reign: Reign, question_set: str) -> str:
    """nDCG@10 with its interval and the number of questions; empty if it was not asked any of that set."""
    score = reign.scores.get(question_set)
    if score is None:
        return ""
    value = score.metrics[PRIMARY]
    return f"{value.mean:.3f} [{value.low:.3f}, {value.high:.3f}], n = {score.n}"


def plot(past: Sequence[Reign]) -> bytes | None:
    """nDCG@10 of each champion when it came to reign, as PNG; None before there are two to compare.

    Passages and questions change between champions, so the line shows what users got, not who would win today.
    """
    shown = [reign for reign in past if reign.scores]
    if len(shown) < 2:
        return None
    figure, axes = canvas(8, 3.5)
    for question_set, colour in _COLOURS.items():
        asked = [reign for reign in shown if question_set in reign.scores]
        values = [reign.scores[question_set].metrics[PRIMARY] for reign in asked]
        errors = [[v.mean - v.low for v in values], [v.high - v.mean for v in values]]
        numbers = [reign.number for reign in asked]
        axes.errorbar(
            numbers, [v.mean for v in values], yerr=errors, fmt="o-", capsize=4, color=colour, label=question_set
        )
    labels = [f"{reign.champion.system.name}\n{reign.champion.promoted_at:%Y-%m-%d}" for reign in shown]
    axes.set_xticks([reign.number for reign in shown], labels)
    axes.set_ylim(0, 1)
    axes.set_ylabel("nDCG@10 with 95 % interval")
    axes.set_title("Champions when they came to reign")
    axes.grid(axis="y", alpha=0.3)
    axes.legend(loc="lower left", frameon=False)
    return png(figure)


def _reign(number: int, champion: Champion, until: datetime | None, report: Report | None) -> Reign:
    return Reign(number, champion, until, report, _scores(champion, report) if report else {})


def _scores(champion: Champion, report: Report) -> dict[str, SystemScore]:
    """A report's scores of the very system, whatever it is called there."""
    wanted = champion.contender.behaviour
    return {
        score.question_set: score
        for score in report.scores
        if (replace(score.system, name="", table=""), score.model_id) == wanted
    }
