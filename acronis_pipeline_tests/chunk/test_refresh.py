from pathlib import Path

import pytest

from acronis_pipeline.chunk import ChunkResult, refresh, table
from acronis_pipeline.chunk.packing import TooCostlyError
from acronis_pipeline.chunk.pages import TOO_COSTLY, refusal
from acronis_pipeline.core.errors import EmptyCorpusError, SettingsError
from acronis_pipeline.core.settings import ChunkSettings
from acronis_pipeline.store import Store, tables
from acronis_pipeline_tests.chunk.builders import SITE, budget, content_of, counter, html_page, put_pages

OPTIONS = budget(256)
RESTORE = html_page(
    "<h1>Restore</h1><p>Boot the media and pick the backup to restore.</p><h2>Limits</h2><p>64 TB a disk.</p>"
)
PLANS = html_page("<h1>Plans</h1><p>Plans run every night and keep thirty versions of a file.</p>")
NOTICE = (
    "Before you begin, make sure that the agent is installed, that the machine is online, that the account may manage "
    "backups, and that the vault has enough free space for at least one full backup of every disk of the machine."
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(str(tmp_path / "lancedb"))
    put_pages(store, {"restore": RESTORE, "plans": PLANS})
    return store


def run(store: Store, options: ChunkSettings = OPTIONS) -> ChunkResult:
    return refresh(store, options, counter())


def rows(store: Store) -> list[dict]:
    found = store.read(tables.CHUNKS).to_pylist()
    return sorted(found, key=lambda row: (row["url"], row["ordinal"]))


def test_passages_longer_than_the_encoder_reads_are_refused_before_anything_is_split(store: Store):
    with pytest.raises(SettingsError, match=r"1024: .* 512 tokens .*CHUNK__MAX_TOKENS"):
        refresh(store, budget(1024), counter(), encoder_tokens=512)
    assert not store.exists(tables.CHUNKS)
    whole_pages = ChunkSettings.model_validate({"strategy": "page", "max_tokens": 1024})
    assert refresh(store, whole_pages, counter(), encoder_tokens=512).n_chunks == 2


def test_live_pages_become_chunks(store: Store):
    result = run(store)
    assert (result.n_pages, result.n_chunks, result.pages_chunked, result.added) == (2, 3, 2, 3)
    assert [(row["url"], row["title"], row["heading_path"]) for row in rows(store)] == [
        (SITE + "plans", "Plans", []),
        (SITE + "restore", "Restore", []),
        (SITE + "restore", "Restore", ["Limits"]),
    ]
    assert {row["language"] for row in rows(store)} == {"en"}
    assert result.table_version == store.version(tables.CHUNKS)


def test_nothing_changed_makes_no_version(store: Store):
    first = run(store)
    second = run(store)
    assert second.table_version == first.table_version
    assert second.data_version == first.data_version
    assert (second.pages_chunked, second.added, second.removed, second.kept) == (0, 0, 0, 3)


def test_only_a_changed_page_is_split_again(store: Store):
    run(store)
    kept = next(row for row in rows(store) if row["url"] == SITE + "plans")
    put_pages(store, {"restore": RESTORE.replace("64 TB", "128 TB")})
    result = run(store)
    assert (result.pages_chunked, result.added, result.removed, result.kept) == (1, 1, 1, 2)
    assert kept in rows(store)
    assert [row["text"] for row in rows(store)][-1] == "128 TB a disk."


def test_a_page_that_is_gone_takes_its_chunks_along(store: Store):
    first = run(store)
    put_pages(store, {"restore": RESTORE}, gone=("restore",))
    result = run(store)
    assert {row["url"] for row in rows(store)} == {SITE + "plans"}
    assert (result.removed, result.pages_chunked) == (2, 0)
    assert result.data_version != first.data_version
    assert result.table_version == first.table_version + 1


def test_other_options_split_every_page_again(store: Store):
    run(store)
    assert run(store, budget(64)).pages_chunked == 2


def test_cluster_of_an_untouched_chunk_follows_its_new_duplicates(store: Store):
    put_pages(store, {"m": html_page(f"<h1>Mail</h1><p>{NOTICE}</p>")})
    run(store)
    put_pages(
        store, {"a": html_page(f"<h1>Agents</h1><p>{NOTICE}</p>"), "b": html_page(f"<h1>Disks</h1><p>{NOTICE}</p>")}
    )
    result = run(store)
    members = [row for row in rows(store) if row["text"] == NOTICE]
    assert {row["cluster_id"] for row in members} == {min(row["chunk_id"] for row in members)}
    assert (result.duplicates, result.n_clusters, result.pages_chunked) == (3, 4, 2)
    put_pages(store, {"a": html_page(""), "b": html_page("")}, gone=("a", "b"))
    run(store)
    (alone,) = [row for row in rows(store) if row["text"] == NOTICE]
    assert alone["cluster_id"] == alone["chunk_id"]


def test_pages_without_passages_are_counted_by_reason(store: Store):
    put_pages(
        store,
        {
            "empty": "<html><body></body></html>",
            "stub": html_page("<h1>Section</h1><p>See below.</p>"),
            "lost": html_page("<h1>Page not found</h1><p>Sorry, we could not find that page. Try the search.</p>"),
        },
    )
    result = run(store)
    assert result.dropped == {"empty": 1, "stub": 1, "soft 404": 1}
    assert result.n_pages == 5


def test_corpus_without_a_passage_is_an_error_and_keeps_the_table(store: Store):
    run(store)
    before, version = rows(store), store.version(tables.CHUNKS)
    put_pages(store, {"restore": html_page(""), "plans": html_page("")})
    with pytest.raises(EmptyCorpusError, match=r"none of 2 live pages .*2 empty.*site\.content_selector"):
        run(store)
    assert (rows(store), store.version(tables.CHUNKS)) == (before, version)


def test_store_without_pages_is_an_error(tmp_path: Path):
    with pytest.raises(EmptyCorpusError, match="no live page"):
        run(Store(str(tmp_path)))


def test_language_is_guessed_where_the_page_does_not_say(tmp_path: Path):
    store = Store(str(tmp_path))
    body = "<h1>Sicherung</h1><p>Die Sicherung wird jede Nacht ausgeführt und behält dreißig Versionen jeder Datei.</p>"
    put_pages(store, {"de": html_page(body, language=None)})
    run(store)
    assert rows(store)[0]["language"] == "de"


def test_order_of_the_pages_does_not_matter(tmp_path: Path):
    versions = set()
    for name, order in (("one", ["restore", "plans"]), ("two", ["plans", "restore"])):
        store = Store(str(tmp_path / name))
        for path in order:
            put_pages(store, {path: {"restore": RESTORE, "plans": PLANS}[path]})
            versions.add(run(store).data_version) if path == order[-1] else run(store)
    assert len(versions) == 1


def test_rows_have_the_contract_types(store: Store):
    run(store)
    assert tables.CHUNKS.rows(rows(store)).schema.names == tables.CHUNKS.schema.names
    assert all(row["page_key"] and row["cluster_id"] for row in rows(store))


@pytest.mark.parametrize(
    ("title", "reason"),
    [
        ("404", "soft 404"),
        ("404 - Not found", "soft 404"),
        ("Page Not Found", "soft 404"),
        ("This page doesn’t exist", "soft 404"),
        ("Error 404 while browsing backups", None),
        ("Access denied", "soft 404"),
        ("Files not found during a backup", None),
    ],
)
def test_only_whole_titles_of_error_pages_count(title: str, reason: str | None):
    assert refusal(content_of(f"<h1>{title}</h1><p>Check the address, then try the search again.</p>")) == reason


def test_page_that_is_too_costly_to_split_is_dropped_with_a_reason(monkeypatch):
    monkeypatch.setattr(table, "chunk_page", _too_costly)
    page = content_of("Some words that are enough to be a page of their own.")
    assert table._rows(page, "https://docs.example.com/x", frozenset(), ChunkSettings(), counter()) == TOO_COSTLY


def _too_costly(*_):
    raise TooCostlyError
