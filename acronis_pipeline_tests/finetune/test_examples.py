import pytest

from acronis_pipeline.core.dataset import Passage, Question, RetrievalDataset
from acronis_pipeline.core.errors import DatasetError, EmptyCorpusError
from acronis_pipeline.finetune.examples import digest_of, prepare


def passage(name: str, text: str | None = None, cluster: str | None = None) -> Passage:
    return Passage(name, text or f"text of {name}", cluster or name, f"https://docs/{name}")


def ask(*chunk_ids: str, name: str = "q") -> Question:
    return Question(name, f"question {name}", chunk_ids, chunk_ids[0])


def dataset(passages: list[Passage], train: list[Question] | None = None, n_validation: int = 4) -> RetrievalDataset:
    train = train if train is not None else [ask("a")] * 4 + [ask("b")] * 4
    return RetrievalDataset(tuple(passages), tuple(train), (ask("a"),) * n_validation)


AB = [passage("a"), passage("b")]


def test_identical_texts_are_one_passage() -> None:
    examples = prepare(dataset([passage("a", "same"), passage("b", "other"), passage("c", "same")]))
    assert examples.passages == ("same", "other")


def test_every_near_duplicate_of_a_gold_passage_answers() -> None:
    passages = [passage("a", cluster="x"), passage("b"), passage("c", cluster="x")]
    assert prepare(dataset(passages)).train.answers[0] == ((0, 2),)


def test_question_keeps_the_passage_it_was_made_from() -> None:
    examples = prepare(dataset(AB, train=[ask("b", "a")] * 4 + [ask("a")] * 4))
    assert examples.train.origins[0] == 1
    assert set(examples.train.relevant(0)) == {0, 1}


def test_question_without_an_answer_in_the_corpus_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    examples = prepare(dataset(AB, train=[ask("a")] * 4 + [ask("b")] * 4 + [ask("gone")]))
    assert len(examples.train) == 8
    assert "1 of 9 training questions" in caplog.text


def test_empty_corpus_is_refused() -> None:
    with pytest.raises(EmptyCorpusError, match="no passages"):
        prepare(dataset([]))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (dataset(AB, train=[ask("a")] * 3 + [ask("b")] * 4), "7 training questions .* 8 needed"),
        (dataset(AB, n_validation=3), "3 validation questions .* 4 needed"),
        (dataset(AB, train=[ask("a")] * 9), "all 9 training questions have the same answer"),
    ],
)
def test_too_little_to_learn_from_is_refused(data: RetrievalDataset, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        prepare(data)


def test_digest_ignores_order_and_sees_every_text() -> None:
    data = dataset(AB)
    assert digest_of(data) == digest_of(dataset(AB[::-1]))
    assert digest_of(data) != digest_of(dataset([AB[0], passage("b", "changed")]))
    assert digest_of(data) != digest_of(dataset(AB, train=[ask("a", name="new")] * 4 + [ask("b")] * 4))
