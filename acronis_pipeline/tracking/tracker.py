"""Where runs and models are recorded: one experiment, and one alias in the registry for the champion.

A run in MLflow names the run in Dagster that made it; of those whose step was killed, which MLflow would call running
for ever, the runs are ended.
"""

import getpass
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

from acronis_pipeline.core import faults
from acronis_pipeline.core.errors import TrackingError
from acronis_pipeline.core.settings import Settings
from acronis_pipeline.tracking.connection import RUNS_QUERY, connect, find_or_create_experiment
from acronis_pipeline.tracking.run import Run, git_tags

_log = logging.getLogger(__name__)

DAGSTER_RUN = "dagster.run_id"
DAGSTER_URL = "dagster.run_url"
CHAMPION_ALIAS = "champion"
_PAGE = 500


@dataclass(frozen=True)
class RunSummary:
    """A run as it stands: `status` is MLflow's RUNNING, FINISHED, FAILED or KILLED."""

    run_id: str
    status: str
    params: dict[str, str]
    metrics: dict[str, float]
    tags: dict[str, str]


class Tracker:
    """Where runs and models are recorded.

    Parameters
    ----------
    tracking_uri
        An MLflow server or an SQLAlchemy URI. For SQLite the path must be absolute.
    experiment
        Created on first use, with its artifacts beside an SQLite file.
    registered_model
        Name under which every trained model becomes a version.
    ui_url
        Address of the MLflow UI, for links.
    """

    def __init__(self, tracking_uri: str, experiment: str, registered_model: str, ui_url: str) -> None:
        self.tracking_uri = tracking_uri
        self.experiment = experiment
        self.registered_model = registered_model
        self.ui_url = tracking_uri if tracking_uri.startswith("http") else ui_url

    @classmethod
    def of(cls, settings: Settings) -> "Tracker":
        """The one that the settings name."""
        names = (settings.mlflow_experiment, settings.registered_model)
        faults.refuse_damaged(settings.tracking_uri, settings.data_dir)
        return cls(settings.tracking_uri, *names, settings.mlflow_ui_url)

    @cached_property
    def client(self) -> Any:
        return connect(self.tracking_uri)

    @cached_property
    def experiment_id(self) -> str:
        """Id of the experiment, created if need be."""
        return find_or_create_experiment(self.client, self.experiment, self.tracking_uri)

    @contextmanager
    def run(self, name: str, *, tags: Mapping[str, object] | None = None, parent: Run | None = None) -> Iterator[Run]:
        """A run that ends FINISHED, FAILED if the body raises an error, or KILLED if it is told to stop."""
        all_tags = git_tags() | {"mlflow.user": getpass.getuser(), "mlflow.source.name": "acronis_pipeline"}
        all_tags |= {key: str(value) for key, value in (tags or {}).items()}
        if parent:
            all_tags["mlflow.parentRunId"] = parent.run_id
        created = self.client.create_run(self.experiment_id, run_name=name, tags=all_tags)
        with self._ending(created.info.run_id) as run:
            yield run

    @contextmanager
    def continued(self, run_id: str, *, tags: Mapping[str, object]) -> Iterator[Run]:
        """A run that was stopped or killed, under way again; it ends as one of `run` does."""
        self.client.update_run(run_id, status="RUNNING")
        with self._ending(run_id) as run:
            run.tags(git_tags() | dict(tags))
            yield run

    @contextmanager
    def _ending(self, run_id: str) -> Iterator[Run]:
        try:
            yield self.opened(run_id)
        except BaseException as error:  # Ctrl-C and Dagster's interruption are no `Exception`
            self.client.set_terminated(run_id, "FAILED" if isinstance(error, Exception) else "KILLED")
            raise
        self.client.set_terminated(run_id, "FINISHED")

    def opened(self, run_id: str) -> Run:
        """A run that exists, to add to it; its status stays what it is."""
        return Run(self.client, run_id, self.experiment_id)

    def find(self, condition: str) -> list[RunSummary]:
        """Runs by a condition in MLflow's search language, such as `tags.stage = 'eval_report'`, newest first."""
        found: list[RunSummary] = []
        token: str | None = None
        while True:
            page = self.client.search_runs([self.experiment_id], condition, max_results=_PAGE, page_token=token)
            found += [
                RunSummary(run.info.run_id, run.info.status, run.data.params, run.data.metrics, run.data.tags)
                for run in page
            ]
            token = page.token
            if not token:
                return found

    def has_run(self, run_id: str) -> bool:
        """Whether a run is on record here: another database may have been chosen since."""
        found = self._if_known(lambda: self.client.get_run(run_id))
        return found is not None and found.info.lifecycle_stage == "active"

    def params(self, run_id: str) -> dict[str, str]:
        """Parameters of a run, none if it is not on record here."""
        return dict(self.client.get_run(run_id).data.params) if self.has_run(run_id) else {}

    def measured(self, run_id: str) -> set[tuple[str, int]]:
        """Every metric of a run with every step that it has a value of."""
        names = self.client.get_run(run_id).data.metrics
        return {(name, point.step) for name in names for point in self.client.get_metric_history(run_id, name)}

    @property
    def runs_page(self) -> str:
        """The runs with hit rate, MRR and nDCG, as a path below the UI's address."""
        return f"#/experiments/{self.experiment_id}/runs?{RUNS_QUERY}"

    def url(self, run_id: str) -> str:
        """Page of a run in the MLflow UI."""
        return f"{self.ui_url}/#/experiments/{self.experiment_id}/runs/{run_id}"

    def artifact_url(self, run_id: str, artifact: str) -> str:
        """The page of a run with one of its files open."""
        return f"{self.url(run_id)}/artifactPath/{quote(artifact)}"

    def comparison_url(self, run_ids: list[str]) -> str:
        """Page that compares runs side by side."""
        runs = quote(json.dumps(run_ids, separators=(",", ":")))
        experiments = quote(json.dumps([self.experiment_id]))
        return f"{self.ui_url}/#/compare-runs?runs={runs}&experiments={experiments}"

    def champion_version(self) -> str | None:
        """Registry version that carries the champion alias."""
        model = self._if_known(lambda: self.client.get_registered_model(self.registered_model))
        found = model.aliases.get(CHAMPION_ALIAS) if model else None
        return str(found) if found is not None else None

    def model_id_of(self, version: str) -> str | None:
        """Our id of a registered version's model; None if this registry has no such version."""
        found = self._if_known(lambda: self.client.get_model_version(self.registered_model, version))
        return found.tags.get("model_id") if found else None

    def set_champion(self, version: str | None) -> None:
        """Move the alias to a version; None takes it away (a champion without a tuned model, such as BM25)."""
        current = self.champion_version()
        if version == current:
            return
        if version is None:
            self.client.delete_registered_model_alias(self.registered_model, CHAMPION_ALIAS)
        else:
            self.client.set_registered_model_alias(self.registered_model, CHAMPION_ALIAS, version)

    def _if_known(self, ask: Callable[[], Any]) -> Any | None:
        """What MLflow answers; None if it has no such thing."""
        from mlflow.exceptions import MlflowException

        try:
            return ask()
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise TrackingError(
                f"MLflow at {self.tracking_uri} does not answer ({' '.join(str(error).split())[:200]}); start it, or "
                "mend ACRONIS_PIPELINE_MLFLOW_TRACKING_URI"
            ) from error


def kill_runs_without_process(tracker: Tracker, has_ended: Callable[[str], bool]) -> list[str]:
    """Mark unfinished MLflow runs as KILLED where the Dagster run has ended; returns their ids.

    A step closes its MLflow run before its Dagster run ends, so one that is still open then was never closed.
    `has_ended` is asked with a Dagster run id and says no for runs it does not know: on a shared server these may be
    another machine's, and alive.
    """
    open_runs = [run for run in tracker.find("attributes.status = 'RUNNING'") if DAGSTER_RUN in run.tags]
    ended = {run_id: has_ended(run_id) for run_id in {run.tags[DAGSTER_RUN] for run in open_runs}}
    dead = [run.run_id for run in open_runs if ended[run.tags[DAGSTER_RUN]]]
    for run_id in dead:
        tracker.client.set_terminated(run_id, "KILLED")
    if dead:
        _log.warning("%d runs in MLflow were left open by killed processes; they are marked as killed", len(dead))
    return dead
