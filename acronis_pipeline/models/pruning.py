"""The folders that trainings leave, of which those go that no recipe, champion or rollback needs."""

import logging
import math
import re
import shutil
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from acronis_pipeline.core.files import folder_size_bytes
from acronis_pipeline.encoders import in_every_precision
from acronis_pipeline.index.table import table_name
from acronis_pipeline.models import records
from acronis_pipeline.models.records import KEY_CHARACTERS, ModelRecord, work_folders
from acronis_pipeline.store import Store

_LEFT = re.compile(rf"\.[0-9a-f]{{{KEY_CHARACTERS}}}\.(partial|dropped)")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DroppedFolder:
    """A folder that is gone, and what nobody needs of it any more."""

    folder: str
    what: str
    size_bytes: int


def prune_model_folders(
    store: Store, models_dir: Path, *, tables: Collection[str], promoted: Collection[Path]
) -> list[DroppedFolder]:
    """Delete what trainings left below `models_dir` and nobody needs: models, and the traces of killed trainings.

    Of every recipe the models of its current training stay, the one that an export in use was made from among them, and
    what such a model was trained from.
    Only what training made is touched: never an export, nor a folder that no record of this store names, which may be
    another store's. Records stay, because what a model was trained on is asked of them; they are no use as models.
    Run it after `prune`, or a kill in between leaves a table without its model.

    Parameters
    ----------
    tables
        That stay (`tables_in_use`): each keeps the newest model of its vectors.
    promoted
        Folders of the champions that answer from these tables.
    """
    known, current = records.every_model(store), records.current_models(store)
    needed = {record.folder for record in known if record.training_key == current[record.recipe].training_key}
    needed |= {*_of_tables(known, tables), *promoted}
    needed |= {Path(record.base_identity.base).expanduser().absolute() for record in known if record.folder in needed}
    unneeded = {
        record.folder: f"model of recipe {record.recipe}"
        for record in known
        if record.is_there
        and record.folder == records.model_folder(models_dir, record.recipe, record.training_key)
        # A champion that is the base of an endpoint's model stands within that model's folder.
        and not any(folder.is_relative_to(record.folder) for folder in needed)
    }
    for recipe, record in sorted(current.items()):
        left = leftovers(models_dir, recipe, record.created_at)
        unneeded |= dict.fromkeys(left, f"left by a killed training of recipe {recipe}")
    dropped = [drop(folder, what) for folder, what in unneeded.items()]
    return [gone for gone in dropped if gone]


def _of_tables(known: Sequence[ModelRecord], tables: Collection[str]) -> Iterator[Path]:
    """The folder of each table's model. Several have the same where trainings came to the same, mostly the base."""
    there = [record for record in known if record.is_there]
    newest_first = sorted(there, key=lambda record: record.created_at, reverse=True)
    for table in tables:
        yield from [record.folder for record in newest_first if table in _tables(record)][:1]


def _tables(record: ModelRecord) -> set[str]:
    """Names of the tables with a model's vectors, in any precision."""
    return {table_name(record.recipe, identity.model_id) for identity in in_every_precision(record.identity)}


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
