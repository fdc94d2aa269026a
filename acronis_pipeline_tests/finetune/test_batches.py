from hypothesis import given
from hypothesis import strategies as st

from acronis_pipeline.finetune.examples import PassageBatches, Questions

origins = st.lists(st.integers(0, 12), min_size=2, max_size=60).filter(lambda rows: len(set(rows)) > 1)


def about(rows: list[int]) -> Questions:
    n = len(rows)
    return Questions(("q",) * n, tuple(((row,),) for row in rows), tuple(rows), ("question",) * n)


@given(origins, st.integers(2, 6), st.integers(1, 4))
def test_every_passage_has_its_turn_once_an_epoch(rows: list[int], passages: int, each: int) -> None:
    batches = PassageBatches(about(rows), passages=passages, questions_each=each, seed=1)
    epoch = list(batches.epoch(0))
    assert len(epoch) == len(batches)
    places = [(row, index) for index, batch in enumerate(epoch) for row in {rows[question] for question in batch}]
    assert sorted(row for row, _ in places) == sorted(set(rows))


@given(origins, st.integers(2, 6), st.integers(1, 4))
def test_no_batch_is_without_something_to_tell_apart(rows: list[int], passages: int, each: int) -> None:
    for batch in PassageBatches(about(rows), passages=passages, questions_each=each, seed=1).epoch(0):
        assert 2 <= len({rows[question] for question in batch}) <= passages + 1
        assert len(batch) <= (passages + 1) * each


def test_passage_with_many_questions_gives_others_in_the_next_epoch() -> None:
    batches = PassageBatches(about([0] * 40 + [1] * 2), passages=2, questions_each=4, seed=1)
    seen = {question for number in range(200) for batch in batches.epoch(number) for question in batch}
    assert seen == set(range(42))


def test_same_seed_gives_the_same_batches_and_epochs_differ() -> None:
    rows = list(range(20))
    one, other = (PassageBatches(about(rows), passages=4, questions_each=1, seed=5) for _ in range(2))
    assert list(one.epoch(0)) == list(other.epoch(0)) != list(one.epoch(1))


def test_steps_beyond_an_epoch_go_on_with_the_next() -> None:
    batches = PassageBatches(about(list(range(6))), passages=3, questions_each=1, seed=0)
    assert list(batches.take(3)) == [*batches.epoch(0), next(batches.epoch(1))]
