"""Excerpts follow the passages that they are of, and their words count beside the whole passage's."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acronis_pipeline import index
from acronis_pipeline.index import excerpts
from acronis_pipeline.retrieve import Retriever, System, open_checked, search
from acronis_pipeline.store import Store, tables
from acronis_pipeline_tests.index.corpora import WordEncoder, chunk, write_chunks

TABLE = "passages_words"
EXCERPTS = tables.excerpts(TABLE)
LONG = " ".join(f"word{n}" for n in range(230))
FILLER = " ".join(f"filler{n}" for n in range(60))
TOGETHER = f"{FILLER} quarterly licence audit {FILLER} {FILLER} {FILLER}"
SCATTERED = f"quarterly {FILLER} {FILLER} licence {FILLER} {FILLER} audit"
SYSTEM = System("hybrid", "hybrid", TABLE, 0.4)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "lancedb"))


def refresh(store: Store, *chunks: dict) -> index.IndexResult:
    write_chunks(store, chunks)
    encoder = WordEncoder()
    return index.refresh(store, index.IndexedModel(TABLE, encoder))


def texts(store: Store) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in sorted(store.read(EXCERPTS).to_pylist(), key=lambda row: row["excerpt_id"]):
        found.setdefault(row["chunk_id"], []).append(row["text"])
    return found


@given(st.lists(st.text("abc\n", min_size=1, max_size=4).filter(str.strip), max_size=420))
def test_every_word_stands_in_an_excerpt_and_none_is_longer_than_the_limit(words: list[str]) -> None:
    passage = " ".join(words)
    cut = excerpts.cut(passage)
    together = passage.split()
    if len(together) <= excerpts.WORDS:
        assert cut == [passage]
        return
    assert all(excerpts.WORDS // 2 < len(part.split()) <= excerpts.WORDS for part in cut)
    assert cut[0].split() == together[: excerpts.WORDS]
    step = excerpts.WORDS // 2
    assert [word for part in cut for word in part.split()[:step]] + cut[-1].split()[step:] == together


def test_excerpts_follow_passages_that_change_come_and_go(store: Store) -> None:
    refresh(store, chunk("long", LONG), chunk("short", "A short passage"), chunk("goes", "It will go"))
    assert {name: len(parts) for name, parts in texts(store).items()} == {"long": 4, "short": 1, "goes": 1}
    refresh(store, chunk("long", "Not long any more"), chunk("short", "A short passage"), chunk("new", "It came"))
    assert texts(store) == {"long": ["Not long any more"], "short": ["A short passage"], "new": ["It came"]}
    assert all(part.num_unindexed_rows == 0 for part in store.open(EXCERPTS).list_indices())


def test_nothing_changed_writes_nothing(store: Store) -> None:
    refresh(store, chunk("long", LONG))
    version = store.version(EXCERPTS)
    refresh(store, chunk("long", LONG))
    assert store.version(EXCERPTS) == version


def test_excerpts_that_a_kill_left_ahead_of_their_passages_go_back_with_them(store: Store) -> None:
    refresh(store, chunk("c1", "As it was"))
    write_chunks(store, [chunk("c1", "As it is to be")])
    excerpts.bring_in_step(store, TABLE, store.read(tables.CHUNKS))
    assert not refresh(store, chunk("c1", "As it was")).changed
    assert texts(store) == {"c1": ["As it was"]}


def test_a_table_of_before_there_were_excerpts_is_not_searched_and_gets_them_at_the_next_refresh(store: Store) -> None:
    refresh(store, chunk("long", LONG), chunk("short", "A short passage"))
    store.drop(EXCERPTS)
    with pytest.raises(Exception, match="build the index again"):
        open_checked(store, SYSTEM, WordEncoder())
    assert not refresh(store, chunk("long", LONG), chunk("short", "A short passage")).changed
    assert len(texts(store)["long"]) == 4
    assert open_checked(store, SYSTEM, WordEncoder())


def test_words_that_stand_together_tell_more_than_the_same_words_scattered(store: Store) -> None:
    refresh(store, chunk("scattered", SCATTERED), chunk("together", TOGETHER), chunk("other", LONG))
    opened, query = open_checked(store, SYSTEM, WordEncoder()), "quarterly licence audit"
    whole = search.by_words(opened.passages, query, 10).ranking
    both = search.with_best_excerpts(opened.excerpts, query, whole)
    assert {chunk_id for chunk_id, _ in whole} == {"scattered", "together"}
    assert abs(whole[0][1] - whole[1][1]) < 0.2
    assert [chunk_id for chunk_id, _ in both] == ["together", "scattered"]
    assert both[0][1] > both[1][1] + 0.5


def test_a_filter_narrows_excerpts_too(store: Store) -> None:
    refresh(store, chunk("scattered", SCATTERED), *(chunk(f"c{n}", TOGETHER) for n in range(5)))
    opened = open_checked(store, SYSTEM, WordEncoder())
    (only,) = search.with_best_excerpts(opened.excerpts, "quarterly licence audit", [("c3", 1.0)])
    assert only[0] == "c3"
    assert only[1] > 1.0


def test_a_question_without_words_is_answered_by_vectors_alone(store: Store) -> None:
    refresh(store, chunk("long", LONG), chunk("short", "A short passage"))
    assert len(Retriever(store, SYSTEM, WordEncoder()).retrieve("???", 2)) == 2


def test_excerpts_are_dropped_with_their_passages(store: Store) -> None:
    refresh(store, chunk("long", LONG))
    index.prune(store, [])
    assert EXCERPTS.name not in store.names()
