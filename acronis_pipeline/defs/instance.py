"""The Dagster instance of a data folder: its home, and the configuration copied there."""

import os
from pathlib import Path

import dagster as dg
import yaml

from acronis_pipeline.files import write_text
from acronis_pipeline.settings import ENV_PREFIX, Settings

_PACKAGE = Path(__file__).resolve().parent.parent


def prepare_home(settings: Settings) -> Path:
    """Make `<data folder>/dagster` a DAGSTER_HOME and select it, with this data folder, for child processes too.

    Dagster reads `dagster.yaml` only from DAGSTER_HOME once that is set, hence the copy. In a checkout the original
    stands at the top, in an installed wheel beside the package.
    """
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    original = next(path for path in (_PACKAGE.parent / "dagster.yaml", _PACKAGE / "dagster.yaml") if path.exists())
    config = yaml.safe_load(original.read_text("utf-8"))
    for entry in ("storage", "local_artifact_storage"):  # below DAGSTER_HOME by default
        config.pop(entry, None)
    target = home / "dagster.yaml"
    text = "# Copied from the project's dagster.yaml at every start; edit that one.\n" + yaml.safe_dump(config)
    if not target.exists() or target.read_text("utf-8") != text:
        write_text(target, text)
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ[f"{ENV_PREFIX}DATA_DIR"] = str(settings.data_dir)
    return home


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The instance in which runs of this data folder are recorded; the UI shows the same one."""
    prepare_home(settings)
    return dg.DagsterInstance.get()
