"""Formats of other tools: what is written is read again, and what is broken is named."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from acronis_pipeline.core.errors import DatasetError, OutputError
from acronis_pipeline.core.text import normal_form
from acronis_pipeline.pairs.beir import write_beir
from acronis_pipeline.pairs.labelled import LabelledData, LabelledPassage, LabelledQuery
from acronis_pipeline.pairs.labelled_datasets import read
from acronis_pipeline.pairs.llama_index import write_llama_index

_texts = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1).map(normal_form).filter(str.strip)
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
        (lambda folder: (folder / "queries.jsonl").unlink(), r"queries.jsonl: no such file"),
        (lambda folder: (folder / "qrels" / "test.tsv").unlink(), r"judges no query: expected qrels/train.tsv"),
        (lambda folder: (folder / "queries.jsonl").write_text("{"), r"no query .* 1 × line that is no JSON .*jsonl:1"),
        (lambda folder: (folder / "corpus.jsonl").write_bytes(b"\xff\xfe\x00"), r"corpus.jsonl cannot be read"),
        (
            lambda folder: (folder / "qrels" / "test.tsv").write_text("none\tc\t1\n"),
            r"that is not there .*tsv:1",
        ),
    ],
)
def test_a_folder_without_an_answered_question_is_refused(folder: Path, spoil: Callable[[Path], None], complaint: str):
    spoil(folder)
    with pytest.raises(DatasetError, match=complaint):
        read(folder)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (append("corpus.jsonl", '{"_id": "7915", "title": "", "text": ""}'), "passage without text"),  # FiQA
        (append("corpus.jsonl", '{"_id": "n", "text": null}'), "passage without text"),
        (append("corpus.jsonl", '{"text": "whose?"}'), "passage without an _id"),
        (append("corpus.jsonl", '{"_id": "c", "text": "twice"}'), "passage with the _id of an earlier one"),
        (append("corpus.jsonl", '{"_id": "half'), "line that is no JSON"),  # a download that broke off
        (append("corpus.jsonl", "[" * 20_000), "line that is no JSON"),
        (append("corpus.jsonl", "[]"), "passage without an _id"),
        (append("queries.jsonl", '{"_id": "x", "text": " "}'), "query without text"),
        (append("queries.jsonl", '{"_id": "x", "text": "why?"}'), "query without a passage that answers it"),
        (append("qrels/test.tsv", "q\tcon03b\t1"), "judgement of a passage that is not there"),  # ArguAna
        (append("qrels/test.tsv", "PLAIN-2\tc\t1"), "judgement of a query that is not there"),  # NFCorpus
        (append("qrels/test.tsv", "q\tc\tyes"), "line that is no judgement"),
        (append("qrels/test.tsv", "q"), "line that is no judgement"),
        (append("qrels/train.tsv", "q\tc\t1"), "judgement of a query in two splits, kept in the one held out"),
    ],
)
def test_what_cannot_be_used_is_left_out_and_counted(
    folder: Path, spoil: Callable[[Path], None], reason: str, caplog: pytest.LogCaptureFixture
):
    before = read(folder)
    spoil(folder)
    data = read(folder)
    assert data == before
    assert data.left_out == {reason: 1}
    assert f"1 queries over 1 passages; left out: 1 × {reason} (first: " in caplog.text


@pytest.mark.parametrize(
    "qrels",
    [
        "query-id\tcorpus-id\tscore\nq\tc\t1.0\n",
        "\ufeffquery-id\tcorpus-id\tscore\r\nq\tc\t1\r\n",
        "q\tc\t1\n",
        "query_id\tdoc_id\trelevance\nq\tc\t1\n",
        "score\tcorpus-id\tquery-id\n1\tc\tq\n",
        "qid\tpid\nq\tc\n",
        "q 0 c 1\n",
        "q Q0 c 1\nq Q0 c 1\n",
        "query-id,corpus-id,score\nq,c,1\n",
        '"query-id"\t"corpus-id"\t"score"\n"q"\t"c"\t1\n',
    ],
)
def test_judgements_are_read_in_every_layout(folder: Path, qrels: str):
    before = read(folder)
    (folder / "qrels" / "test.tsv").write_text(qrels, "utf-8")
    assert read(folder) == before


def test_copies_on_the_hub_are_read(folder: Path):
    """Ids as numbers and under another name, gzipped files, judgements in a folder of their own, a title alone."""
    hub = folder / "hub"
    (folder / "hub-qrels").mkdir()
    hub.mkdir()
    with gzip.open(hub / "corpus.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write('{"id": 7, "title": "Only a title", "text": ""}\n{"id": 8.0, "title": null, "text": "a\u2028b"}\n')
    (hub / "queries.jsonl").write_text('{"id": 1, "query": "which?", "metadata": null}\n', "utf-16")
    (folder / "hub-qrels" / "validation.tsv").write_text("query-id\tcorpus-id\tscore\n1\t7\t1\n1\t8\t0.5\n")
    data = read(hub)
    assert data.queries == {"1": LabelledQuery("which?", {"7": 1, "8": 0.5}, "validation")}
    assert [passage.passage for passage in data.corpus.values()] == ["Only a title", "a\nb"]
    assert not data.left_out


def test_llama_index_files_are_read_as_they_are_made(tmp_path: Path):
    """By scripts: ids as numbers, one id that is no list, empty questions, passages that the corpus lacks."""
    content = {
        "queries": {"a": "how?", "b": "", "c": "why?", "d": None, "e": "when?"},
        "corpus": {"1": "so", "2": "", "3": {"title": "Because", "text": "it is"}, "4": "half \ud800"},
        "relevant_docs": {"a": [1, "gone"], "b": ["1"], "c": 3, "d": [1], "e": ["2"], "z": ["1"]},
    }
    (tmp_path / "set.json").write_text(json.dumps(content), "utf-8")
    data = read(tmp_path / "set.json")
    assert {key: query.relevant for key, query in data.queries.items()} == {"a": ("1",), "c": ("3",)}
    assert [passage.passage for passage in data.corpus.values()] == ["so", "Because\n\nit is", "half "]
    assert data.left_out == {
        "passage without text": 1,
        "judgement of a passage that is not there": 2,
        "query without text": 2,
        "query without a passage that answers it": 1,
        "relevant_docs of a query that is not there": 1,
    }


def test_an_empty_folder_is_no_dataset(tmp_path: Path):
    with pytest.raises(DatasetError, match=r"holds no train\*\.json"):
        read(tmp_path)


def test_a_query_in_two_files_of_a_folder_is_held_out(tmp_path: Path):
    content = {"queries": {"q": "?"}, "corpus": {"c": "t"}, "relevant_docs": {"q": ["c"]}}
    for name in ("train.json", "test.json"):
        (tmp_path / name).write_text(json.dumps(content), "utf-8")
    data = read(tmp_path)
    assert data.queries == {"q": LabelledQuery("?", {"c": 1}, "test")}
    assert data.left_out == {"query in two splits, kept in the one held out": 1}


def test_files_that_count_their_ids_alike_are_kept_apart(tmp_path: Path):
    for name, word in (("train.json", "tape"), ("val.json", "disk")):
        content = {"queries": {"0": f"what is a {word}?"}, "corpus": {"0": word}, "relevant_docs": {"0": ["0"]}}
        (tmp_path / name).write_text(json.dumps(content), "utf-8")
    data = read(tmp_path)
    answers = {query.text: data.corpus[query.relevant[0]].text for query in data.queries.values()}
    assert answers == {"what is a tape?": "tape", "what is a disk?": "disk"}


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file/set"):
        write_beir(LabelledData({}, {}), tmp_path / "file" / "set")
