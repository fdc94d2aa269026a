"""MLflow: one run per materialization, a child per compared system, models in the registry, one alias for the champion.

Only `MlflowClient` is used, never the global active run: a run ends FAILED when its step fails, and two steps of one
process cannot write into each other's runs (both happen with dagster-mlflow).
"""

import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from acronis_pipeline.errors import SettingsError

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

CHAMPION_ALIAS = "champion"
_log = logging.getLogger(__name__)
_PARAM_LIMIT = 500


@dataclass(frozen=True)
class Run:
    """A run that is open for writing."""

    client: Any
    run_id: str
    experiment_id: str

    def params(self, params: Mapping[str, object]) -> None:
        """Log parameters; nested mappings become dotted names."""
        for name, value in flatten(params).items():
            self.client.log_param(self.run_id, name, str(value)[:_PARAM_LIMIT])

    def metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Log metrics; names that MLflow rejects (`ndcg@10`) are rewritten (`ndcg_at_10`)."""
        for name, value in metrics.items():
            self.client.log_metric(self.run_id, metric_name(name), float(value), step=step)

    def tags(self, tags: Mapping[str, object]) -> None:
        for name, value in tags.items():
            self.client.set_tag(self.run_id, name, str(value))

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

    def dataset(self, name: str, digest: str, source: str, context: str) -> None:
        """Record which data the run used. MLflow allows digests of at most 36 characters."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        entity = Dataset(name=name, digest=digest[:36], source_type="lancedb", source=source)
        tag = InputTag(key="mlflow.data.context", value=context)
        self.client.log_inputs(self.run_id, datasets=[DatasetInput(dataset=entity, tags=[tag])])


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
        self._client: Any = None

    @property
    def client(self) -> Any:
        if self._client is None:
            self._client = self._connect()
        return self._client

    def _connect(self) -> Any:
        import mlflow  # 1.6 s
        from filelock import FileLock

        for chatty in ("alembic", "mlflow.store.db.utils"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
        file = sqlite_file(self.tracking_uri)
        if file is None:
            return mlflow.MlflowClient(self.tracking_uri)
        file.parent.mkdir(parents=True, exist_ok=True)
        # Two processes that meet a fresh SQLite file both create its tables, and one fails.
        with FileLock(f"{file}.lock"):
            client = mlflow.MlflowClient(self.tracking_uri)
            client.search_experiments(max_results=1)
        return client

    @property
    def experiment_id(self) -> str:
        """Id of the experiment, created if need be."""
        found = self.client.get_experiment_by_name(self.experiment)
        if found is not None:
            if found.lifecycle_stage == "deleted":
                raise SettingsError(
                    f"MLflow experiment {self.experiment!r} was deleted; restore it or name another with "
                    "ACRONIS_PIPELINE_MLFLOW_EXPERIMENT"
                )
            return str(found.experiment_id)
        file = sqlite_file(self.tracking_uri)
        # Without a location MLflow writes artifacts below whatever folder the process runs in.
        location = (file.parent / "mlartifacts").as_uri() if file else None
        try:
            return str(self.client.create_experiment(self.experiment, artifact_location=location))
        except Exception:  # another process was faster; anything else shows on the next line
            return str(self.client.get_experiment_by_name(self.experiment).experiment_id)

    @contextmanager
    def run(self, name: str, *, tags: Mapping[str, object] | None = None, parent: Run | None = None) -> Iterator[Run]:
        """A run that ends FINISHED, or FAILED if the body raises."""
        all_tags = {key: str(value) for key, value in (tags or {}).items()}
        if parent:
            all_tags["mlflow.parentRunId"] = parent.run_id
        if commit := git_commit():
            all_tags["mlflow.source.git.commit"] = commit
        experiment_id = self.experiment_id
        created = self.client.create_run(experiment_id, run_name=name, tags=all_tags)
        run = Run(self.client, created.info.run_id, experiment_id)
        try:
            yield run
        except BaseException:
            self.client.set_terminated(run.run_id, "FAILED")
            raise
        self.client.set_terminated(run.run_id, "FINISHED")

    def url(self, run_id: str) -> str:
        """Page of a run in the MLflow UI."""
        return f"{self.ui_url}/#/experiments/{self.experiment_id}/runs/{run_id}"

    def comparison_url(self, run_ids: list[str]) -> str:
        """Page that compares runs side by side."""
        runs = quote(json.dumps(run_ids, separators=(",", ":")))
        experiments = quote(json.dumps([self.experiment_id]))
        return f"{self.ui_url}/#/compare-runs?runs={runs}&experiments={experiments}"

    def log_model(self, run: Run, folder: Path, tags: Mapping[str, object]) -> str:
        """Store a saved SentenceTransformer with the run and register it; returns the registry version.

        The stored model loads with `mlflow.sentence_transformers.load_model("models:/<name>/<version>")`.
        """
        import mlflow
        import mlflow.sentence_transformers as flavor
        from sentence_transformers import SentenceTransformer

        mlflow.set_tracking_uri(self.tracking_uri)
        with mlflow.start_run(run_id=run.run_id), _quiet("mlflow"):
            info = flavor.log_model(
                SentenceTransformer(str(folder), local_files_only=True, device="cpu"),
                name="model",
                # Inferring requirements loads the model again in a subprocess.
                pip_requirements=["sentence-transformers", "torch"],
            )
        self._ensure_registered_model()
        version = self.client.create_model_version(
            self.registered_model,
            source=info.model_uri,
            run_id=run.run_id,
            tags={key: str(value) for key, value in tags.items()},
            model_id=info.model_id,
        )
        return str(version.version)

    def champion_version(self) -> str | None:
        """Registry version that carries the champion alias."""
        from mlflow.exceptions import MlflowException

        try:
            aliases = self.client.get_registered_model(self.registered_model).aliases
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
        found = aliases.get(CHAMPION_ALIAS)
        return str(found) if found is not None else None

    def model_id_of(self, version: str) -> str | None:
        """Our id of a registered version's model."""
        return self.client.get_model_version(self.registered_model, version).tags.get("model_id")

    def set_champion(self, version: str | None) -> None:
        """Move the alias to a version; None takes it away (a champion without a tuned model, such as BM25)."""
        current = self.champion_version()
        if version == current:
            return
        if version is None:
            self.client.delete_registered_model_alias(self.registered_model, CHAMPION_ALIAS)
        else:
            self.client.set_registered_model_alias(self.registered_model, CHAMPION_ALIAS, version)

    def _ensure_registered_model(self) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self.client.create_registered_model(
                self.registered_model, description="Retrieval models trained by acronis_pipeline."
            )
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise


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


def metric_name(name: str) -> str:
    """A name that MLflow accepts: `ndcg@10` becomes `ndcg_at_10`."""
    return re.sub(r"[^\w\-. :/]", "_", name.replace("@", "_at_"))


def flatten(values: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Nested mappings as one level with dotted names."""
    flat: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def git_commit() -> str | None:
    """Commit of the code that runs, where it runs from a checkout."""
    root = Path(__file__).resolve().parent.parent
    head = root / ".git" / "HEAD"
    if not head.is_file():
        return None
    content = head.read_text("utf-8").strip()
    if not content.startswith("ref: "):
        return content
    ref = root / ".git" / content.removeprefix("ref: ")
    return ref.read_text("utf-8").strip() if ref.is_file() else None


@contextmanager
def _quiet(logger: str) -> Iterator[None]:
    """MLflow warns at length about signatures and versions when a model is logged."""
    target = logging.getLogger(logger)
    level = target.level
    target.setLevel(logging.ERROR)
    try:
        yield
    finally:
        target.setLevel(level)
