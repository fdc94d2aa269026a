"""Pairs from outside in the pipeline's own table."""

from pathlib import Path

import pytest

from acronis_pipeline import schemas
from acronis_pipeline.errors import DatasetError
from acronis_pipeline.pairs import beir, exporting, imported, labelled_datasets, llama_index, refresh
from acronis_pipeline.pairs.labelled import LabelledData, LabelledPassage, LabelledQuery
from acronis_pipeline.settings import LlmSettings, PairSettings
from acronis_pipeline.store import Store
from acronis_pipeline_tests.pairs.builders import chunk, site, write_chunks

STRUCTURAL = PairSettings()  # pyright: ignore[reportCallIssue]
IMPORTED = PairSettings(generator="imported")  # pyright: ignore[reportCallIssue]
LLM = LlmSettings()  # pyright: ignore[reportCallIssue]


def kept(store: Store) -> set[tuple[str, str, tuple[str, ...]]]:
    rows = store.read("pairs", schemas.PAIRS, where="status = 'kept'").to_pylist()
    return {(row["query"], row["split"], tuple(sorted(row["chunk_ids"]))) for row in rows}


def removed_sentences(store: Store) -> set[tuple[str, str]]:
    rows = store.read("pairs", schemas.PAIRS, where="status = 'kept'").to_pylist()
    return {(row["query"], row["removed"]) for row in rows if row["removed"]}


@pytest.mark.parametrize("layout", [llama_index, beir])
def test_what_is_exported_and_imported_elsewhere_is_the_same(store: Store, tmp_path: Path, layout):
    chunks = site(30)
    write_chunks(store, chunks)
    refresh(store, STRUCTURAL, LLM)
    layout.write_folder(exporting.labelled(store), tmp_path / "set")
    other = Store(str(tmp_path / "other"))
    write_chunks(other, chunks)
    taken = imported.take_in(other, labelled_datasets.read(tmp_path / "set"), source="set")
    assert (taken.n_pairs, taken.unmatched) == (len(kept(store)), ())
    refresh(other, IMPORTED, LLM)
    assert kept(other) == kept(store)
    assert removed_sentences(other) == removed_sentences(store) != set()
    layout.write_folder(exporting.labelled(other), tmp_path / "again")
    first, again = (labelled_datasets.read(tmp_path / name) for name in ("set", "again"))
    assert again.corpus == first.corpus
    assert {query.text for query in again.queries.values()} == {query.text for query in first.queries.values()}


def one(query: str, **corpus: str) -> LabelledData:
    return LabelledData(
        {"q": LabelledQuery(query, dict.fromkeys(corpus, 1))}, {key: LabelledPassage(t) for key, t in corpus.items()}
    )


LONG = "The agent keeps thirty daily copies of every machine and deletes the oldest one after each backup has finished."


def test_a_passage_that_another_tool_cut_elsewhere_is_found_by_its_words(store: Store):
    chunks = [*site(30), chunk(LONG, url="https://docs.example/kept", title="Retention")]
    write_chunks(store, chunks)
    data = one("For how long do you keep my data?", node_1=f"Intro of a page. {LONG.upper()}")
    assert imported.take_in(store, data, source="nodes").n_matched == 1
    refresh(store, IMPORTED, LLM)
    assert {(query, ids) for query, _, ids in kept(store)} == {
        ("For how long do you keep my data?", (chunks[-1].chunk_id,))
    }


def test_every_passage_that_answers_is_gold(store: Store):
    chunks = site(30)
    write_chunks(store, chunks)
    data = one("What is kept where?", first=chunks[0].passage, second=chunks[1].text)
    imported.take_in(store, data, source="two")
    refresh(store, IMPORTED, LLM)
    assert {ids for _, _, ids in kept(store)} == {tuple(sorted((chunks[0].chunk_id, chunks[1].chunk_id)))}
    assert not refresh(store, IMPORTED, LLM).added  # nor does a second refresh forget one


def test_a_pair_whose_passage_went_is_counted_and_comes_back_with_it(store: Store):
    chunks = site(30)
    write_chunks(store, chunks)
    data = LabelledData(
        {str(n): LabelledQuery(f"What about thing number {n}?", {str(n): 1}) for n in range(2)},
        {str(n): LabelledPassage(chunks[n * 2].passage) for n in range(2)},
    )
    imported.take_in(store, data, source="two")
    write_chunks(store, chunks[1:])
    result = refresh(store, IMPORTED, LLM)
    assert (result.n_kept, result.failures) == (1, {imported.NOT_FOUND: 1})
    write_chunks(store, chunks)
    assert refresh(store, IMPORTED, LLM).n_kept == 2


def test_importing_a_collection_again_replaces_it(store: Store):
    chunks = site(30)
    write_chunks(store, chunks)
    imported.take_in(store, one("What is the old one?", c=chunks[0].passage), source="mine")
    taken = imported.take_in(store, one("What is the new one?", c=chunks[0].passage), source="mine")
    imported.take_in(store, one("What is another's one?", c=chunks[0].passage), source="theirs")
    rows = store.read(imported.TABLE, schemas.IMPORTED_PAIRS).to_pylist()
    assert taken.n_new == 1
    assert {(row["source"], row["query"]) for row in rows} == {
        ("mine", "What is the new one?"),
        ("theirs", "What is another's one?"),
    }


def test_pairs_of_another_corpus_are_refused(store: Store):
    data = one("Who?", c="Nothing of this stands on the site at all, not even a few words in a row.")
    with pytest.raises(DatasetError, match="there are no chunks"):
        imported.take_in(store, data, source="x")
    write_chunks(store, site(5))
    with pytest.raises(DatasetError, match="not one of 1 pairs has its passage"):
        imported.take_in(store, data, source="x")
    assert not store.exists(imported.TABLE)
