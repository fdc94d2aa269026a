"""A report's figures, section by section: systems, differences, depth, slices, single questions, elsewhere."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from acronis_pipeline.evaluate.metrics import PRIMARY, short_name
from acronis_pipeline.evaluate.report import Report, SliceScore, SystemScore
from acronis_pipeline.reporting.charts import Curves, Estimate, Line, Whiskers, WinLoss, curves, whiskers, win_loss
from acronis_pipeline.reporting.questions import Asked
from acronis_pipeline.reporting.rendering import difference, interval, label, p_value

SETS = {"synthetic": "Synthetic test questions", "human": "Questions by people"}
_BY_DEPTH = {"hit_rate": "Hit rate", "ndcg": "nDCG", "recall": "Recall"}
_SLICED = ("bm25", "base", "fine_tuned", "hybrid")
_SLICES = {
    "style": "Style of question",
    "section": "Section of the site",
    "length": "Length of the question",
    "language": "Language",
    "overlap": "Words shared with the right passage",
}
_MOST_VALUES = 8
"""Rows of a slice's figure, the largest first; a site has more sections than anybody compares."""
_WON_AGAINST = (("fine_tuned", "base"), ("hybrid", "bm25"))


@dataclass(frozen=True)
class SetTable:
    """The comparison table of one set: a row a system, `columns` are metrics, `best` the greatest mean of each.

    Where all are equal nobody is best.
    """

    question_set: str
    title: str
    n: int
    n_groups: int
    columns: tuple[tuple[str, str], ...]
    scores: tuple[SystemScore, ...]
    best: dict[str, float | None]


@dataclass(frozen=True)
class DepthPanels:
    question_set: str
    title: str
    panels: tuple[Curves, ...]


@dataclass(frozen=True)
class Slice:
    """`left_out` counts the smaller values that the figure does not show."""

    question_set: str
    title: str
    chart: Whiskers
    parts: tuple[SliceScore, ...]
    left_out: int


def set_tables(report: Report) -> tuple[SetTable, ...]:
    """The comparison, a table a set: the two kinds of questions never share a mean."""
    return tuple(_set_table(title, scores) for title, scores in _scores_by_set(report))


def systems_chart(report: Report) -> tuple[tuple[str, Whiskers], ...]:
    """nDCG@10 of every system with its interval, a figure a set."""
    return tuple(
        (
            title,
            whiskers(
                [
                    Line(label(s.system.name), "", (_estimate(s, PRIMARY),), interval(s.metrics[PRIMARY]))
                    for s in scores
                ],
                f"nDCG@10 of every system with 95 % intervals: {title.lower()}",
                left=130,
                figures=150,
            ),
        )
        for title, scores in _scores_by_set(report)
    )


def differences_chart(report: Report) -> tuple[tuple[str, Whiskers], ...]:
    """Paired differences of nDCG@10, a figure a set."""
    found: list[tuple[str, Whiskers]] = []
    for question_set, title in SETS.items():
        lines = [
            Line(
                f"{label(c.a)} vs {label(c.b)}",
                p_value(c.difference.p_value),
                (Estimate(c.a, c.difference, f"{label(c.a)} minus {label(c.b)}: {difference(c.difference)}"),),
                difference(c.difference),
            )
            for c in report.pairs(question_set)
        ]
        if lines:
            about = f"Paired differences of nDCG@10 with 95 % intervals: {title.lower()}"
            found.append((title, whiskers(lines, about, figures=182, zero=True)))
    return tuple(found)


def depth_panels(report: Report) -> tuple[DepthPanels, ...]:
    """Hit rate, nDCG and recall at every k that was measured, a line a system."""
    found: list[DepthPanels] = []
    for title, scores in _scores_by_set(report):
        panels: list[Curves] = []
        for measure, name in _BY_DEPTH.items():
            depths = _depths(scores[0], measure)
            if len(depths) < 2:
                continue
            values = {s.system.name: [_estimate(s, f"{measure}_at_{k}") for k in depths] for s in scores}
            panels.append(curves(values, [str(k) for k in depths], f"{name}@k: {title.lower()}"))
        found.append(DepthPanels(scores[0].question_set, title, tuple(panels)))
    return tuple(found)


def slices(report: Report) -> tuple[Slice, ...]:
    """nDCG@10 of a few systems in every part of the questions, a figure a way to cut them."""
    found: list[Slice] = []
    cuts = sorted(report.slices, key=lambda part: (part.question_set != "synthetic", _order(part.by)))
    for (question_set, by), group in groupby(cuts, key=lambda part: (part.question_set, part.by)):
        parts = [part for part in group if part.system in _SLICED]
        values = list(dict.fromkeys(part.value for part in parts))
        if len(values) < 2:
            continue
        sizes = {part.value: part.n for part in parts}
        if by in ("style", "section", "language"):  # the others come in an order of their own
            values.sort(key=lambda value: -sizes[value])
        shown = values[:_MOST_VALUES]
        lines = [_slice_line(value, [part for part in parts if part.value == value]) for value in shown]
        title = _SLICES.get(by, by)
        about = f"nDCG@10 by {title.lower()}, with 95 % intervals: {SETS.get(question_set, question_set).lower()}"
        chart = whiskers(lines, about, left=180)
        found.append(Slice(question_set, title, chart, tuple(parts), len(values) - len(shown)))
    return tuple(found)


def wins_and_losses(asked: Sequence[Asked]) -> tuple[WinLoss, ...]:
    """nDCG@10 question by question, tuned against base and hybrid against BM25, sorted."""
    found: list[WinLoss] = []
    for question_set, title in SETS.items():
        part = [question for question in asked if question.question_set == question_set]
        for a, b in _WON_AGAINST:
            paired = [question.gain(a, b) for question in part if {a, b} <= question.rows.keys()]
            if paired:
                found.append(win_loss(paired, f"{label(a)} vs {label(b)}, {title.lower()}"))
    return tuple(found)


def forgetting_chart(report: Report) -> Whiskers | None:
    """The tuned model against its base on probes that are not about the site."""
    lines = [
        Line(
            probe.probe,
            f"n = {probe.n}",
            (
                Estimate("base", probe.base, f"Base: {interval(probe.base)}"),
                Estimate("fine_tuned", probe.fine_tuned, f"Fine-tuned: {interval(probe.fine_tuned)}"),
            ),
            difference(probe.difference),
        )
        for probe in report.forgetting
    ]
    title = "nDCG@10 away from the site, base and fine-tuned, with 95 % intervals"
    return whiskers(lines, title, figures=182) if lines else None


def _set_table(title: str, scores: Sequence[SystemScore]) -> SetTable:
    wanted = ("hit_rate_at_1", "hit_rate_at_5", "hit_rate_at_10", "mrr_at_10", "map_at_10", "recall_at_10", PRIMARY)
    columns = tuple((metric, short_name(metric)) for metric in wanted if metric in scores[0].metrics)
    best = {metric: _best([round(s.metrics[metric].mean, 3) for s in scores]) for metric in scores[0].metrics}
    first = scores[0]
    return SetTable(first.question_set, title, first.n, first.n_groups, columns, tuple(scores), best)


def _best(means: Sequence[float]) -> float | None:
    return max(means) if len(set(means)) > 1 else None


def _scores_by_set(report: Report) -> Iterable[tuple[str, list[SystemScore]]]:
    for question_set, title in SETS.items():
        if scores := [score for score in report.scores if score.question_set == question_set]:
            yield title, scores


def _depths(score: SystemScore, measure: str) -> list[int]:
    found = (re.fullmatch(rf"{measure}_at_(\d+)", metric) for metric in score.metrics)
    return sorted(int(match[1]) for match in found if match)


def _estimate(score: SystemScore, metric: str) -> Estimate:
    name, value = score.system.name, score.metrics[metric]
    return Estimate(name, value, f"{label(name)}, {short_name(metric)}: {interval(value)}")


def _slice_line(value: str, parts: Sequence[SliceScore]) -> Line:
    estimates = tuple(
        Estimate(p.system, p.ndcg_at_10, f"{label(p.system)}, {value}: {interval(p.ndcg_at_10)}") for p in parts
    )
    return Line(value or "(none)", f"n = {parts[0].n}", estimates)


def _order(by: str) -> int:
    names = list(_SLICES)
    return names.index(by) if by in names else len(names)
