"""Where training puts models and what it needs meanwhile, and how a folder goes.

<models>/<recipe>/<key>            a published model; it appears in one step, and goes in one
<models>/<recipe>/.<key>.partial   one that is being written
<models>/<recipe>/.<key>.dropped   one that is being deleted
<models>/.work/<recipe>/<key>      what a training must not lose when it is killed
"""

import logging
import math
import re
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from acronis_pipeline.files import folder_size_bytes

_KEY = 16
"""Letters of a training key that name its folders."""
_LEFT = re.compile(rf"\.[0-9a-f]{{{_KEY}}}\.(partial|dropped)")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DroppedFolder:
    """A folder that is gone, and what nobody needs of it any more."""

    folder: str
    what: str
    size_bytes: int


def model_folder(models_dir: Path, recipe_name: str, training_key: str) -> Path:
    """Where the model of a training goes."""
    return models_dir / recipe_name / training_key[:_KEY]


def work_folder(models_dir: Path, recipe_name: str, training_key: str) -> Path:
    """Where a training keeps what must survive a kill."""
    return work_folders(models_dir, recipe_name) / training_key[:_KEY]


def work_folders(models_dir: Path, recipe_name: str) -> Path:
    """Holds `work_folder` of every training of a recipe."""
    return models_dir / ".work" / recipe_name


def leftovers(models_dir: Path, recipe_name: str, before: datetime) -> list[Path]:
    """What killed trainings of a recipe have left and nobody touched since `before`."""
    beside = models_dir / recipe_name
    left = [*(beside.iterdir() if beside.is_dir() else ()), *work_folders(models_dir, recipe_name).glob("*")]
    ours = [path for path in left if path.parent != beside or _LEFT.fullmatch(path.name)]
    return sorted(path for path in ours if path.suffix == ".dropped" or _touched_s(path) < before.timestamp())


def drop(folder: Path, what: str) -> DroppedFolder | None:
    """Delete a folder, of which a kill leaves nothing that could be taken for whole; None if the disk refuses."""
    going = folder.with_name(f".{folder.name.strip('.').partition('.')[0]}.dropped")
    try:
        size_bytes = folder_size_bytes(folder)
        if going != folder:
            shutil.rmtree(going, ignore_errors=True)
            folder.rename(going)
        shutil.rmtree(going)
    except OSError as error:
        _log.warning("%s (%s) cannot be deleted: %s", folder, what, error)
        return None
    _log.info("dropped %s (%s, %.0f MB)", folder, what, size_bytes / 1e6)
    return DroppedFolder(str(folder), what, size_bytes)


def _touched_s(path: Path) -> float:
    try:
        return max(part.stat().st_mtime for part in (path, *path.rglob("*")))
    except FileNotFoundError:  # somebody is at work there this moment
        return math.inf
