"""Reports side by side: every system's figures, the differences from the first report, and paired tests.

`select` finds what a person names (recipes, reports, runs in MLflow); `compare` sets it beside the first.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from acronis_pipeline.core.errors import UnknownRunError, counted
from acronis_pipeline.evaluate import Report, StoredReport, question_results, stored_reports
from acronis_pipeline.evaluate.scoring import ResultRow as Result
from acronis_pipeline.evaluate.scoring import compare as compare_paired
from acronis_pipeline.evaluate.significance import Difference
from acronis_pipeline.store import Store
from acronis_pipeline.tracking.tracker import RunSummary

__all__ = ["Row", "Selected", "SideBySide", "compare", "select"]

_MIN_PREFIX = 4
"""Characters of an id; fewer would soon mean several."""
_SHOWN = 8

FindRuns = Callable[[], Sequence[RunSummary]]
_SETS = ("synthetic", "human")
Results = Mapping[tuple[str, str, str], list[Result]]
"""Per-question results by report id, system and question set."""


@dataclass(frozen=True)
class Selected:
    """A report under its letter in the comparison; `system` if only that one of its systems is meant."""

    label: str
    report: Report
    mlflow_run_id: str | None
    system: str | None = None


def select(store: Store, names: Sequence[str], find_runs: FindRuns) -> list[Selected]:
    """What the names mean, in their order; without any, the newest report of every recipe.

    A name is a recipe (`full`, its newest report; `full~1`, the one before), a report's id, the id of a run in MLflow
    (a report's or, as its child, a system's), or the beginning of an id. `/system` after it takes one system alone.

    Parameters
    ----------
    find_runs
        MLflow's runs of reports. Asked only for what the store does not know, because it takes seconds.

    Raises
    ------
    UnknownRunError
        If a name means nothing (the error names what comes close) or several things, or if systems are compared with
        whole reports.
    """
    stored = stored_reports(store)
    if not stored:
        raise UnknownRunError(f"{store.uri} holds no report to compare; run `acronis-pipeline demo` or `run` first")
    found = [_one(stored, name, find_runs) for name in names] or [(kept, None) for kept in _newest(stored).values()]
    if len({system is None for _, system in found}) > 1:
        raise UnknownRunError(
            f"{' '.join(names)}: some are systems, some are whole reports; name a system for each (full/hybrid)"
        )
    return [
        Selected(_label(position), kept.report, kept.mlflow_run_id, system)
        for position, (kept, system) in enumerate(found)
    ]


def _one(stored: Sequence[StoredReport], name: str, find_runs: FindRuns) -> tuple[StoredReport, str | None]:
    wanted, _, system = name.partition("/")
    matches = _by_recipe(stored, wanted) or _by_id(stored, wanted)
    if not matches and _is_prefix(wanted):
        for run in find_runs():
            if run.run_id.startswith(wanted):
                matches += [kept for kept in stored if kept.report.report_id == run.tags.get("report_id")]
                system = system or run.tags.get("system", "")
    if len(matches) != 1:
        raise _unknown(stored, wanted, matches)
    known = [known.name for known in matches[0].report.systems]
    if system and system not in known:
        raise UnknownRunError(f"{name}: the report of {wanted} has no system {system!r}; it has {', '.join(known)}")
    return matches[0], system or None


def _by_recipe(stored: Sequence[StoredReport], name: str) -> list[StoredReport]:
    recipe, _, steps = name.partition("~")
    history = [kept for kept in stored if kept.report.recipe == recipe]
    if not history or (steps and not steps.isdecimal()):
        return []
    back = int(steps or 0)
    if back >= len(history):
        raise UnknownRunError(
            f"{name}: {recipe} has {counted(len(history), 'report')}; the oldest is {recipe}~{len(history) - 1}"
        )
    return [history[-1 - back]]


def _by_id(stored: Sequence[StoredReport], prefix: str) -> list[StoredReport]:
    if not _is_prefix(prefix):
        return []
    return [kept for kept in stored if any(known.startswith(prefix) for known in _ids(kept))]


def _is_prefix(name: str) -> bool:
    return len(name) >= _MIN_PREFIX and re.fullmatch(r"[0-9a-f]+", name) is not None


def _ids(kept: StoredReport) -> Iterator[str]:
    yield kept.report.report_id
    if kept.mlflow_run_id:
        yield kept.mlflow_run_id


def _newest(stored: Sequence[StoredReport]) -> dict[str, StoredReport]:
    return dict(sorted({kept.report.recipe: kept for kept in stored}.items()))


def _unknown(stored: Sequence[StoredReport], name: str, matches: Sequence[StoredReport]) -> UnknownRunError:
    if matches:
        several = ", ".join(f"{kept.report.report_id} ({kept.report.recipe})" for kept in matches)
        return UnknownRunError(f"{name} is the beginning of several ids: {several}; write more of it")
    recipes = list(_newest(stored))
    ids = [known[: max(_SHOWN, len(name))] for kept in stored for known in _ids(kept)]
    close = get_close_matches(name, [*recipes, *ids], n=5, cutoff=0.5)
    known = f"did you mean {', '.join(close)}?" if close else f"recipes with reports are {', '.join(recipes)}"
    return UnknownRunError(f"{name!r} is no recipe, report or MLflow run on record; {known}")


def _label(position: int) -> str:
    """A, B … Z, then R27, R28 …"""
    return chr(ord("A") + position) if position < 26 else f"R{position + 1}"


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
