"""Formats of other tools: what is written is read again, and what is broken is named."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from acronis_pipeline.core.errors import DatasetError, OutputError
from acronis_pipeline.pairs.labelled import LabelledData, LabelledPassage, LabelledQuery, write_beir, write_llama_index
from acronis_pipeline.pairs.labelled_datasets import read

_texts = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1).filter(str.strip)
_ids = st.text("abc-123", min_size=1)
_metadata = st.dictionaries(st.sampled_from(["style", "url"]), _texts)


@st.composite
def labelled(draw: st.DrawFn, grades: tuple[int, ...] = (1,), titles: st.SearchStrategy[str] | None = None):
    title = st.just("") if titles is None else titles
    corpus = draw(st.dictionaries(_ids, st.builds(LabelledPassage, _texts, title, _metadata), min_size=1, max_size=4))
    judged = st.dictionaries(st.sampled_from(sorted(corpus)), st.sampled_from(grades), min_size=1)
    split = st.sampled_from(["train", "validation", "test"])
    queries = st.builds(LabelledQuery, _texts, judged, split, _metadata)
    return LabelledData(draw(st.dictionaries(_ids, queries, min_size=1, max_size=4)), corpus)


_quick = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@_quick
@given(data=labelled(grades=(1, 2)))
def test_a_llama_index_round_trip_loses_nothing(data: LabelledData, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("set")
    write_llama_index(data, folder)
    assert read(folder) == data


@_quick
@given(data=labelled(grades=(1, 2), titles=st.sampled_from(["", "Guide > Restore"])))
def test_a_beir_round_trip_loses_nothing(data: LabelledData, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("set")
    write_beir(data, folder)
    assert read(folder) == data


def test_what_llama_index_writes_is_read(tmp_path: Path):
    """Only its own three keys and the mode, as `EmbeddingQAFinetuneDataset.save_json` writes them."""
    content = {"queries": {"q": "?"}, "corpus": {"c": "t"}, "relevant_docs": {"q": ["c"]}, "mode": "text"}
    (tmp_path / "val_dataset.json").write_text(json.dumps(content), "utf-8")
    assert read(tmp_path).queries["q"] == LabelledQuery("?", {"c": 1}, "validation")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A good BEIR folder."""
    data = LabelledData({"q": LabelledQuery("how long?", {"c": 1}, "test")}, {"c": LabelledPassage("nightly")})
    write_beir(data, tmp_path)
    return tmp_path


def append(name: str, line: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text((path.read_text("utf-8") if path.exists() else "") + line + "\n", "utf-8")

    return spoil


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (append("corpus.jsonl", "{"), r"corpus.jsonl:2 is not JSON"),
        (append("corpus.jsonl", '{"_id": "c", "text": "twice"}'), r"corpus.jsonl:2 needs an '_id' of its own"),
        (append("queries.jsonl", '{"_id": "x", "text": " "}'), r"queries.jsonl:2 has no 'text'"),
        (append("qrels/test.tsv", "q\tnone\t1"), r"test.tsv:3: passage 'none' is not in the folder"),
        (append("qrels/test.tsv", "none\tc\t1"), r"test.tsv:3: query 'none' is not in the folder"),
        (append("qrels/test.tsv", "q c 1"), r"test.tsv:3 holds"),
        (append("qrels/train.tsv", "q\tc\t1"), r"test.tsv:2: query 'q' is judged in train too"),
        (lambda folder: (folder / "queries.jsonl").unlink(), r"queries.jsonl: no such file"),
        (lambda folder: (folder / "qrels" / "test.tsv").unlink(), r"qrels judges no query as answered"),
    ],
)
def test_a_broken_beir_folder_is_named_with_file_and_line(folder: Path, spoil: Callable[[Path], None], complaint: str):
    spoil(folder)
    with pytest.raises(DatasetError, match=complaint):
        read(folder)


def test_a_query_judged_irrelevant_everywhere_is_left_out(folder: Path, caplog: pytest.LogCaptureFixture):
    append("queries.jsonl", '{"_id": "x", "text": "why?"}')(folder)
    append("qrels/test.tsv", "x\tc\t0")(folder)
    assert list(read(folder).queries) == ["q"]
    assert "1 of 2 queries have no relevant passage" in caplog.text


def test_an_empty_folder_is_no_dataset(tmp_path: Path):
    with pytest.raises(DatasetError, match=r"holds no train\*\.json"):
        read(tmp_path)


def test_a_query_in_two_files_of_a_folder_is_refused(tmp_path: Path):
    content = {"queries": {"q": "?"}, "corpus": {"c": "t"}, "relevant_docs": {"q": ["c"]}}
    for name in ("train.json", "test.json"):
        (tmp_path / name).write_text(json.dumps(content), "utf-8")
    with pytest.raises(DatasetError, match="'q' stands in another split too"):
        read(tmp_path)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file/set"):
        write_beir(LabelledData({}, {}), tmp_path / "file" / "set")
