"""Which model folders go: those that no recipe, champion or rollback needs, and what killed trainings left."""

import os
import shutil
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from acronis_pipeline import index
from acronis_pipeline.champion import Contender, serving
from acronis_pipeline.core.errors import ModelError
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.encoders import IDENTITY_FILE, ModelIdentity, in_precision
from acronis_pipeline.models import pruning, records
from acronis_pipeline.models.pruning import DroppedFolder
from acronis_pipeline.models.records import ModelRecord, current_model, model_named, write
from acronis_pipeline.retrieve import System
from acronis_pipeline.store import Store

BASE = ModelIdentity("words", digest("query"), digest("document"), 64, 256)
START = datetime(2026, 1, 1, tzinfo=UTC)
WEIGHTS = b"w" * 1000


@dataclass
class Site:
    """A store with models on record, each trained a day after the one before, and their folders."""

    store: Store
    models_dir: Path
    trained: list[ModelRecord] = field(default_factory=list)

    def train(
        self, name: str, recipe: str = "full", identity: ModelIdentity | None = None, base: ModelIdentity = BASE
    ) -> ModelRecord:
        key = digest("key", name)
        record = ModelRecord(
            record_id=name,
            recipe=recipe,
            training_key=key,
            folder=records.model_folder(self.models_dir, recipe, key),
            identity=identity or replace(BASE, query_fingerprint=digest(name)),
            base_identity=base,
            metrics={},
            created_at=START + timedelta(days=len(self.trained)),
        )
        record.folder.mkdir(parents=True)
        (record.folder / "model.safetensors").write_bytes(WEIGHTS)
        (record.folder / IDENTITY_FILE).write_text(record.identity.to_json())
        write(self.store, record)
        self.trained.append(record)
        return record

    def prune(self, *tables: str, promoted: tuple[Path, ...] = ()) -> list[DroppedFolder]:
        return pruning.prune_model_folders(self.store, self.models_dir, tables=tables, promoted=promoted)

    def names_left(self) -> list[str]:
        return [record.record_id for record in self.trained if record.is_there]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(Store(str(tmp_path / "lancedb")), tmp_path / "models")


def table(record: ModelRecord, precision: str = "float32") -> str:
    return index.table_name(record.recipe, in_precision(record.identity, precision).model_id)


def left_behind(folder: Path, *, when: datetime) -> Path:
    folder.mkdir(parents=True)
    (folder / "checkpoint.pt").write_bytes(WEIGHTS)
    for path in (folder / "checkpoint.pt", folder):
        os.utime(path, (when.timestamp(), when.timestamp()))
    return folder


def test_the_current_model_of_every_recipe_stays_and_older_ones_go_with_their_size_told(site):
    old = site.train("old")
    site.train("other recipe", "lora")
    site.train("new")
    (gone,) = site.prune()
    assert site.names_left() == ["other recipe", "new"]
    assert (gone.folder, gone.what) == (str(old.folder), "model of recipe full")
    assert gone.size_bytes > len(WEIGHTS)
    assert site.prune() == []


def test_a_model_whose_table_stays_stays_in_whatever_precision_the_table_is(site):
    first, second = site.train("first"), site.train("second")
    site.train("third")
    site.train("fourth")
    site.prune(table(first), table(second, "bfloat16"))
    assert site.names_left() == ["first", "second", "fourth"]


def test_folders_of_champions_stay_and_what_stands_within_them(site):
    first, second = site.train("first"), site.train("second")
    site.train("third")
    site.train("fourth")
    site.prune(promoted=(first.folder, second.folder / "base"))
    assert site.names_left() == ["first", "second", "fourth"]


def test_of_trainings_that_came_to_the_same_the_newest_and_the_champions_folder_stay(site):
    champion = site.train("champion", identity=BASE)
    site.train("same", identity=BASE)
    newest = site.train("newest", identity=BASE)
    site.prune(table(newest), promoted=(champion.folder,))
    assert site.names_left() == ["champion", "newest"]


def test_data_that_went_back_keeps_the_model_that_is_current_again(site):
    back = site.train("back")
    site.train("gone")
    write(site.store, replace(back, created_at=START + timedelta(days=9)))
    site.prune()
    assert site.names_left() == ["back"]


def test_the_original_of_an_export_in_use_stays_and_exports_are_never_touched(site, tmp_path):
    original = site.train("original")
    exports = [left_behind(site.models_dir / "full" / name, when=START) for name in ("int8", "older")]
    for day, (folder, record_id) in enumerate(zip(exports, ("in use", "unused"), strict=True)):
        write(site.store, replace(original, record_id=record_id, folder=folder, created_at=START - timedelta(days=day)))
    in_use = replace(original, record_id="in use", folder=exports[0], created_at=START + timedelta(days=9))
    write(site.store, in_use)
    site.prune()
    assert site.names_left() == ["original"]
    site.train("new")
    write(site.store, replace(site.trained[-1], created_at=START + timedelta(days=10)))
    site.prune()
    assert site.names_left() == ["new"]
    assert all(folder.is_dir() for folder in exports)


def test_folders_elsewhere_and_such_as_no_record_names_are_not_touched(site, tmp_path):
    elsewhere = Site(site.store, tmp_path / "other data folder", site.trained)
    elsewhere.train("elsewhere")
    site.train("here")
    unknown = left_behind(site.models_dir / "full" / digest("another store")[:16], when=START)
    assert site.prune() == []
    assert site.names_left() == ["elsewhere", "here"]
    assert unknown.is_dir()


def test_what_killed_trainings_left_goes_once_a_newer_training_is_done(site):
    record, key = site.train("current"), digest("killed")
    before, after = record.created_at - timedelta(hours=1), record.created_at + timedelta(hours=1)
    old = [
        left_behind(record.folder.with_name(f".{key[:16]}.partial"), when=before),
        left_behind(records.work_folder(site.models_dir, "full", key), when=before),
        left_behind(record.folder.with_name(f".{digest('half gone')[:16]}.dropped"), when=after),
    ]
    under_way = [
        left_behind(record.folder.with_name(f".{digest('under way')[:16]}.partial"), when=after),
        left_behind(records.work_folder(site.models_dir, "full", digest("under way")), when=after),
        left_behind(records.work_folder(site.models_dir, "never trained", key), when=before),
        left_behind(record.folder.with_name(".of-a-person"), when=before),
    ]
    dropped = site.prune()
    assert {gone.folder for gone in dropped} == {str(folder) for folder in old}
    assert {gone.what for gone in dropped} == {"left by a killed training of recipe full"}
    assert all(gone.size_bytes == len(WEIGHTS) for gone in dropped)
    assert not any(folder.exists() for folder in old)
    assert all(folder.is_dir() for folder in under_way)
    assert site.names_left() == ["current"]


def test_a_kill_while_a_folder_is_deleted_leaves_nothing_that_looks_like_a_model(site, monkeypatch):
    old = site.train("old")
    site.train("new")

    def killed(folder: Path, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            site.prune()
    assert not old.is_there
    (gone,) = site.prune()
    assert gone.folder.endswith(".dropped")
    assert os.listdir(old.folder.parent) == [site.trained[-1].folder.name]


def test_a_disk_that_refuses_costs_no_index(site, monkeypatch, caplog):
    site.train("old")
    site.train("new")

    def refuse(self: Path, target: Path) -> None:
        raise PermissionError("read-only file system")

    monkeypatch.setattr(Path, "rename", refuse)
    assert site.prune() == []
    assert "read-only file system" in caplog.text


def test_a_dropped_model_stays_on_record_but_is_not_taken_for_usable(site):
    old = site.train("old")
    site.train("new")
    site.prune()
    known = model_named(site.store, "full", old.identity.model_id)
    assert known
    assert known.training_key == old.training_key  # what it was trained on can still be asked
    assert not known.is_there
    contender = Contender("full", System("fine_tuned", "dense", "table"), old.identity.model_id, "report")
    with pytest.raises(ModelError, match=r"whose folder .* is gone; materialize"):
        serving.model_of(site.store, contender)
    current = current_model(site.store, "full")
    assert current
    assert current.record_id == "new"


def test_of_equal_models_the_one_whose_folder_is_there_is_found(site):
    there, gone = site.train("there", identity=BASE), site.train("gone", identity=BASE)
    shutil.rmtree(gone.folder)
    found = model_named(site.store, "full", BASE.model_id)
    assert found
    assert found.record_id == there.record_id


def test_what_a_needed_model_was_trained_from_stays(site):
    first = site.train("first")
    site.train("more", recipe="more", base=replace(BASE, base=str(first.folder)))
    site.train("second")
    assert site.prune() == []
    site.train("more from another", recipe="more")
    assert [Path(gone.folder).parent.name for gone in site.prune()] == ["full", "more"]
