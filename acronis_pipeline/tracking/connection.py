"""The way to an MLflow server or database."""

import json
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from acronis_pipeline.core.errors import SettingsError

_WHEN_SOMEBODY_WAITS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
"""Of MLflow's own, in seconds where they are times. Its defaults (7 retries, the pauses doubling from 2 s) hold on for
over four minutes where nobody listens: right for a nightly run, not for a person who rolls back."""

_KIND = "mlflow.experimentKind"
_TRAINING = "custom_model_development"
"""With any other kind MLflow's list of experiments opens it on traces of LLM applications, of which there are none."""

_VIEW_TAG, _VIEW = (
    "mlflow.sharedViewState.scores",
    {
        "searchFilter": "",
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": [
            *("attributes.`Duration`", "metrics.`hit_rate_at_5`", "metrics.`mrr_at_10`", "metrics.`ndcg_at_10`"),
            "tags.`recipe`",
        ],
    },
)
"""A view of the runs that shows the scores at once; MLflow's own begins with its datasets and sources."""
RUNS_QUERY = "workflowType=machine_learning&viewStateShareKey=scores"
"""Of a link to the runs: in that view. MLflow 3.17 opens on what the browser last showed otherwise, or on traces."""


@contextmanager
def impatient() -> Iterator[None]:
    """Have a server that is down be given up within seconds; what the environment says of MLflow's requests stands."""
    added = {name: value for name, value in _WHEN_SOMEBODY_WAITS.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def connect(tracking_uri: str) -> Any:
    """An `MlflowClient`; the tables of a fresh SQLite file are made first."""
    import mlflow  # 1.6 s
    from filelock import FileLock

    for chatty in ("alembic", "mlflow.store.db.utils"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    file = sqlite_file(tracking_uri)
    if file is None:
        return mlflow.MlflowClient(tracking_uri)
    file.parent.mkdir(parents=True, exist_ok=True)
    # Two processes that meet a fresh SQLite file both create its tables, and one fails.
    with FileLock(f"{file}.lock"):
        client = mlflow.MlflowClient(tracking_uri)
        client.search_experiments(max_results=1)
        _follow_a_moved_folder(file)
    return client


_ARTIFACTS = "mlartifacts"
_LOCATIONS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Where MLflow 3.17 keeps the whole address of a file."""


def _follow_a_moved_folder(file: Path) -> None:
    """Have artifacts be looked for beside the database, where they were when it was made.

    MLflow stores their whole addresses. A folder that was moved, copied or mounted elsewhere has them beside the
    database again, so the part that differs is replaced, everywhere and at once. Artifacts kept elsewhere stay there.
    """
    here = file.parent / _ARTIFACTS
    if not here.is_dir():
        return
    with closing(sqlite3.connect(file)) as database, database:
        known = database.execute("SELECT DISTINCT artifact_location FROM experiments").fetchall()
        for (there,) in known:
            if there and there.startswith("file:") and there.endswith(f"/{_ARTIFACTS}") and there != here.as_uri():
                for table, column in _LOCATIONS:
                    database.execute(
                        f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                        (here.as_uri(), len(there) + 1, len(there) + 1, f"{there}/"),
                    )
                database.execute(
                    "UPDATE experiments SET artifact_location = ? WHERE artifact_location = ?", (here.as_uri(), there)
                )


def find_or_create_experiment(client: Any, name: str, tracking_uri: str) -> str:
    """Id of the experiment of that name, which MLflow shows as one of training runs.

    Raises
    ------
    SettingsError
        If the experiment was deleted.
    """
    found = client.get_experiment_by_name(name)
    if found is not None:
        if found.lifecycle_stage == "deleted":
            raise SettingsError(
                f"MLflow experiment {name!r} was deleted; restore it or name another with "
                "ACRONIS_PIPELINE_MLFLOW_EXPERIMENT"
            )
        # Without a kind, or with one that its UI has inferred; what a person chose there stands.
        if "inferred" in found.tags.get(_KIND, "inferred"):
            client.set_experiment_tag(found.experiment_id, _KIND, _TRAINING)
        if found.tags.get(_VIEW_TAG) != json.dumps(_VIEW):
            client.set_experiment_tag(found.experiment_id, _VIEW_TAG, json.dumps(_VIEW))
        return str(found.experiment_id)
    file = sqlite_file(tracking_uri)
    # Without a location MLflow writes artifacts below whatever folder the process runs in.
    location = (file.parent / _ARTIFACTS).as_uri() if file else None
    try:
        return str(
            client.create_experiment(
                name, artifact_location=location, tags={_KIND: _TRAINING, _VIEW_TAG: json.dumps(_VIEW)}
            )
        )
    except Exception:  # another process was faster; anything else shows on the next line
        return str(client.get_experiment_by_name(name).experiment_id)


def sqlite_file(tracking_uri: str) -> Path | None:
    """Path of an SQLite tracking store; None for a server or another database.

    Raises
    ------
    SettingsError
        If the URI names a relative path, which would mean another database in every working folder, or a bare folder
        (MLflow's file store no longer exists).
    """
    if "://" not in tracking_uri:
        raise SettingsError(
            f"mlflow_tracking_uri {tracking_uri!r}: write it as sqlite:////absolute/path.db or http://host:port"
        )
    if not tracking_uri.startswith("sqlite://"):
        return None
    path = Path(tracking_uri.removeprefix("sqlite:///"))
    if not path.is_absolute():
        raise SettingsError(
            f"mlflow_tracking_uri {tracking_uri!r}: the path must be absolute (sqlite:////folder/mlflow.db)"
        )
    return path
