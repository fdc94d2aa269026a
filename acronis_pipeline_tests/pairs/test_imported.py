"""Pairs from outside in the pipeline's own table."""

from collections.abc import Callable
from pathlib import Path

import pytest

from acronis_pipeline.core.errors import DatasetError
from acronis_pipeline.core.settings import LlmSettings, PairSettings
from acronis_pipeline.pairs import interchange, labelled_datasets, refresh
from acronis_pipeline.pairs.beir import write_beir
from acronis_pipeline.pairs.generator import read_chunks
from acronis_pipeline.pairs.labelled import LabelledData, LabelledPassage, LabelledQuery
from acronis_pipeline.pairs.llama_index import write_llama_index
from acronis_pipeline.store import Store, tables
from acronis_pipeline_tests.pairs.builders import chunk, site, write_chunks

pytestmark = pytest.mark.slow

STRUCTURAL = PairSettings()  # pyright: ignore[reportCallIssue]
IMPORTED = PairSettings(generator="imported")  # pyright: ignore[reportCallIssue]
Write = Callable[[LabelledData, Path], list[Path]]
LLM = LlmSettings()  # pyright: ignore[reportCallIssue]


def kept(store: Store) -> set[tuple[str, str, tuple[str, ...]]]:
    rows = store.read(tables.PAIRS, where="status = 'kept'").to_pylist()
    return {(row["query"], row["split"], tuple(sorted(row["chunk_ids"]))) for row in rows}


def elsewhere(store: Store, tmp_path: Path, write: Write, *, rejected: bool) -> Store:
    """Another store with the same chunks, which has taken in what this one exports."""
    labelled = interchange.labelled(store, rejected=rejected)
    write(labelled, tmp_path / "set")
    other = Store(str(tmp_path / "other"))
    write_chunks(other, read_chunks(store))
    taken = interchange.take_in(other, labelled_datasets.read(tmp_path / "set"), source="set")
    assert (taken.n_pairs, taken.unmatched) == (len(labelled.queries), ())
    return other


@pytest.mark.parametrize("rejected", [False, True])
@pytest.mark.parametrize("write", [write_llama_index, write_beir], ids=["llama_index", "beir"])
def test_what_is_exported_and_imported_elsewhere_is_the_same(
    store: Store, tmp_path: Path, write: Write, rejected: bool
):
    intervals = [
        chunk("You can change the interval in the console.", url=f"https://docs.example/again/{n}", title=f"Again {n}")
        for n in range(6)
    ]
    write_chunks(store, [*site(30), *intervals])
    assert refresh(store, STRUCTURAL, LLM).n_rejected
    other = elsewhere(store, tmp_path, write, rejected=rejected)
    refresh(other, IMPORTED, LLM)
    exported = interchange.labelled(store, rejected=rejected)
    assert interchange.labelled(other, rejected=rejected) == exported
    assert any("removed" in query.metadata for query in exported.queries.values())


def test_a_pair_that_a_person_marked_rejected_stays_so(store: Store):
    chunks = site(30)
    write_chunks(store, chunks)
    given = {"status": "rejected", "reject_reason": "nobody asks that"}
    queries = {
        "a": LabelledQuery("What is kept where?", {"c": 1}, metadata=given),
        "b": LabelledQuery("What is kept for how long?", {"c": 1}),
    }
    interchange.take_in(store, LabelledData(queries, {"c": LabelledPassage(chunks[0].passage)}), source="mine")
    refresh(store, IMPORTED, LLM)
    rows = store.read(tables.PAIRS).to_pylist()
    assert {(row["query"], row["reject_reason"]) for row in rows} == {
        ("What is kept where?", "nobody asks that"), ("What is kept for how long?", None),
    }  # fmt: skip


def test_pairs_brought_back_do_not_stand_in_for_those_generated_here(store: Store, tmp_path: Path):
    write_chunks(store, site(30))
    refresh(store, STRUCTURAL, LLM)
    other = elsewhere(store, tmp_path, write_llama_index, rejected=False)
    refresh(other, IMPORTED, LLM)
    interchange.forget(other, "set")
    refresh(other, STRUCTURAL, LLM)
    assert interchange.labelled(other, rejected=True) == interchange.labelled(store, rejected=True)


def one(query: str, **corpus: str) -> LabelledData:
    return LabelledData(
        {"q": LabelledQuery(query, dict.fromkeys(corpus, 1))}, {key: LabelledPassage(t) for key, t in corpus.items()}
    )


LONG = "The agent keeps thirty daily copies of every machine and deletes the oldest one after each backup has finished."


def test_a_passage_that_another_tool_cut_elsewhere_is_found_by_its_words(store: Store):
    chunks = [*site(30), chunk(LONG, url="https://docs.example/kept", title="Retention")]
    write_chunks(store, chunks)
    data = one("For how long do you keep my data?", node_1=f"Intro of a page. {LONG.upper()}")
    assert interchange.take_in(store, data, source="nodes").n_matched == 1
    refresh(store, IMPORTED, LLM)
    assert {(query, ids) for query, _, ids in kept(store)} == {
        ("For how long do you keep my data?", (chunks[-1].chunk_id,))
    }


def test_every_passage_that_answers_is_gold(store: Store):
    chunks = site(30)
    write_chunks(store, chunks)
    data = one("What is kept where?", first=chunks[0].passage, second=chunks[1].text)
    interchange.take_in(store, data, source="two")
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
    interchange.take_in(store, data, source="two")
    write_chunks(store, chunks[1:])
    result = refresh(store, IMPORTED, LLM)
    assert (result.n_kept, result.failures) == (1, {interchange.NOT_FOUND: 1})
    write_chunks(store, chunks)
    assert refresh(store, IMPORTED, LLM).n_kept == 2


def test_importing_a_collection_again_replaces_it(store: Store):
    chunks = site(30)
    write_chunks(store, chunks)
    interchange.take_in(store, one("What is the old one?", c=chunks[0].passage), source="mine")
    taken = interchange.take_in(store, one("What is the new one?", c=chunks[0].passage), source="mine")
    interchange.take_in(store, one("What is another's one?", c=chunks[0].passage), source="theirs")
    rows = store.read(tables.IMPORTED_PAIRS).to_pylist()
    assert taken.n_new == 1
    assert {(row["source"], row["query"]) for row in rows} == {
        ("mine", "What is the new one?"),
        ("theirs", "What is another's one?"),
    }


def test_pairs_of_another_corpus_are_refused(store: Store):
    data = one("Who?", c="Nothing of this stands on the site at all, not even a few words in a row.")
    with pytest.raises(DatasetError, match="there are no chunks"):
        interchange.take_in(store, data, source="x")
    write_chunks(store, site(5))
    with pytest.raises(DatasetError, match="not one of 1 pairs has its passage"):
        interchange.take_in(store, data, source="x")
    assert not store.exists(tables.IMPORTED_PAIRS)
