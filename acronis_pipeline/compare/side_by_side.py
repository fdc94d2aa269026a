"""Reports side by side: every system's figures, the differences from the first report, and paired tests."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from acronis_pipeline.compare.selection import Selected
from acronis_pipeline.evaluate import question_results
from acronis_pipeline.evaluate.scoring import Row as Result
from acronis_pipeline.evaluate.scoring import compare as compare_paired
from acronis_pipeline.evaluate.significance import Difference
from acronis_pipeline.store import Store

_SETS = ("synthetic", "human")

Results = Mapping[tuple[str, str, str], list[Result]]
"""Per-question results by report id, system and question set."""


@dataclass(frozen=True)
class Row:
    """One system of one report on one set of questions.

    `differences` are from the row of the first report (None in that row, and where it lacks the system); `paired` is
    that of nDCG@10 over the same questions, None where other questions were asked.
    """

    label: str
    system: str
    question_set: str
    n: int
    metrics: dict[str, float]
    differences: dict[str, float] | None = None
    paired: Difference | None = None


@dataclass(frozen=True)
class SideBySide:
    """Rows by question set, then system, then report; `notes` say what cannot be compared and why."""

    selected: tuple[Selected, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]


def compare(store: Store, selected: Sequence[Selected]) -> SideBySide:
    """Set reports, or single systems of them, beside the first."""
    results = _results(store, selected)
    rows = [row for question_set in _SETS for group in _groups(selected) for row in _rows(group, question_set, results)]
    return SideBySide(tuple(selected), tuple(rows), tuple(_notes(selected, results)))


def _groups(selected: Sequence[Selected]) -> list[list[tuple[Selected, str]]]:
    """What stands below each other: the same system of every report, or the systems that were named."""
    if selected[0].system:
        return [[(one, one.system) for one in selected if one.system]]
    systems = dict.fromkeys(system.name for one in selected for system in one.report.systems)
    return [[(one, name) for one in selected] for name in systems]


def _rows(group: Sequence[tuple[Selected, str]], question_set: str, results: Results) -> Iterator[Row]:
    first_one, first_system = group[0]
    first = first_one.report.score(first_system, question_set)
    for one, system in group:
        score = one.report.score(system, question_set)
        if score is None:
            continue
        metrics = {name: interval.mean for name, interval in score.metrics.items()}
        differences, paired = None, None
        if first and (one, system) != group[0]:
            shared = [name for name in metrics if name in first.metrics]
            differences = {name: metrics[name] - first.metrics[name].mean for name in shared}
            before = results.get((first_one.report.report_id, first_system, question_set), [])
            after = results.get((one.report.report_id, system, question_set), [])
            if before and _asked(before) == _asked(after):
                paired = compare_paired(question_set, after, before).difference
        yield Row(one.label, system, question_set, score.n, metrics, differences, paired)


def _notes(selected: Sequence[Selected], results: Results) -> Iterator[str]:
    first = selected[0]
    for other in selected[1:]:
        same_passages = first.report.questions_id == other.report.questions_id
        for question_set in _SETS:
            a, b = (_asked_of(one, question_set, results) for one in (first, other))
            if not a or not b:
                continue
            if a != b:
                yield (
                    f"{other.label} was asked other {question_set} questions than {first.label} ({len(a & b)} of "
                    f"{len(a | b)} are the same): its differences compare different questions, and no paired test "
                    "is possible."
                )
            elif not same_passages:
                yield (
                    f"{other.label} was asked the same {question_set} questions as {first.label}, over other passages "
                    "or with other right answers."
                )


def _results(store: Store, selected: Sequence[Selected]) -> Results:
    found: dict[tuple[str, str, str], list[Result]] = {}
    for row in question_results(store, list(dict.fromkeys(one.report.report_id for one in selected))).to_pylist():
        found.setdefault((row["report_id"], row["system"], row["question_set"]), []).append(row)
    return found


def _asked_of(one: Selected, question_set: str, results: Results) -> set[str]:
    """Every system of a report is asked the same."""
    rows = results.get((one.report.report_id, one.system or one.report.systems[0].name, question_set), [])
    return _asked(rows)


def _asked(rows: Sequence[Result]) -> set[str]:
    return {row["question_id"] for row in rows}
