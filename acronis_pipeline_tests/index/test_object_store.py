"""The tables on an S3 server of our own, over loopback: built, refreshed, tagged and searched as in a folder."""

import logging
from collections.abc import Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer

from acronis_pipeline import index
from acronis_pipeline.champion import Contender, current_champion, pointer, promote
from acronis_pipeline.core.settings import Settings, load_settings
from acronis_pipeline.retrieve import Retriever, System
from acronis_pipeline.store import Store, open_store, tables
from acronis_pipeline_tests.index.corpora import WordEncoder, chunk, write_chunks

pytestmark = pytest.mark.server

CORPUS = [chunk(f"c{n}", f"Passage number{n} about restoring backups") for n in range(20)]
TABLE = "passages_words"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Address of an S3 server with an empty bucket."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    try:
        host, port = running.get_host_and_port()
        address = f"http://{host}:{port}"
        client = boto3.client(
            "s3", endpoint_url=address, region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="s"
        )
        client.create_bucket(Bucket="bucket")
        yield address
    finally:
        running.stop()


@pytest.fixture
def settings(server: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Settings:
    monkeypatch.setenv("ACRONIS_PIPELINE_LANCEDB_URI", f"s3://bucket/{request.node.name}")
    options = {"AWS_ENDPOINT": server, "AWS_REGION": "us-east-1", "ALLOW_HTTP": "true"}
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "geheim"}
    for name, value in (options | keys).items():
        monkeypatch.setenv(f"ACRONIS_PIPELINE_STORAGE_OPTIONS__{name}", value)
    return load_settings()


def refresh(store: Store) -> index.IndexResult:
    encoder = WordEncoder()
    return index.refresh(store, index.IndexedModel(TABLE, encoder))


def test_an_index_is_built_refreshed_and_searched_on_an_object_store(settings: Settings) -> None:
    store = open_store(settings)
    write_chunks(store, CORPUS)
    first = refresh(store)
    write_chunks(store, [*CORPUS[1:], chunk("new", "A passage about retention")])
    second = refresh(store)
    assert (first.added, second.added, second.removed, second.embedded) == (20, 1, 1, 1)
    assert second.n_unindexed == 0
    hits = Retriever(open_store(settings), System("base", "dense", TABLE), WordEncoder()).retrieve("retention", 1)
    assert [hit.chunk_id for hit in hits] == ["new"]


def test_tags_and_old_versions_work_on_an_object_store(settings: Settings) -> None:
    store = open_store(settings)
    write_chunks(store, CORPUS)
    version = refresh(store).version
    store.tag(TABLE, "champion", version)
    write_chunks(store, CORPUS[:5])
    refresh(store)
    reader = open_store(settings)
    assert reader.tags(TABLE) == {"champion": version}
    tagged = reader.open(TABLE)
    tagged.checkout("champion")
    assert (tagged.count_rows(), reader.count(TABLE)) == (20, 5)
    assert next(gone.table for gone in index.prune(store, set())) == TABLE


def test_the_champion_is_promoted_and_found_on_an_object_store(settings: Settings) -> None:
    store = open_store(settings)
    write_chunks(store, CORPUS)
    refresh(store)
    contender = Contender("query_adapter", System("bm25", "bm25", TABLE), None, "report")
    promoted = promote(store, contender, move="first", reason="the best", previous=None)
    pointer.mark(store, promoted)
    reader = open_store(settings)
    assert current_champion(reader) == promoted
    assert reader.tags(TABLE) == {pointer.TAG: reader.version(TABLE)}


def test_two_writers_of_one_new_key_leave_one_row_on_an_object_store(settings: Settings) -> None:
    """Commits are conditional PUTs: the second writer sees the first one's version and merges into it."""
    one, other = open_store(settings), open_store(settings)
    write_chunks(one, CORPUS[:1])
    handles = [store.open(tables.CHUNKS) for store in (one, other)]
    new = one.read(tables.CHUNKS).set_column(0, tables.CHUNKS.schema.field("chunk_id"), [["twice"]])
    for handle in handles:
        handle.merge_insert("chunk_id").when_matched_update_all().when_not_matched_insert_all().execute(new)
    assert other.count("chunks") == 2


def test_keys_do_not_show_in_printed_settings(settings: Settings) -> None:
    assert "geheim" not in repr(settings)
    assert "geheim" not in settings.model_dump_json()
    assert settings.store_options["aws_secret_access_key"] == "geheim"
