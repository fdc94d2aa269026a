"""Damage is one line with what, where and the remedy; what is derived is dropped to be made anew, the rest never."""

import errno
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from acronis_pipeline.core import faults
from acronis_pipeline.core.errors import DamagedDatabaseError, DamagedTableError, OutputError, StoreError
from acronis_pipeline.store import Store, damage, tables
from acronis_pipeline.store.tables import Table

KEPT = {
    *("pages", "page_versions", "page_changes", "visits", "link_lists", "crawls", "page_splits", "gold_questions"),
    *("imported_pairs", "llm_answers", "llm_batches", "models", "training_corpora", "champions"),
}
DERIVED = {
    "chunks",
    "page_blocks",
    "anchor_texts",
    "pairs",
    "site_files",
    "question_results",
    "reports",
    "teacher_scores",
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(str(tmp_path / "lancedb"))
    for table in (tables.CHUNKS, tables.PAGE_BLOCKS, tables.CHAMPIONS):
        store.upsert(table, table.rows([{table.key: "a"}]))
    return store


def test_of_every_table_it_is_said_whether_it_can_be_made_anew() -> None:
    known = {table.name for table in vars(tables).values() if isinstance(table, Table)}
    assert known == KEPT | DERIVED, "a new table: can it be made anew, and by which asset? (Table.remade_by)"
    assert {name for name in known if tables.remade_by(name)} == DERIVED
    for name in ("vectors_0123456789ab", "passages_base_0123", "excerpts_of_passages_base_0123"):
        assert tables.remade_by(name) == "lancedb_index"


def cut(folder: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            file.write_bytes(file.read_bytes()[:20])


def without_data(folder: Path) -> None:
    shutil.rmtree(folder / "data")


def cut_data(folder: Path) -> None:
    cut(folder / "data")


def without_versions(folder: Path) -> None:
    shutil.rmtree(folder / "_versions")


def garbage(folder: Path) -> None:
    for file in (folder / "_versions").iterdir():
        file.write_bytes(b"\x9f" * 500)


DAMAGES = [cut, cut_data, without_data, without_versions, garbage]


@pytest.mark.parametrize("spoil", DAMAGES)
def test_a_damaged_table_is_named_with_what_mends_it(store: Store, spoil: Callable[[Path], None]) -> None:
    for table, remedy in ((tables.CHUNKS, "acronis-pipeline run --data"), (tables.CHAMPIONS, "from a copy")):
        spoil(Path(store.uri) / f"{table.name}.lance")
        with pytest.raises(
            DamagedTableError, match=rf"table {table.name} in .*lancedb is damaged .*{remedy}"
        ) as caught:
            Store(store.uri).read(table)
        assert caught.value.table == table.name
        assert "\n" not in str(caught.value)
        assert ".rs:" not in str(caught.value)


@pytest.mark.parametrize("spoil", DAMAGES)
def test_what_is_derived_is_dropped_and_what_is_not_stays(store: Store, spoil: Callable[[Path], None]) -> None:
    for table in (tables.CHUNKS, tables.CHAMPIONS):
        spoil(Path(store.uri) / f"{table.name}.lance")
    assert store.drop_damaged("chunks") == ("chunks", "page_blocks")
    assert store.read(tables.CHUNKS).num_rows == 0
    assert store.upsert(tables.CHUNKS, tables.CHUNKS.rows([{"chunk_id": "b"}])).inserted == 1
    assert store.drop_damaged("champions") == ()
    assert (Path(store.uri) / "champions.lance").is_dir()


def test_errors_are_translated_where_a_table_is_used(store: Store) -> None:
    table = store.open(tables.CHUNKS)
    shutil.rmtree(Path(store.uri) / "chunks.lance" / "data")
    with pytest.raises(DamagedTableError, match="table chunks"):
        table.search().select(["text"]).limit(5).to_arrow()


@pytest.mark.parametrize("where", ["nope = 1", "url = = 1", "url ="])
def test_a_condition_on_a_column_that_is_not_there_is_one_line(store: Store, where: str) -> None:
    for ask in (store.read, store.count):
        with pytest.raises(StoreError, match=r"table chunks in .* cannot be asked so: Invalid input") as caught:
            ask(tables.CHUNKS, where=where)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("lance error: LanceError(IO): write failed: No space left on device (os error 28), /x/a.rs:1:2"),
         "the disk is full; free space and run the command again"),
        (OSError(errno.EDQUOT, "Disk quota exceeded (os error 122)"), "the disk is full"),
        (RuntimeError("lance error: LanceError(IO): Permission denied (os error 13)"), "readable and writable"),
        (OSError(errno.EROFS, "Read-only file system (os error 30)"), "name another with --data"),
    ],
)  # fmt: skip
def test_a_disk_that_takes_nothing_is_told_from_damage(error: Exception, told: str) -> None:
    explained = damage.explain(error, "chunks", "/data/lancedb")
    assert explained is not None
    assert not isinstance(explained, DamagedTableError)
    assert f"table chunks in /data/lancedb cannot be {'written' if 'full' in told else 'used'}" in str(explained)
    assert told in str(explained)


def test_a_conflict_of_writers_and_a_mistake_of_ours_stay_what_they_are(store: Store) -> None:
    conflict = RuntimeError("lance error: Retryable commit conflict for version 7")
    assert damage.explain(conflict, "chunks", store.uri) is None
    assert damage.explain(ValueError("duplicate url"), "chunks", store.uri) is None


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "my data"
    for name in ("mlflow.db", "dagster/schedules/schedules.db"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with sqlite3.connect(folder / name) as database:
            database.execute("CREATE TABLE runs (id TEXT)")
    return folder


def raised_by(file: Path) -> Exception:
    """What a library makes of SQLite's error about a file."""
    try:
        try:
            sqlite3.connect(file).execute("SELECT * FROM runs").fetchall()
        except sqlite3.Error as error:
            raise RuntimeError("an INTERNAL_ERROR has occurred") from error
    except RuntimeError as error:
        return error
    raise AssertionError(f"{file} is sound")


@pytest.mark.parametrize("content", [b"\x9f" * 5000, b"SQLite format 3\x00" + b"\x00" * 20, b""])
@pytest.mark.parametrize(("name", "moved"), [("mlflow.db", "mlflow.db"), ("dagster/schedules/schedules.db", "dagster")])
def test_a_damaged_database_is_named_with_the_command_that_mends_it(
    data: Path, name: str, moved: str, content: bytes
) -> None:
    (data / name).write_bytes(content)
    told = faults.explain(raised_by(data / name), data)
    assert isinstance(told, DamagedDatabaseError)
    assert f"`mv '{data / moved}' '{data / moved}.damaged'`" in str(told)
    assert "\n" not in str(told)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "/data/models/x"),
            r"/data/models/x .* disk is full; free space",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), r"/data cannot be written: the disk is full"),
        (RuntimeError("(sqlite3.OperationalError) database or disk is full"), "disk is full"),
        (
            PermissionError(errno.EACCES, "Permission denied", "/data/reports/a"),
            r"/data/reports/a .*chmod -R u\+rwX /data",
        ),
        (OSError(errno.EROFS, "Read-only file system", "/data/reports/a"), "mount it writable.*--data"),
        (RuntimeError("(sqlite3.OperationalError) attempt to write a readonly database"), "--data"),
    ],
)
def test_a_full_or_read_only_disk_is_one_line(error: Exception, told: str) -> None:
    raised = RuntimeError("saving failed")
    raised.__cause__ = error
    with pytest.raises(OutputError, match=told) as caught, faults.explained(Path("/data")):
        raise raised
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("error", [ValueError("a bug"), OSError(errno.EACCES, "bind: no"), KeyError("x")])
def test_a_bug_keeps_its_traceback(error: Exception) -> None:
    assert faults.explain(error, Path("/data")) is None
