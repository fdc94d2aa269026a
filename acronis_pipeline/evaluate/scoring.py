"""From rankings to one row a question, and from rows to a system's score and comparisons."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from acronis_pipeline import schemas
from acronis_pipeline.evaluate.metrics import METRICS, PRIMARY, all_metrics, first_relevant_rank
from acronis_pipeline.evaluate.questions import EvalQuestion, ranked_units
from acronis_pipeline.evaluate.report import Comparison, SystemScore
from acronis_pipeline.evaluate.significance import mean_intervals, paired_difference
from acronis_pipeline.fingerprint import digest
from acronis_pipeline.retrieve import Ranking, System

_KEPT = 10
"""Units of a ranking kept with a question's result."""

Row = dict[str, Any]
"""One row of `schemas.QUESTION_RESULTS`, still without its report."""


def score_questions(
    system: System, questions: Sequence[EvalQuestion], rankings: Sequence[Ranking], units: Mapping[str, str]
) -> list[Row]:
    """One row a question; `units` as for `ranked_units`."""
    return [
        _row(system, question, ranked_units((chunk_id for chunk_id, _ in ranking), question, units))
        for question, ranking in zip(questions, rankings, strict=True)
    ]


def summarize(system: System, model_id: str | None, question_set: str, rows: Sequence[Row]) -> SystemScore:
    """Means and intervals of one system on one set."""
    groups = [row["page_group"] for row in rows]
    values = np.array([[row[name] for name in METRICS] for row in rows])
    metrics = dict(zip(METRICS, mean_intervals(values, groups), strict=True))
    return SystemScore(system, model_id, question_set, len(rows), len(set(groups)), metrics)


def compare(question_set: str, a: Sequence[Row], b: Sequence[Row]) -> Comparison:
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


def as_table(report_id: str, recipe: str, rows: Iterable[Row]) -> pa.Table:
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
    return pa.Table.from_pylist(complete, schema=schemas.QUESTION_RESULTS)


def _row(system: System, question: EvalQuestion, found: Mapping[str, str]) -> Row:
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
