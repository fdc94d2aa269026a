"""A training's history as curves of its MLflow run, while it grows."""

import logging
import time
from collections.abc import Collection, Iterable, Mapping

from acronis_pipeline.tracking import Point, Run, impatient

_log = logging.getLogger(__name__)
_FREE_S, _SHARE = 1.0, 0.05
"""Writing may take a second of a training, and a twentieth of its time. On SQLite an entry takes 15 ms, so that a dozen
of them, minutes apart, are written as they come, the forty that a query adapter has within seconds too, and thousands
in batches; a server that does not answer is asked again after minutes."""


class Curves:
    """Writes every value of a history once, as `training_<name>`, as soon as that may take its time.

    Parameters
    ----------
    written
        Metrics with steps that the run has already: training that goes on after a kill comes by some of them again.
    """

    def __init__(self, run: Run, written: Collection[tuple[str, int]] = ()) -> None:
        self._run = run
        self._known = set(written)
        self._waiting: list[Point] = []
        self._started, self._writing_s = time.monotonic(), 0.0

    def note(self, entry: Mapping[str, float | None]) -> None:
        """Take in an entry of the history. A failure to write is only logged: training is worth more than its curve."""
        self._take([entry])
        if self._writing_s <= _FREE_S + _SHARE * (time.monotonic() - self._started):
            self.try_to_write()

    def try_to_write(self) -> None:
        """Write what waits; if MLflow does not take it, it goes on waiting."""
        started = time.monotonic()
        try:
            with impatient():
                self._write()
        except Exception as error:
            _log.warning(
                "MLflow takes no curves at the moment, training goes on (%s)", " ".join(str(error).split())[:200]
            )
        self._writing_s += time.monotonic() - started

    def complete(self, history: Iterable[Mapping[str, float | None]]) -> None:
        """Write whatever of a whole history is not there yet; raises what MLflow raises."""
        self._take(history)
        self._write()

    def _take(self, entries: Iterable[Mapping[str, float | None]]) -> None:
        for entry in entries:
            step = int(entry.get("step") or 0)
            points = [
                Point.now(f"training_{name}", value, step)
                for name, value in entry.items()
                if name != "step" and value is not None
            ]
            self._waiting += [point for point in points if (point.name, step) not in self._known]
            self._known |= {(point.name, step) for point in points}

    def _write(self) -> None:
        if self._waiting:
            self._run.points(self._waiting)
            self._waiting = []
