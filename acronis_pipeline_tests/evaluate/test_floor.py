"""The floor below which a question is taken for one about something else."""

import numpy as np
import pytest

from acronis_pipeline import index
from acronis_pipeline.answer import NOT_FOUND, ask
from acronis_pipeline.evaluate.validation import REFUSED_SHARE, learn_floor
from acronis_pipeline.retrieve import Batch, Retriever, System, open_checked
from acronis_pipeline.store import Store
from acronis_pipeline_tests.index.corpora import WordEncoder, chunk, write_chunks

TABLE = "passages_words"
N = 80


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(str(tmp_path_factory.mktemp("lancedb")))
    write_chunks(store, [chunk(f"c{n}", f"Topic{n} agent{n} plan{n} restored backup.") for n in range(N)])
    encoder = WordEncoder()
    index.refresh(store, index.IndexedModel(TABLE, encoder))
    return store


def batch(store: Store, queries: list[str]) -> Batch:
    return Batch(open_checked(store, System("base", "dense", TABLE), WordEncoder()), queries, WordEncoder(), 20)


def queries(n: int) -> list[str]:
    """Questions that lean on their passage less and less."""
    return [f"topic{i} agent{i} " + " ".join(f"filler{i}x{j}" for j in range(i // 20)) for i in range(n)]


def test_floor_refuses_the_share_it_may_and_more_of_those_whose_page_is_hidden(store: Store) -> None:
    floor = learn_floor(batch(store, queries(N)), [{f"c{n}"} for n in range(N)])
    assert floor is not None
    assert floor.n == N
    assert floor.refused <= REFUSED_SHARE
    assert floor.refused_hidden > 0.2


def test_floor_is_a_similarity_that_a_question_had(store: Store) -> None:
    asked = batch(store, queries(N))
    floor = learn_floor(asked, [{f"c{n}"} for n in range(N)])
    assert floor is not None
    best = np.array([ranking[0][1] for ranking in asked.dense_lists])
    assert np.isclose(best, floor.min_similarity, atol=1e-3).any()


def test_few_questions_set_no_floor(store: Store) -> None:
    assert learn_floor(batch(store, queries(39)), [{f"c{n}"} for n in range(39)]) is None


def test_questions_that_nothing_answers_are_left_out(store: Store) -> None:
    hidden = [{f"c{n}"} if n < 39 else set() for n in range(N)]
    assert learn_floor(batch(store, queries(N)), hidden) is None


@pytest.mark.parametrize("mode", ["bm25", "dense", "hybrid"])
def test_question_about_something_else_is_not_answered(store: Store, mode: str) -> None:
    system = System("s", mode, TABLE, 0.5, min_similarity=0.4)  # pyright: ignore[reportArgumentType]
    retriever = Retriever(store, system, WordEncoder())
    far = ask("What is the capital of France, backup?", retriever, WordEncoder(), k=3)
    near = ask("agent7 topic7", retriever, WordEncoder(), k=3)
    assert (far.text, far.citations) == (NOT_FOUND, ())
    assert far.hits
    assert near.citations[0].url == "https://docs.test/c7/"


def test_without_a_floor_every_question_is_answered(store: Store) -> None:
    retriever = Retriever(store, System("base", "dense", TABLE), WordEncoder())
    assert ask("What is the capital of France?", retriever, WordEncoder(), k=3).citations


def test_systems_that_differ_in_their_floor_alone_rank_alike() -> None:
    assert System("base", "dense", TABLE, min_similarity=0.3) == System("base", "dense", TABLE)
