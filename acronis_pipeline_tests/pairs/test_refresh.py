from dataclasses import replace

import pytest

from acronis_pipeline import pairs
from acronis_pipeline.core.errors import EmptyCorpusError
from acronis_pipeline.core.settings import LlmSettings, PairSettings
from acronis_pipeline.pairs import filters, gold, splits
from acronis_pipeline.store import Store, quoted, tables
from acronis_pipeline_tests.pairs.builders import chunk, site, write_chunks

OPTIONS = PairSettings()  # pyright: ignore[reportCallIssue]
NO_LLM = LlmSettings()  # pyright: ignore[reportCallIssue]


def test_a_first_refresh_keeps_pairs_in_every_split_without_a_leak(store: Store):
    write_chunks(store, site(40))
    result = pairs.refresh(store, OPTIONS, NO_LLM)
    assert set(result.by_split) == {"train", "validation", "test"}
    assert result.pages_by_split == {"train": 20, "test": 12, "validation": 8}
    assert result.added == result.n_kept + result.n_rejected
    assert result.by_generator == {"structural": result.n_kept}
    assert splits.leaks(store) == []
    assert store.count(tables.PAIRS, "status = 'rejected' AND reject_reason IS NULL") == 0
    assert store.count(tables.PAIRS, "status = 'kept' AND reject_reason IS NOT NULL") == 0
    assert {example.style for example in result.examples} <= set(result.by_style)


def test_a_gold_question_is_never_a_pair(store: Store):
    write_chunks(store, site(20))
    pairs.refresh(store, OPTIONS, NO_LLM)
    asked = pairs.load_dataset(store).train[0].query
    gold.sync(store, (gold.GoldQuestion("g", asked.upper() + "?"),))
    assert [leak for leak in splits.leaks(store) if "gold question" in leak]
    pairs.refresh(store, OPTIONS, NO_LLM)
    assert splits.leaks(store) == []
    rejected = store.read(tables.PAIRS, where=f"query = {quoted(asked)}").to_pylist()
    assert {row["reject_reason"] for row in rejected} == {filters.ASKED_BY_PEOPLE}


def test_a_second_refresh_writes_nothing(store: Store):
    write_chunks(store, site(20))
    first = pairs.refresh(store, OPTIONS, NO_LLM)
    second = pairs.refresh(store, OPTIONS, NO_LLM)
    assert (second.table_version, second.data_version) == (first.table_version, first.data_version)
    assert (second.added, second.removed, second.kept_unchanged) == (0, 0, first.added)


def test_only_changed_pages_change_their_pairs(store: Store):
    before = site(20)
    write_chunks(store, before)
    first = pairs.refresh(store, OPTIONS, NO_LLM)
    ids_before = set(store.read(tables.PAIRS).column("pair_id").to_pylist())
    new = chunk("You can pause the ransomware monitor by opening its menu.", url=before[4].url, title="About monitors")
    write_chunks(store, [*before[:4], new, *before[5:]])
    second = pairs.refresh(store, OPTIONS, NO_LLM)
    rows = store.read(tables.PAIRS).to_pylist()
    assert second.data_version != first.data_version
    assert {row["chunk_ids"][0] for row in rows if row["pair_id"] not in ids_before} == {new.chunk_id}
    assert before[4].chunk_id not in {chunk_id for row in rows for chunk_id in row["chunk_ids"]}
    assert second.removed > 0


def test_a_page_that_becomes_a_near_duplicate_of_a_test_page_is_no_longer_trained_on(store: Store):
    chunks = site(20)
    write_chunks(store, chunks)
    pairs.refresh(store, OPTIONS, NO_LLM)
    split_of = {row["url"]: row["split"] for row in store.read(tables.PAGE_SPLITS).to_pylist()}
    train = next(url for url, split in split_of.items() if split == "train")
    test = next(url for url, split in split_of.items() if split == "test")
    cluster_of = {part: c.cluster_id for c in chunks if c.url == test for part in [c.ordinal]}
    write_chunks(store, [replace(c, cluster_id=cluster_of[c.ordinal]) if c.url == train else c for c in chunks])
    pairs.refresh(store, OPTIONS, NO_LLM)
    assert splits.leaks(store) == []
    assert store.count(tables.PAIRS, f"url = '{train}' AND status = 'kept'") == 0
    assert store.count(tables.PAIRS, f"url = '{test}' AND status = 'kept'") > 0


def test_changed_options_judge_known_candidates_again_without_asking_again(store: Store):
    write_chunks(store, site(12))
    first = pairs.refresh(store, OPTIONS, NO_LLM)
    stricter = pairs.refresh(store, OPTIONS.model_copy(update={"max_copy_rate": 0.1}), NO_LLM)
    assert stricter.n_kept < first.n_kept
    assert (stricter.added, stricter.removed) == (0, 0)


def test_no_chunks_is_an_error_that_leaves_the_pairs_alone(store: Store):
    with pytest.raises(EmptyCorpusError, match="no chunks"):
        pairs.refresh(store, OPTIONS, NO_LLM)
    write_chunks(store, [chunk("See.", title="Overview")])
    with pytest.raises(EmptyCorpusError, match="was kept"):
        pairs.refresh(store, OPTIONS, NO_LLM)
    assert not store.exists(tables.PAIRS)


def test_the_dataset_holds_all_passages_and_the_kept_pairs(store: Store):
    write_chunks(store, site(20))
    result = pairs.refresh(store, OPTIONS, NO_LLM)
    dataset = pairs.load_dataset(store)
    assert len(dataset.passages) == 40
    counts = {split: len(getattr(dataset, split)) for split in ("train", "validation", "test")}
    assert counts == result.by_split
    passages = dataset.by_id
    for question in (*dataset.train, *dataset.validation, *dataset.test):
        assert question.group == passages[question.chunk_ids[0]].url


def test_without_pairs_there_is_no_dataset(store: Store):
    with pytest.raises(EmptyCorpusError, match="materialize synthetic_pairs"):
        pairs.load_dataset(store)
