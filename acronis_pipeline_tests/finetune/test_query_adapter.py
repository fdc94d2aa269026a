"""What keeps training of the query adapter as fast for many pairs as for few."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from acronis_pipeline.encoders import PassageVectors
from acronis_pipeline.finetune.examples import Questions
from acronis_pipeline.finetune.methods import query_adapter
from acronis_pipeline.finetune.validation import answers_and_others

pytestmark = pytest.mark.model

FEW, MANY = 40, 3_000


def questions(n: int) -> Questions:
    rows = tuple(range(n))
    return Questions(tuple(f"q{row}" for row in rows), tuple(((row,),) for row in rows), rows, ("question",) * n)


def of_one_vector(n: int) -> query_adapter.Contrasted:
    vectors = np.eye(n, 8, dtype=np.float32)
    return query_adapter.Contrasted(questions(n), vectors, PassageVectors.single(vectors))


@given(st.lists(st.integers(0, MANY - 1), min_size=1, max_size=30, unique=True), st.integers(0, 99))
def test_a_step_always_holds_the_answers_to_its_questions(answers: list[int], seed: int) -> None:
    contrasted = of_one_vector(MANY)
    columns = contrasted.columns(np.array(answers), 64, np.random.default_rng(seed))
    mask = contrasted.positive(np.array(answers), columns)
    assert len(columns) <= 64 + len(answers)
    assert np.all(np.diff(columns) > 0)
    assert [columns[row].tolist() for row in mask] == [[row] for row in answers]


def test_few_passages_are_all_contrasted() -> None:
    columns = of_one_vector(FEW).columns(np.array([3]), 64, np.random.default_rng(0))
    assert columns.tolist() == list(range(FEW))


@given(st.lists(st.integers(1, 5), min_size=20, max_size=40), st.integers(0, 99))
def test_a_question_is_about_the_closest_window_and_no_window_of_its_answer_is_held_against_it(
    n_windows: list[int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    vectors = PassageVectors.joined([rng.standard_normal((n, 8)).astype(np.float32) for n in n_windows], 8)
    queries = rng.standard_normal((len(n_windows), 8)).astype(np.float32)
    contrasted = query_adapter.Contrasted(questions(len(n_windows)), queries, vectors)
    batch = rng.choice(len(n_windows), 5, replace=False)
    columns = contrasted.columns(batch, 16, rng)
    for question, row in zip(batch, contrasted.positive(batch, columns), strict=True):
        start, end = vectors.starts[question], vectors.starts[question + 1]
        assert start + (vectors.of(question) @ queries[question]).argmax() in columns[row]
        assert columns[row].tolist() == [column for column in columns if start <= column < end]


def test_a_sample_of_the_validation_questions_is_the_same_every_time() -> None:
    one, again = (query_adapter._some_of(questions(MANY), 100, seed=13) for _ in range(2))
    assert one == again
    assert len(one) == 100
    assert query_adapter._some_of(questions(FEW), 100, seed=13) == questions(FEW)


def test_the_validation_corpus_holds_every_answer_and_no_passage_twice() -> None:
    some = query_adapter._some_of(questions(MANY), 100, seed=13)
    rows = answers_and_others(some, MANY, 500, seed=13)
    assert len(set(rows.tolist())) == 500
    assert {row for question in range(100) for row in some.relevant(question)} <= set(rows.tolist())


def test_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    with query_adapter._one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
