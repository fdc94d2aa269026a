"""A run that is open for writing: parameters, metrics, tags, datasets, files, and which state of the code made it."""

import json
import re
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
_PARAM_LIMIT = 6000
_TAG_LIMIT = 8000
_DIGEST_LIMIT = 36
_PER_BATCH = 100
"""What MLflow takes at most in one request of parameters or tags."""


@cache
def git_tags() -> dict[str, str]:
    """MLflow's tags for commit and uncommitted changes; empty outside a checkout, such as in an installed wheel.

    Asked once a process: what runs is what was imported, whatever is checked out later.
    """
    if not (_ROOT / ".git").exists():  # a virtual environment may lie in the checkout of something else
        return {}
    commit, changes = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--untracked-files=no")
    if commit is None or changes is None:
        return {}
    return {"mlflow.source.git.commit": commit, "mlflow.source.git.dirty": str(bool(changes)).lower()}


def _git(*arguments: str) -> str | None:
    """What git says; None if it is not installed, or refuses this folder (one of another user's)."""
    try:
        done = subprocess.run(["git", "-C", str(_ROOT), *arguments], capture_output=True, text=True, timeout=20)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


@dataclass(frozen=True)
class Dataset:
    """Data that a run used: equal digests mean equal data, whatever the place."""

    name: str
    digest: str
    source: str
    context: str
    n_rows: int


@dataclass(frozen=True)
class Point:
    """A value of a metric at a step, measured at `time_ms` after the epoch; the name is as MLflow accepts it."""

    name: str
    value: float
    step: int
    time_ms: int

    @classmethod
    def now(cls, name: str, value: float, step: int) -> "Point":
        """Of any name: what MLflow rejects in it is rewritten."""
        return cls(metric_name(name), float(value), step, int(time.time() * 1000))


@dataclass(frozen=True)
class Run:
    """Values are written in batches: on SQLite each request costs a commit, about 15 ms."""

    client: Any
    run_id: str
    experiment_id: str

    def params(self, params: Mapping[str, object]) -> None:
        """Log parameters; nested mappings become dotted names, values longer than MLflow allows are cut."""
        from mlflow.entities import Param

        entities = [Param(name, str(value)[:_PARAM_LIMIT]) for name, value in flatten(params).items()]
        self._log("params", entities)

    def metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Log metrics; names that MLflow rejects (`ndcg@10`) are rewritten (`ndcg_at_10`)."""
        self.points([Point.now(name, value, step) for name, value in metrics.items()])

    def points(self, points: Sequence[Point]) -> None:
        """Log values of several metrics and steps at once."""
        from mlflow.entities import Metric

        self._log("metrics", [Metric(point.name, point.value, point.time_ms, point.step) for point in points])

    def tags(self, tags: Mapping[str, object]) -> None:
        from mlflow.entities import RunTag

        self._log("tags", [RunTag(name, str(value)[:_TAG_LIMIT]) for name, value in tags.items()])

    def description(self, markdown: str) -> None:
        """The text on top of the run's page."""
        self.tags({"mlflow.note.content": markdown})

    def text(self, text: str, artifact: str) -> None:
        self.client.log_text(self.run_id, text, artifact)

    def table(self, columns: Mapping[str, list[Any]], artifact: str) -> None:
        """Log a table that the MLflow UI shows and compares; `artifact` ends in .json."""
        self.client.log_table(self.run_id, dict(columns), artifact)

    def png(self, image: bytes, artifact: str) -> None:
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, Path(artifact).name)
            file.write_bytes(image)
            parent = str(Path(artifact).parent)
            self.client.log_artifact(self.run_id, str(file), None if parent == "." else parent)

    def datasets(self, datasets: Sequence[Dataset]) -> None:
        """Record which data the run used. MLflow keeps at most 36 characters of a digest."""
        from mlflow.entities import Dataset as Entity
        from mlflow.entities import DatasetInput, InputTag

        inputs = [
            DatasetInput(
                Entity(
                    data.name,
                    data.digest[:_DIGEST_LIMIT],
                    source_type="lancedb",
                    source=json.dumps({"uri": data.source}),
                    profile=json.dumps({"num_rows": data.n_rows}),
                ),
                [InputTag("mlflow.data.context", data.context)],
            )
            for data in datasets
        ]
        self.client.log_inputs(self.run_id, datasets=inputs)

    def _log(self, kind: str, entities: Sequence[Any]) -> None:
        for start in range(0, len(entities), _PER_BATCH):
            self.client.log_batch(self.run_id, **{kind: entities[start : start + _PER_BATCH]})


def metric_name(name: str) -> str:
    """A name that MLflow accepts: `ndcg@10` becomes `ndcg_at_10`."""
    return re.sub(r"[^\w\-. :/]", "_", name.replace("@", "_at_"))


def flatten(values: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Nested mappings as one level with dotted names."""
    return dict(_flat(values, prefix))


def _flat(values: Mapping[str, object], prefix: str) -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
