from pathlib import Path

import pytest

from acronis_pipeline import index
from acronis_pipeline.core.dataset import singletons
from acronis_pipeline.core.errors import EmptyCorpusError, IdentityMismatchError
from acronis_pipeline.encoders import DeferredEncoder, Encoder
from acronis_pipeline.store import Store, tables
from acronis_pipeline_tests.index.corpora import WordEncoder, chunk, identity_of_another_model, write_chunks

CORPUS = [chunk(f"c{n}", f"Passage number{n} about restoring backups") for n in range(30)]
TABLE = "passages_words"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "lancedb"))


def refresh(store: Store, encoder: Encoder | None = None) -> index.IndexResult:
    encoder = encoder or WordEncoder()
    return index.refresh(store, index.IndexedModel(TABLE, encoder))


def no_model() -> Encoder:
    raise AssertionError("the model was loaded although nothing had to be embedded")


def test_first_refresh_indexes_every_chunk(store: Store) -> None:
    write_chunks(store, CORPUS)
    result = refresh(store)
    assert (result.n_passages, result.added, result.embedded) == (30, 30, 30)
    assert store.count(TABLE) == 30
    assert result.size_bytes > 0


def test_unchanged_chunks_keep_the_version_and_load_no_model(store: Store) -> None:
    write_chunks(store, CORPUS)
    first = refresh(store)
    second = index.refresh(store, index.IndexedModel(TABLE, DeferredEncoder(WordEncoder().identity, no_model)))
    assert not second.changed
    assert (second.version, second.data_version) == (first.version, first.data_version)


def test_only_changed_passages_are_embedded_and_gone_ones_leave(store: Store) -> None:
    write_chunks(store, CORPUS)
    before = refresh(store)
    write_chunks(store, [*CORPUS[1:], chunk("new", "A passage that is new")])
    encoder = WordEncoder()
    after = refresh(store, encoder)
    assert (after.added, after.updated, after.removed, encoder.n_encoded_passages) == (1, 0, 1, 1)
    assert after.data_version != before.data_version


def test_new_title_of_a_known_passage_is_written_without_embedding(store: Store) -> None:
    write_chunks(store, CORPUS)
    refresh(store)
    write_chunks(store, [CORPUS[0] | {"title": "Renamed"}, *CORPUS[1:]])
    result = index.refresh(store, index.IndexedModel(TABLE, DeferredEncoder(WordEncoder().identity, no_model)))
    assert result.updated == 1
    assert store.read(tables.CONTENT.named(TABLE), where="title = 'Renamed'").num_rows == 1


def test_second_model_with_the_same_document_encoder_embeds_nothing(store: Store) -> None:
    write_chunks(store, CORPUS)
    refresh(store)
    adapted = WordEncoder("adapted")
    result = index.refresh(store, index.IndexedModel("passages_adapted", DeferredEncoder(adapted.identity, no_model)))
    assert (result.added, result.embedded) == (30, 0)
    assert index.read_identity(store, "passages_adapted") == adapted.identity


def test_identity_survives_upserts_and_index_maintenance(store: Store) -> None:
    write_chunks(store, CORPUS)
    refresh(store)
    for n in range(3):
        write_chunks(store, [*CORPUS[n:], chunk(f"new{n}", f"Another passage {n}")])
        refresh(store)
    store.open(TABLE).optimize()
    assert index.read_identity(store, TABLE) == WordEncoder().identity


def test_every_row_is_in_every_index_after_each_refresh(store: Store) -> None:
    write_chunks(store, CORPUS[:20])
    refresh(store)
    write_chunks(store, CORPUS)
    refresh(store)
    indexes = {part.columns[0]: part for part in store.open(TABLE).list_indices()}
    assert indexes.keys() == {"passage", "chunk_id", "url", "language"}
    assert all(part.num_unindexed_rows == 0 for part in indexes.values())


def test_build_interrupted_before_its_indexes_is_completed_by_the_next(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_chunks(store, CORPUS)
    with monkeypatch.context() as patch:
        patch.setattr("acronis_pipeline.index.lance_indexes.bring_up_to_date", interrupt)
        with pytest.raises(KeyboardInterrupt):
            refresh(store)
    assert not index.is_finished(store, TABLE)
    result = index.refresh(store, index.IndexedModel(TABLE, DeferredEncoder(WordEncoder().identity, no_model)))
    assert not result.changed
    assert index.is_finished(store, TABLE)


@pytest.mark.parametrize("condition", ["language = 'en'", "starts_with(url, 'https://docs.test/c1')"])
def test_filters_are_served_by_a_scalar_index(store: Store, condition: str) -> None:
    write_chunks(store, CORPUS)
    refresh(store)
    assert "ScalarIndexQuery" in store.open(TABLE).search().where(condition).limit(5).explain_plan(True)


def test_sizes_are_told_by_part(store: Store) -> None:
    write_chunks(store, CORPUS)
    result = refresh(store)
    indexes = {f"{column} index" for column in ("chunk_id", "url", "language", "passage")}
    assert result.part_bytes.keys() == {"rows", *indexes, "excerpts"}
    assert all(size > 0 for size in result.part_bytes.values())
    assert result.size_bytes == sum(result.part_bytes.values())


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_empty_chunks_leave_the_table_alone(store: Store) -> None:
    write_chunks(store, CORPUS)
    refresh(store)
    write_chunks(store, [])
    with pytest.raises(EmptyCorpusError, match="chunk the site first"):
        refresh(store)
    assert store.count(TABLE) == 30


def test_table_of_another_model_is_refused(store: Store) -> None:
    write_chunks(store, CORPUS)
    refresh(store)
    with pytest.raises(IdentityMismatchError, match="another"):
        index.refresh(store, index.IndexedModel(TABLE, DeferredEncoder(identity_of_another_model(), no_model)))


def test_loading_another_model_than_described_is_refused(store: Store) -> None:
    write_chunks(store, CORPUS)
    with pytest.raises(IdentityMismatchError, match="train it again"):
        index.refresh(
            store, index.IndexedModel(TABLE, DeferredEncoder(WordEncoder().identity, lambda: WordEncoder("other")))
        )


def test_table_without_identity_is_named(store: Store) -> None:
    store.create(tables.passages("stray", 4))
    with pytest.raises(IdentityMismatchError, match="stray"):
        index.read_identity(store, "stray")
    with pytest.raises(IdentityMismatchError, match="does not exist"):
        index.read_identity(store, "missing")


def test_corpus_of_a_file_is_indexed_without_a_chunks_table(store: Store) -> None:
    passages = singletons([("a", "First passage"), ("b", "Second passage"), ("copy", "First passage")])
    encoder = WordEncoder()
    index.refresh_from(store, index.IndexedModel(TABLE, encoder), index.passage_rows(passages))
    content = index.read_content(store, TABLE).to_pylist()
    assert {row["chunk_id"]: row["cluster_id"] for row in content} == {"a": "a", "b": "b", "copy": "a"}
