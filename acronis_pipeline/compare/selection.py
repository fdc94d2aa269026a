"""From the names that a person types to reports: recipes, reports, runs in MLflow."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from acronis_pipeline.errors import UnknownRunError
from acronis_pipeline.evaluate import Report, StoredReport, stored_reports
from acronis_pipeline.store import Store
from acronis_pipeline.tracking import RunSummary
from acronis_pipeline.wording import counted

_MIN_PREFIX = 4
"""Characters of an id; fewer would soon mean several."""
_SHOWN = 8

FindRuns = Callable[[], Sequence[RunSummary]]


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
