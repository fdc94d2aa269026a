import datetime as dt
from pathlib import Path

import pytest

from acronis_pipeline import index
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.encoders import ModelIdentity
from acronis_pipeline.index import excerpts, pruning
from acronis_pipeline.store import Store, tables
from acronis_pipeline_tests.index.corpora import DIMENSION, WordEncoder, chunk, write_chunks

CORPUS = [chunk(f"c{n}", f"Passage number{n}") for n in range(30)]


class Model(WordEncoder):
    """A word encoder under another name on its document side too, so that it has a cache of its own."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.identity = ModelIdentity(name, digest(name), digest("document", name), DIMENSION, 256)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(str(tmp_path / "lancedb"))
    write_chunks(store, CORPUS)
    return store


def refresh(store: Store, model: WordEncoder, table: str) -> None:
    index.refresh(store, index.IndexedModel(table, model))


def cache(model: WordEncoder) -> str:
    return tables.vectors_name(model.identity.document_fingerprint)


def test_the_tables_of_current_models_and_of_the_last_promotions_stay() -> None:
    promoted = ["oldest", "older", "old", "older", "newest"]
    assert index.tables_in_use({"current", "base"}, promoted, 2) == {"current", "base", "newest", "older", "old"}
    assert index.tables_in_use([], [], 3) == set()


def test_a_table_that_nobody_needs_goes_with_its_vectors_and_with_what_was_compared_to_it(store: Store) -> None:
    old, new, endpoint = Model("old"), Model("new"), Model("endpoint")
    refresh(store, old, "passages_old")
    refresh(store, new, "passages_new")
    refresh(store, endpoint, "passages_external_1_of_passages_old")
    refresh(store, endpoint, "passages_external_1_of_passages_new")
    dropped = index.prune(store, {"passages_new"})
    assert [gone.table for gone in dropped] == ["passages_external_1_of_passages_old", "passages_old", cache(old)]
    assert all(gone.rows == 30 and gone.size_bytes > 0 for gone in dropped)
    assert set(store.names()) == {
        *("chunks", "passages_new", "passages_external_1_of_passages_new"),
        *("excerpts_of_passages_new", "excerpts_of_passages_external_1_of_passages_new"),
        *(cache(new), cache(endpoint)),
    }


def test_excerpts_of_a_table_that_a_killed_build_never_came_to_go(store: Store) -> None:
    model = Model("new")
    refresh(store, model, "passages_new")
    excerpts.bring_in_step(store, "passages_killed", index.read_content(store, "passages_new"))
    (gone,) = index.prune(store, {"passages_new"})
    assert gone.table == "excerpts_of_passages_killed"
    assert gone.rows > 0
    assert not store.exists("excerpts_of_passages_killed")
    assert store.exists("excerpts_of_passages_new")


def test_vectors_that_a_kept_model_shares_stay(store: Store) -> None:
    refresh(store, WordEncoder("old"), "passages_old")
    refresh(store, WordEncoder("adapted"), "passages_new")
    assert [gone.table for gone in index.prune(store, {"passages_new"})] == ["passages_old"]
    assert store.count(cache(WordEncoder())) == 30


def test_vectors_of_passages_long_gone_leave_a_cache_that_holds_more_of_them_than_others(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "_SPARE_VECTORS", 10)
    refresh(store, WordEncoder(), "passages_words")
    write_chunks(store, [chunk(f"new{n}", f"Other passage {n}") for n in range(18)])
    refresh(store, WordEncoder(), "passages_words")
    (shrunk,) = index.prune(store, {"passages_words"})
    assert (shrunk.table, shrunk.rows, store.count(shrunk.table)) == (cache(WordEncoder()), 30, 18)
    assert index.prune(store, {"passages_words"}) == []


def test_a_tagged_table_in_use_is_compacted_and_its_tagged_version_still_reads(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh(store, WordEncoder(), "passages_words")
    store.tag("passages_words", "champion")
    for n in range(6):
        write_chunks(store, [*CORPUS[n + 1 :], chunk(f"new{n}", f"Another passage {n}")])
        refresh(store, WordEncoder(), "passages_words")
    monkeypatch.setattr("acronis_pipeline.store.KEEP_VERSIONS_FOR", dt.timedelta(0))
    index.prune(store, {"passages_words"})
    tagged = store.open("passages_words")
    tagged.checkout("champion")
    assert tagged.count_rows() == 30
    assert store.count("passages_words") == 25
