import datetime as dt
import subprocess
import sys
import time

import pyarrow as pa
import pytest

from acronis_pipeline import store as store_module
from acronis_pipeline.core.errors import StoreError
from acronis_pipeline.store import Store, quoted, tables

TABLE = tables.PAGE_SPLITS.named("splits")


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(str(tmp_path / "lancedb"))


def rows(**split_of_url: str) -> pa.Table:
    return tables.PAGE_SPLITS.rows([{"url": url, "split": split} for url, split in split_of_url.items()])


def splits(store: Store) -> dict[str, str]:
    return {row["url"]: row["split"] for row in store.read(TABLE).to_pylist()}


def test_table_that_does_not_exist_reads_as_no_rows(store):
    assert store.read(TABLE).num_rows == 0
    assert store.version(TABLE) == 0


def test_sync_writes_only_differences(store):
    store.sync(TABLE, rows(a="train", b="train", c="test"))
    written = store.sync(TABLE, rows(a="train", b="test", d="test"))
    assert (written.inserted, written.updated, written.deleted) == (1, 1, 1)
    assert splits(store) == {"a": "train", "b": "test", "d": "test"}


def test_sync_of_the_same_rows_makes_no_version(store):
    before = store.sync(TABLE, rows(a="train"))
    after = store.sync(TABLE, rows(a="train"))
    assert not after.changed
    assert after.version == before.version


def test_sync_within_a_scope_leaves_other_rows_alone(store):
    store.sync(TABLE, rows(a="train", b="test"))
    store.sync(TABLE, rows(c="test"), scope="split = 'test'")
    assert splits(store) == {"a": "train", "c": "test"}


def test_sync_to_nothing_empties_the_table(store):
    store.sync(TABLE, rows(a="train"))
    assert store.sync(TABLE, rows()).deleted == 1
    assert splits(store) == {}


def test_two_rows_with_one_key_are_refused(store):
    twice = pa.concat_tables([rows(a="train"), rows(a="test")])
    with pytest.raises(ValueError, match="duplicate url"):
        store.upsert(TABLE, twice)


def test_reads_more_than_the_ten_rows_that_lancedb_answers_by_default(store):
    store.upsert(TABLE, rows(**{f"page{i}": "train" for i in range(57)}))
    assert store.read(TABLE).num_rows == 57


@pytest.mark.server
def test_another_process_sees_the_last_version_and_two_handles_do_not_duplicate_a_key(store):
    other = Store(store.uri)
    other.upsert(TABLE, rows(a="train"))
    script = (
        "import sys\n"
        "from acronis_pipeline.store import Store\n"
        "from acronis_pipeline.store.tables import PAGE_SPLITS\n"
        "new = PAGE_SPLITS.rows([{'url': 'b', 'split': 'test'}])\n"
        f"Store(sys.argv[1]).upsert(PAGE_SPLITS.named({TABLE.name!r}), new)\n"
    )
    subprocess.run([sys.executable, "-c", script, store.uri], check=True, timeout=60)
    store.upsert(TABLE, rows(b="train"))
    assert other.read(TABLE).num_rows == 2
    assert splits(other) == {"a": "train", "b": "train"}


def test_quotes_in_values_are_data(store):
    hostile = "it's' OR 1=1"
    store.upsert(TABLE, rows(**{hostile: "train", "b": "train"}))
    found = store.read(TABLE, where=f"url = {quoted(hostile)}")
    assert found.column("url").to_pylist() == [hostile]


def test_what_is_written_once_stays_as_it_was(store):
    store.add_missing(TABLE, rows(a="train"))
    written = store.add_missing(TABLE, rows(a="test", b="test"))
    assert written.inserted == 1
    assert splits(store) == {"a": "train", "b": "test"}


def test_rows_are_deleted_by_key_and_unknown_keys_are_ignored(store):
    version = store.upsert(TABLE, rows(a="train", b="test")).version
    store.delete(TABLE, [])
    assert store.version(TABLE) == version
    store.delete(TABLE, ["a", "unknown"])
    assert splits(store) == {"b": "test"}


def test_a_table_of_an_older_version_is_an_error_with_a_remedy(store):
    store.create(TABLE.without("assigned_at"))
    for use in (lambda: store.read(TABLE), lambda: store.upsert(TABLE, rows(a="train"))):
        with pytest.raises(StoreError, match=r"table splits in .* has no column assigned_at.*--data DIR"):
            use()
    assert store.read(TABLE, columns=["url"]).num_rows == 0


def test_compaction_keeps_rows_and_spares_tagged_versions_and_all_after_them(store, monkeypatch):
    monkeypatch.setattr(store_module, "KEEP_VERSIONS_FOR", dt.timedelta(milliseconds=1))
    monkeypatch.setattr(store_module, "_MARGIN", dt.timedelta(seconds=1))  # a busy machine may take half of that
    for n in range(20):
        if n == 3:
            time.sleep(1.1)
        store.upsert(TABLE, rows(**{f"page{n}": "train"}))
    store.tag(TABLE, "serving", 5)
    store.compact(TABLE)
    versions = [entry["version"] for entry in store.open(TABLE).list_versions()]
    assert versions[0] in (4, 5)
    assert len(versions) > 16
    store.untag(TABLE, "serving")
    for n in range(16):
        store.upsert(TABLE, rows(**{f"more{n}": "train"}))
    store.compact(TABLE)
    assert len(store.open(TABLE).list_versions()) <= 2
    assert store.count(TABLE) == 36


def test_a_tag_is_set_moved_and_taken_away(store):
    first = store.upsert(TABLE, rows(a="train")).version
    second = store.upsert(TABLE, rows(b="train")).version
    store.tag(TABLE, "champion", first)
    assert store.tags(TABLE) == {"champion": first}
    store.tag(TABLE, "champion")
    assert store.tags(TABLE) == {"champion": second}
    store.untag(TABLE, "champion")
    store.untag(TABLE, "champion")
    assert store.tags(TABLE) == store.tags("unknown") == {}


def test_tagging_a_version_that_is_gone_says_so(store):
    store.upsert(TABLE, rows(a="train"))
    with pytest.raises(StoreError, match="no version 99 to call champion"):
        store.tag(TABLE, "champion", 99)


def test_a_database_that_does_not_answer_is_an_error_with_a_remedy():
    options = {"aws_endpoint": "http://127.0.0.1:9", "aws_access_key_id": "key", "aws_secret_access_key": "geheim"}
    with pytest.raises(StoreError, match=r"s3://bucket/db cannot be opened .*storage_options") as caught:
        Store("s3://bucket/db", options | {"aws_region": "us-east-1", "client_retry_timeout": "1"})
    assert "geheim" not in str(caught.value)


def test_a_table_with_few_versions_is_left_alone(store):
    version = store.upsert(TABLE, rows(a="train")).version
    store.compact(TABLE)
    store.compact("unknown")
    assert store.version(TABLE) == version


@pytest.mark.parametrize("name", ["with space", "jürgen", "C#", "100%", "a%41b", "日本"])
def test_a_folder_of_any_name_keeps_its_tags_and_leaves_nothing_beside_it(tmp_path, name):
    store = Store(str(tmp_path / name / "lancedb"))
    version = store.upsert(TABLE, rows(a="train")).version
    store.tag(TABLE, "champion")
    store.upsert(TABLE, rows(b="train"))
    assert Store(store.uri).tags(TABLE) == {"champion": version}
    store.tag(TABLE, "champion")
    store.untag(TABLE, "champion")
    assert (store.tags(TABLE), store.names()) == ({}, ["splits"])
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert [path.name for path in (tmp_path / name).iterdir()] == ["lancedb"]
    assert (tmp_path / name / "lancedb" / "splits.lance").is_dir()


def test_a_database_of_a_newer_version_is_refused_with_a_remedy(store, monkeypatch):
    store.upsert(TABLE, rows(a="train"))
    with monkeypatch.context() as later:
        later.setattr("acronis_pipeline.store.MIGRATIONS", (lambda store: None,))
        Store(store.uri)
    with pytest.raises(StoreError, match=r"lancedb has schema version 2, .* up to 1: update .*--data DIR") as caught:
        Store(store.uri)
    assert "\n" not in str(caught.value)


def test_a_database_of_an_older_version_is_migrated_once(store, monkeypatch):
    store.upsert(TABLE, rows(a="train"))
    monkeypatch.setattr("acronis_pipeline.store.MIGRATIONS", (lambda store: store.append(TABLE, rows(new="test")),))
    for _ in range(2):
        assert splits(Store(store.uri)) == {"a": "train", "new": "test"}
    assert Store(store.uri).names() == ["splits"]


def test_paths_below_the_folder_move_with_it(tmp_path):
    here, folder = Store(str(tmp_path / "here/lancedb")), tmp_path / "here/models/full/0123"
    there = Store(str(tmp_path / "there/lancedb"))
    moved, elsewhere = tmp_path / "there/models/full/0123", tmp_path / "exports/full"
    assert here.portable(folder) == "models/full/0123"
    assert there.placed(here.portable(folder)) == moved
    assert there.placed(here.portable(elsewhere)) == elsewhere
    assert there.placed(str(folder)) == folder  # as earlier versions wrote it, and nothing stands here
    moved.mkdir(parents=True)
    assert there.placed(str(folder)) == moved
    assert there.placed(str(elsewhere)) == elsewhere
