import json
from pathlib import Path

import pytest

from acronis_pipeline.core.dataset import RetrievalDataset
from acronis_pipeline.core.errors import DatasetError
from acronis_pipeline.pairs import beir
from acronis_pipeline.pairs.labelled import LabelledData, LabelledPassage, LabelledQuery
from acronis_pipeline.pairs.labelled_datasets import load, read


def write(path: Path, n: int, *, prefix: str = "question", per_passage: int = 2) -> Path:
    data = {
        "queries": {f"q{i}": f"{prefix} number {i}" for i in range(n)},
        "corpus": {f"c{i}": f"passage {prefix} {i}" for i in range(n // per_passage + 1)},
        "relevant_docs": {f"q{i}": [f"c{i // per_passage}"] for i in range(n)},
        "mode": "text",
    }
    path.write_text(json.dumps(data), "utf-8")
    return path


def test_questions_that_share_a_passage_stay_in_one_split(tmp_path: Path):
    train, test = load(write(tmp_path / "t.json", 60, per_passage=3), write(tmp_path / "e.json", 8, prefix="other"))
    trained = {chunk_id for question in train.train for chunk_id in question.chunk_ids}
    validated = {chunk_id for question in train.validation for chunk_id in question.chunk_ids}
    assert len(train.validation) == 6
    assert not trained & validated
    assert (len(test.test), test.train) == (8, ())


def test_the_split_depends_on_the_seed_only(tmp_path: Path):
    train, test = write(tmp_path / "t.json", 60), write(tmp_path / "e.json", 8, prefix="other")
    assert load(train, test) == load(train, test)
    assert load(train, test)[0] != load(train, test, seed=1)[0]


def test_questions_of_the_evaluation_are_not_trained_on(tmp_path: Path):
    train, _ = load(write(tmp_path / "t.json", 20), write(tmp_path / "e.json", 5))
    assert len(train.train) + len(train.validation) == 15
    with pytest.raises(DatasetError, match="every question also stands in"):
        load(tmp_path / "e.json", tmp_path / "t.json")


def test_evaluation_alone_trains_on_nothing(tmp_path: Path):
    train, test = load(None, write(tmp_path / "e.json", 4))
    assert train == RetrievalDataset(())
    assert len(test.test) == 4


def test_a_folder_that_names_its_splits_is_taken_at_its_word(tmp_path: Path):
    data = LabelledData(
        {
            "a": LabelledQuery("how long?", {"c1": 1}, "train"),
            "b": LabelledQuery("how far?", {"c2": 1}, "validation"),
            "c": LabelledQuery("how often?", {"c1": 2, "c2": 1}, "test"),
        },
        {"c1": LabelledPassage("nightly", "Schedules"), "c2": LabelledPassage("a mile")},
    )
    beir.write_beir(data, tmp_path / "set")
    train, test = load(tmp_path / "set", tmp_path / "set")
    asked = [[question.query for question in part] for part in (train.train, train.validation, train.test, test.test)]
    assert asked == [["how long?"], ["how far?"], [], ["how often?"]]
    assert test.test[0].chunk_ids == ("c1", "c2")
    assert [passage.text for passage in test.passages] == ["Schedules\n\nnightly", "a mile"]


GOOD = {"queries": {"q": "?q"}, "corpus": {"c": "text"}, "relevant_docs": {"q": ["c"]}}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "is not JSON"),
        ("[" * 20_000, "nested too deeply"),
        ('{"queries": ' + "9" * 5_000 + "}", "no JSON that can be read"),
        ("[]", "holds a list"),
        (json.dumps({k: v for k, v in GOOD.items() if k != "corpus"}), "'corpus' is missing"),
        (json.dumps(GOOD | {"queries": {}}), "no query with a passage"),
        (json.dumps(GOOD | {"queries": ["q"]}), "'queries' is a list"),
        (json.dumps(GOOD | {"corpus": {"c": 3}}), "1 × passage without text .first: corpus.'c'"),
        (
            json.dumps(GOOD | {"relevant_docs": {"q": ["x"]}}),
            "a passage that is not there .first: relevant_docs.'q'.: 'x'",
        ),
        (json.dumps(GOOD | {"relevant_docs": {"q": []}}), "1 × query without a passage that answers it"),
        (json.dumps(GOOD | {"relevant_docs": {}}), "1 × query without a passage that answers it"),
        (json.dumps({"queries": {"q": "?"}, "corpus": {"c": "t"}}), "'relevant_docs' is missing"),
    ],
)
def test_a_broken_file_is_named_with_what_is_wrong(tmp_path: Path, content: str, complaint: str):
    path = tmp_path / "broken.json"
    path.write_text(content, "utf-8")
    with pytest.raises(DatasetError, match=complaint) as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_a_missing_or_binary_file_is_named(tmp_path: Path):
    with pytest.raises(DatasetError, match="no such file"):
        read(tmp_path / "none.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatasetError, match="cannot be read"):
        read(tmp_path / "binary.json")
