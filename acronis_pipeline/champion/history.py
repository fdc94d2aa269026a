"""The promotion history as people read it: which champion from when to when, how good it was, and why it came."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from acronis_pipeline.champion.record import Champion, promotions
from acronis_pipeline.core.figures import canvas, png
from acronis_pipeline.evaluate.metrics import PRIMARY
from acronis_pipeline.evaluate.report import Comparison, Report, SystemScore, ranking_key
from acronis_pipeline.evaluate.stored import stored_reports
from acronis_pipeline.store import Store

_COLOURS = {"synthetic": "#1f5fa8", "human": "#d9822b"}


@dataclass(frozen=True)
class HistoryEntry:
    """One row of the history. `number` counts from 1; `report` is the one that the figures are from."""

    number: int
    champion: Champion
    until: datetime | None
    report: Report | None

    @property
    def scores(self) -> dict[str, SystemScore]:
        """The report's scores of the very system, whatever it is called there, by set of questions."""
        wanted = self.champion.contender.ranking_key
        known = self.report.scores if self.report else ()
        return {score.question_set: score for score in known if ranking_key(score.system, score.model_id) == wanted}


def entries(store: Store) -> list[HistoryEntry]:
    """Every promotion and rollback, oldest first, with the champion's figures at that time."""
    past = promotions(store)
    if not past:
        return []
    reports = {stored.report.report_id: stored.report for stored in stored_reports(store)}
    ends = [*(champion.promoted_at for champion in past[1:]), None]
    return [
        HistoryEntry(number, champion, until, reports.get(champion.report_id))
        for number, (champion, until) in enumerate(zip(past, ends, strict=True), start=1)
    ]


def current_entry(store: Store) -> HistoryEntry | None:
    """The current champion, with the figures of the newest report that asked it; None if there is none."""
    past = entries(store)
    if not past:
        return None
    newest_first = (replace(past[-1], report=stored.report) for stored in reversed(stored_reports(store)))
    return next((entry for entry in newest_first if entry.scores), past[-1])


def as_json(entry: HistoryEntry) -> dict[str, Any]:
    """Everything of an entry as plain values."""
    champion = entry.champion
    return {
        "number": entry.number,
        "promotion_id": champion.promotion_id,
        "promoted_at": champion.promoted_at.isoformat(timespec="seconds"),
        "until": entry.until.isoformat(timespec="seconds") if entry.until else None,
        "move": champion.move,
        "restored_id": champion.restored_id,
        "previous_id": champion.previous_id,
        "recipe": champion.recipe,
        "system": vars(champion.system),
        "model_id": champion.model_id,
        "model_folder": champion.model_folder,
        "reason": champion.reason,
        "evidence": [difference_row(comparison) for comparison in champion.evidence],
        "ndcg_at_10": {name: vars(score.metrics[PRIMARY]) | {"n": score.n} for name, score in entry.scores.items()},
        "report_id": entry.report.report_id if entry.report else None,
    }


def history_row(entry: HistoryEntry) -> dict[str, Any]:
    """An entry as a row of a table."""
    champion = entry.champion
    return {
        "number": entry.number,
        "since": champion.promoted_at.isoformat(timespec="seconds"),
        "move": champion.move,
        "system": str(champion.contender),
        **{f"ndcg_at_10_{name}": figures(entry, name) for name in _COLOURS},
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


def figures(entry: HistoryEntry, question_set: str) -> str:
    """nDCG@10 with its interval and the number of questions; empty if it was not asked any of that set."""
    score = entry.scores.get(question_set)
    if score is None:
        return ""
    value = score.metrics[PRIMARY]
    return f"{value.mean:.3f} [{value.low:.3f}, {value.high:.3f}], n = {score.n}"


def plot(past: Sequence[HistoryEntry]) -> bytes | None:
    """nDCG@10 of each champion when it was promoted, as PNG; None before there are two to compare.

    Passages and questions change between champions, so the line shows what users got, not who would win today.
    """
    shown = [entry for entry in past if entry.scores]
    if len(shown) < 2:
        return None
    figure, axes = canvas(8, 3.5)
    for question_set, colour in _COLOURS.items():
        asked = [entry for entry in shown if question_set in entry.scores]
        values = [entry.scores[question_set].metrics[PRIMARY] for entry in asked]
        errors = [[v.mean - v.low for v in values], [v.high - v.mean for v in values]]
        numbers = [entry.number for entry in asked]
        axes.errorbar(
            numbers, [v.mean for v in values], yerr=errors, fmt="o-", capsize=4, color=colour, label=question_set
        )
    labels = [f"{entry.champion.system.name}\n{entry.champion.promoted_at:%Y-%m-%d}" for entry in shown]
    axes.set_xticks([entry.number for entry in shown], labels)
    axes.set_ylim(0, 1)
    axes.set_ylabel("nDCG@10 with 95 % interval")
    axes.set_title("Champions when they were promoted")
    axes.grid(axis="y", alpha=0.3)
    axes.legend(loc="lower left", frameon=False)
    return png(figure)
