"""From rankings to one row a question, and from rows to scores and comparisons: of all questions, and of their parts.

The parts (style, section, length …) tell which kinds of questions a model gained or lost on.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from acronis_pipeline.core.hashing import digest
from acronis_pipeline.evaluate.metrics import METRICS, PRIMARY, all_metrics, first_relevant_rank
from acronis_pipeline.evaluate.questions import Corpus, EvalQuestion, ranked_units
from acronis_pipeline.evaluate.report import Comparison, SliceScore, SystemScore
from acronis_pipeline.evaluate.significance import mean_intervals, paired_difference
from acronis_pipeline.retrieve import Ranking, System
from acronis_pipeline.store import tables

_KEPT = 10
"""Units of a ranking kept with a question's result."""

ResultRow = dict[str, Any]
"""One row of `tables.QUESTION_RESULTS`, still without its report."""


def score_questions(
    system: System, questions: Sequence[EvalQuestion], rankings: Sequence[Ranking], corpus: Corpus
) -> list[ResultRow]:
    """One row a question, in their order."""
    return [
        _row(
            system,
            question,
            ranked_units((chunk_id for chunk_id, _ in ranking), question, corpus.units(question.question_set)),
        )
        for question, ranking in zip(questions, rankings, strict=True)
    ]


def summarize(system: System, model_id: str | None, question_set: str, rows: Sequence[ResultRow]) -> SystemScore:
    """Means and intervals of one system on one set."""
    groups = [row["page_group"] for row in rows]
    values = np.array([[row[name] for name in METRICS] for row in rows])
    metrics = dict(zip(METRICS, mean_intervals(values, groups), strict=True))
    return SystemScore(system, model_id, question_set, len(rows), len(set(groups)), metrics)


def compare(question_set: str, a: Sequence[ResultRow], b: Sequence[ResultRow]) -> Comparison:
    """Paired comparison of nDCG@10 of two systems' rows over the questions both were asked.

    Raises
    ------
    ValueError
        If they share no question.
    """
    other = {row["question_id"]: row for row in b}
    pairs = [(row, other[row["question_id"]]) for row in a if row["question_id"] in other]
    if not pairs:
        raise ValueError(f"no {question_set} question was asked of both systems")
    difference = paired_difference(
        [left[PRIMARY] for left, _ in pairs],
        [right[PRIMARY] for _, right in pairs],
        [left["page_group"] for left, _ in pairs],
    )
    return Comparison(question_set, a[0]["system"], b[0]["system"], PRIMARY, difference)


def as_table(report_id: str, recipe: str, rows: Iterable[ResultRow]) -> pa.Table:
    """Rows of all systems as the question_results table."""
    complete = [
        row
        | {
            "result_id": digest(report_id, row["system"], row["question_set"], row["question_id"])[:32],
            "report_id": report_id,
            "recipe": recipe,
        }
        for row in rows
    ]
    return tables.QUESTION_RESULTS.rows(complete)


def _row(system: System, question: EvalQuestion, found: Mapping[str, str]) -> ResultRow:
    ranked, relevant = list(found), frozenset(question.relevant.values())
    return {
        "system": system.name,
        "question_set": question.question_set,
        "question_id": question.question_id,
        "query": question.query,
        "style": question.style,
        "page_group": question.group,
        **vars(question.traits),
        "first_relevant_rank": first_relevant_rank(ranked, relevant),
        "retrieved": list(found.values())[:_KEPT],
    } | all_metrics(ranked, relevant)


MIN_QUESTIONS = 20
"""Parts with fewer say nothing: their intervals are wider than any difference between systems."""
OTHER = "other"
_METRICS = ("hit_rate_at_5", "ndcg_at_10")
_RESAMPLES = 1_000
"""Enough for intervals that are read off a plot; decisions use more."""


@dataclass(frozen=True)
class _Cut:
    """A way to cut a set. `order` names the parts of a scale, which are not lumped together when they are small."""

    part_of: Callable[[ResultRow], str]
    order: tuple[str, ...] = ()


_LENGTHS = ("short (up to 5 words)", "medium (6 to 12 words)", "long (over 12 words)")
_OVERLAPS = ("low (up to a third)", "medium (up to two thirds)", "high (over two thirds)")
_CUTS: Mapping[str, _Cut] = {
    "style": _Cut(lambda row: row["style"]),
    "section": _Cut(lambda row: row["section"]),
    "length": _Cut(lambda row: _LENGTHS[int(np.searchsorted((5, 12), row["n_words"]))], _LENGTHS),
    "language": _Cut(lambda row: row["language"]),
    "lexical overlap": _Cut(
        lambda row: _OVERLAPS[int(np.searchsorted((1 / 3, 2 / 3), row["lexical_overlap"]))], _OVERLAPS
    ),
}


def slice_scores(rows: Iterable[ResultRow]) -> tuple[SliceScore, ...]:
    """Scores of every system on every part, by set, by cut, largest part first (scales in their own order).

    Parts of fewer than 20 questions are lumped together as "other", or left out if that is still too small or the cut
    is a scale. Cuts that leave a single part are left out.

    Parameters
    ----------
    rows
        Of one report (see `tables.QUESTION_RESULTS`).
    """
    by_set: dict[str, dict[str, dict[str, ResultRow]]] = {}
    for row in rows:
        by_set.setdefault(row["question_set"], {}).setdefault(row["system"], {})[row["question_id"]] = row
    return tuple(score for question_set, systems in by_set.items() for score in _slices_of_set(question_set, systems))


def left_out(slices: Sequence[SliceScore], scores: Sequence[SystemScore]) -> dict[tuple[str, str], int]:
    """Questions that are in no part of a cut, where there are any, by question set and cut."""
    asked = {score.question_set: score.n for score in scores}
    shown: Counter[tuple[str, str]] = Counter()
    for part in {(s.question_set, s.by, s.value): s for s in slices}.values():
        shown[part.question_set, part.by] += part.n
    return {cut: asked[cut[0]] - n for cut, n in shown.items() if asked[cut[0]] > n}


def _slices_of_set(question_set: str, systems: Mapping[str, Mapping[str, ResultRow]]) -> Iterable[SliceScore]:
    questions = list(next(iter(systems.values())).values())
    values = np.array(
        [[rows[q["question_id"]][name] for rows in systems.values() for name in _METRICS] for q in questions]
    )
    groups = np.array([question["page_group"] for question in questions])
    for by, cut in _CUTS.items():
        parts = _parts([cut.part_of(question) for question in questions], cut.order)
        for part, inside in parts.items():
            n_groups = len(set(groups[inside]))
            intervals = iter(mean_intervals(values[inside], groups[inside].tolist(), n_resamples=_RESAMPLES))
            for system, hit_rate, ndcg in zip(systems, intervals, intervals, strict=True):
                yield SliceScore(question_set, by, part, system, len(inside), n_groups, hit_rate, ndcg)


def _parts(labels: Sequence[str], order: Sequence[str]) -> dict[str, np.ndarray]:
    """Indices of the questions of every part that is shown; none if fewer than two are."""
    sizes = Counter(labels)
    if not order:
        labels = [label if label and sizes[label] >= MIN_QUESTIONS else OTHER for label in labels]
        sizes = Counter(labels)
    names = order or sorted(sizes, key=lambda name: (name == OTHER, -sizes[name], name))
    shown = [name for name in names if sizes[name] >= MIN_QUESTIONS]
    held = np.array(labels)
    return {name: np.flatnonzero(held == name) for name in shown} if len(shown) > 1 else {}
