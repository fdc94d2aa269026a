from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from acronis_pipeline import index
from acronis_pipeline.core.dataset import singletons
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.core.settings import IndexSettings
from acronis_pipeline.encoders import Encoder, ModelIdentity, Windows
from acronis_pipeline.index import lance_indexes, passage_rows
from acronis_pipeline.index.lance_indexes import EXACT, SearchOptions, vector_index, write_search_options
from acronis_pipeline.store import Store

pytestmark = pytest.mark.slow

TABLE = "passages_spread"
APPROXIMATE = IndexSettings(ann_min_rows=500, vectors="int4", recall=0.98, keep_models=3)


class SpreadEncoder(Encoder):
    """A vector of its own for every text, seeded by the text."""

    def __init__(self) -> None:
        super().__init__(ModelIdentity("spread", digest("spread"), digest("spread"), 32, 256))

    def encode_passages(self, passages: Any) -> np.ndarray:
        vectors = np.array([np.random.default_rng(int(digest(text)[:8], 16)).normal(size=32) for text in passages])
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    encode_queries = encode_passages


def rows(n: int, first: int = 0) -> pa.Table:
    return passage_rows(singletons([(f"c{i}", f"Passage {i}") for i in range(first, first + n)]))


def refresh(store: Store, content: pa.Table, settings: IndexSettings = APPROXIMATE) -> index.IndexResult:
    encoder = SpreadEncoder()
    return index.refresh_from(store, index.IndexedModel(TABLE, encoder), content, settings)


@pytest.fixture(autouse=True)
def measured_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recall by a quarter of the queries: asking them one by one is nearly all that an index of this size costs."""
    monkeypatch.setattr(lance_indexes, "_N_SAMPLE", 25)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "lancedb"))


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows of the table at each build of a vector index."""
    counted: list[int] = []
    build = lance_indexes._vector_config

    def counting(settings: IndexSettings) -> Any:
        counted.append(1)
        return build(settings)

    monkeypatch.setattr(lance_indexes, "_vector_config", counting)
    return counted


def test_small_tables_are_searched_exactly(store: Store) -> None:
    result = refresh(store, rows(499))
    assert result.search == EXACT
    assert vector_index(store.open(TABLE)) is None


@pytest.mark.parametrize("kind", ["float32", "int8", "int4", "binary"])
def test_large_tables_get_an_index_that_finds_what_exact_search_finds(store: Store, kind: Any) -> None:
    result = refresh(store, rows(600), replace_kind(kind))
    assert result.search.index_type == lance_indexes._INDEX_TYPES[kind]
    assert result.search.recall_at_10 >= 0.98
    assert index.search_options(store.open(TABLE)) == result.search
    table = store.open(TABLE)
    query = SpreadEncoder().encode_passages(["Passage 77"])[0]
    search = table.search(query, vector_column_name="vector").distance_type("cosine")
    found = result.search.apply(search, 3).select(["chunk_id", "_distance"]).to_arrow()
    assert found.column("chunk_id").to_pylist()[0] == "c77"
    assert found.num_rows == 3


class TwoWindows(SpreadEncoder):
    """A vector for the whole of a text and one for its last word."""

    def __init__(self) -> None:
        super().__init__()
        windows = Windows(tokens=1, overlap=0, whole_share=0.5)
        self.identity = replace(self.identity, document_fingerprint=digest("two windows"), windows=windows)

    def cut(self, passages: Any) -> list[list[str]]:
        return [[passage, passage.split()[-1]] for passage in passages]


@pytest.mark.parametrize("kind", ["float32", "int8", "int4"])  # one bit a number finds too little among 32
def test_windows_are_indexed_from_a_tenth_of_the_passages_on(store: Store, kind: Any) -> None:
    encoder, settings = TwoWindows(), replace_kind(kind).model_copy(update={"ann_min_rows": 6000})
    few, enough = (index.refresh_from(store, index.IndexedModel(TABLE, encoder), rows(n), settings) for n in (599, 600))
    assert few.search == EXACT
    assert enough.search.index_type == lance_indexes._INDEX_TYPES[kind]
    assert enough.search.recall_at_10 >= 0.98
    table, query = store.open(TABLE), encoder.encode_windows(["Passage 77"]).of(0)[1]
    search = table.search(query, vector_column_name="vector").distance_type("cosine")
    found = enough.search.apply(search, 3).select(["chunk_id", "_distance"]).to_arrow()
    assert found.column("chunk_id").to_pylist()[0] == "c77"


def test_new_rows_are_folded_into_the_index_and_recall_is_measured_again(store: Store, trainings: list[int]) -> None:
    refresh(store, rows(600))
    result = refresh(store, rows(700))
    index_of_vectors = vector_index(store.open(TABLE))
    assert index_of_vectors is not None
    assert (index_of_vectors.num_indexed_rows, index_of_vectors.num_unindexed_rows) == (700, 0)
    assert (len(trainings), result.search.n_trained) == (1, 600)
    assert result.search.recall_at_10 >= 0.98


def test_unchanged_passages_keep_the_version_and_measure_nothing(
    store: Store, trainings: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = refresh(store, rows(600))
    monkeypatch.setattr(lance_indexes, "recall", lambda *_: pytest.fail("recall was measured"))
    second = refresh(store, rows(600))
    assert (second.version, second.search, len(trainings)) == (first.version, first.search, 1)


def test_partitions_are_made_anew_once_the_table_has_doubled(store: Store, trainings: list[int]) -> None:
    refresh(store, rows(600))
    assert refresh(store, rows(1200)).search.n_trained == 1200
    assert len(trainings) == 2


def test_another_kind_of_index_replaces_the_old_one(store: Store, trainings: list[int]) -> None:
    refresh(store, rows(600))
    assert refresh(store, rows(600), replace_kind("int8")).search.index_type == "IVF_SQ"
    assert len(trainings) == 2


def test_an_index_that_was_not_measured_is_built_again_and_searched_exactly_until_then(
    store: Store, monkeypatch: pytest.MonkeyPatch, trainings: list[int]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(lance_indexes, "_good_enough", interrupt)
        with pytest.raises(KeyboardInterrupt):
            refresh(store, rows(600))
    assert index.search_options(store.open(TABLE)) == EXACT
    assert refresh(store, rows(600)).search.index_type == "IVF_RQ_4"


def test_search_gets_harder_until_recall_is_good_enough(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = iter([0.90, 0.97, 0.985])
    monkeypatch.setattr(lance_indexes, "recall", lambda *_: next(measured))
    search = refresh(store, rows(600)).search
    assert (search.nprobes, search.n_refined, search.recall_at_10) == (40, 200, 0.985)


def test_recall_that_stays_low_is_noted_for_the_check(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lance_indexes, "recall", lambda *_: 0.7)
    refresh(store, rows(600))
    assert index.search_options(store.open(TABLE)).recall_at_10 < index.MIN_RECALL


def test_search_options_stay_through_merges_and_compaction(store: Store) -> None:
    refresh(store, rows(300))
    table, options = store.open(TABLE), SearchOptions(False, "IVF_SQ", 40, 200, 0.99, 300)
    write_search_options(table, options)
    refresh(store, rows(310, first=5))
    store.open(TABLE).optimize()
    assert index.search_options(store.open(TABLE)) == options


@pytest.mark.parametrize(("depth", "factor"), [(10, 20), (200, 1), (150, 2), (500, 1)])
def test_the_same_number_of_neighbours_is_re_ranked_at_any_depth(depth: int, factor: int) -> None:
    query = RecordingQuery()
    SearchOptions(False, "IVF_RQ_4", 20, 200).apply(query, depth)
    assert query.calls == {"limit": depth, "minimum_nprobes": 20, "maximum_nprobes": 0, "refine_factor": factor}


class RecordingQuery:
    """Stands in for LanceDB's query builder, whose settings cannot be read back."""

    def __init__(self) -> None:
        self.calls: dict[str, int] = {}

    def __getattr__(self, name: str) -> Any:
        def call(value: int) -> "RecordingQuery":
            self.calls[name] = value
            return self

        return call


def replace_kind(kind: Any) -> IndexSettings:
    return APPROXIMATE.model_copy(update={"vectors": kind})


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt
