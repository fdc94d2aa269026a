from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from acronis_pipeline.core.dataset import Question, RetrievalDataset, singletons
from acronis_pipeline.core.errors import DatasetError
from acronis_pipeline.core.settings import EvaluationSettings
from acronis_pipeline.encoders import TorchEncoder
from acronis_pipeline.evaluate import Report, checks, forgetting
from acronis_pipeline.evaluate.evaluation import caveats_of
from acronis_pipeline.store import Store
from acronis_pipeline_tests.evaluate.test_bench import TESTED_ON, write_dataset
from acronis_pipeline_tests.index.corpora import WordEncoder

N_TOPICS = 24
CONFUSED = {f"word{n}": "word0" for n in range(N_TOPICS)}
"""What a model makes of the words of all topics once it has forgotten them."""
PROBE = RetrievalDataset(
    singletons([(f"p{n}", f"A passage on word{n} and more") for n in range(N_TOPICS)]),
    test=tuple(Question(f"q{n}", f"tell me of word{n}", (f"p{n}",), group=f"p{n}") for n in range(N_TOPICS)),
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "lancedb"))


def settings(**values: object) -> EvaluationSettings:
    return EvaluationSettings.model_validate({"probes": ()} | values)


def test_packaged_probe_asks_every_passage_in_groups_that_share_a_topic() -> None:
    general = forgetting.general()
    asked = {chunk_id for question in general.test for chunk_id in question.chunk_ids}
    assert asked == {passage.chunk_id for passage in general.passages}
    assert len({passage.text for passage in general.passages}) == len(general.passages) >= 120
    assert len({question.query for question in general.test}) == len(general.test)
    assert len({question.group for question in general.test}) > 30


def test_model_that_changed_nothing_is_not_flagged(store: Store) -> None:
    found = forgetting.compare(store, "small", PROBE, WordEncoder(), WordEncoder("tuned"), 0.0)
    assert found.base == found.fine_tuned
    assert found.difference.mean == 0.0
    assert not found.flagged


def test_model_that_forgot_is_flagged_and_one_that_learned_is_not(store: Store) -> None:
    sound, broken = WordEncoder(), WordEncoder("broken", CONFUSED)
    worse = forgetting.compare(store, "small", PROBE, sound, broken, 0.03)
    assert worse.n == N_TOPICS
    assert worse.base.mean > 0.9 > worse.fine_tuned.mean
    assert worse.difference.high < 0
    assert worse.flagged
    report = Report("id", "words", "2026-11-21T00:00:00+00:00", "questions", (), forgetting=(worse,), n_validation=9)
    assert any(note.startswith("The fine-tuned model forgot: on 24 questions") for note in caveats_of(report, ()))
    assert not forgetting.compare(store, "small", PROBE, broken, sound, 0.03).flagged


def test_loss_within_tolerance_or_by_chance_is_not_flagged(store: Store) -> None:
    sound, broken = WordEncoder(), WordEncoder("broken", CONFUSED)
    assert not forgetting.compare(store, "small", PROBE, sound, broken, 1.0).flagged
    slightly = WordEncoder("slightly", {"word3": "word4"})
    assert not forgetting.compare(store, "small", PROBE, sound, slightly, 0.0).flagged


def test_second_look_encodes_nothing(store: Store) -> None:
    forgetting.compare(store, "small", PROBE, WordEncoder(), WordEncoder("tuned"), 0.0)
    unable = TorchEncoder(None, WordEncoder().identity)  # would fail on any text
    assert forgetting.compare(store, "small", PROBE, unable, unable, 0.0).n == N_TOPICS


def test_copies_of_the_right_passage_are_right(store: Store) -> None:
    doubled = replace(
        PROBE,
        passages=singletons([*((p.chunk_id, p.text) for p in PROBE.passages), ("copy", "A passage on word1 and more")]),
    )
    again = forgetting.compare(store, "small", doubled, WordEncoder(), WordEncoder("tuned"), 0.0)
    assert (
        again.base.mean == forgetting.compare(store, "small", PROBE, WordEncoder(), WordEncoder("tuned"), 0.0).base.mean
    )


def test_any_labelled_file_is_a_probe(tmp_path: Path) -> None:
    file = str(write_dataset(tmp_path / "animals.json", TESTED_ON))
    found = checks.read(settings(probes=(file, "general")))
    assert list(found.probes) == [file, "general"]
    assert len(found.probes[file].test) == 40
    assert found.key != checks.read(settings(probes=("general",))).key


def test_probe_that_does_not_exist_is_an_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"gone\.json: no such file or folder.*`general`.*BEIR"):
        checks.read(settings(probes=(str(tmp_path / "gone.json"),)))


def test_nano_beir_that_cannot_be_reached_is_a_remark_and_no_error(monkeypatch, tmp_path: Path) -> None:
    import huggingface_hub

    def offline(*args: object, **kwargs: object) -> str:
        raise ConnectionError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    found = checks.read(settings(nano_beir=("NanoMSMARCO",)))
    assert found.probes == {}
    assert found.caveats == (
        "Not checked for forgetting on NanoMSMARCO: the hub did not give zeta-alpha-ai/NanoMSMARCO (ConnectionError).",
    )


def test_nano_beir_is_read_as_the_hub_lays_it_out(tmp_path: Path) -> None:
    tables = {
        "corpus": {"_id": ["a", "b", "empty"], "text": ["Otters swim", "Herons wade", " "]},
        "queries": {"_id": ["q", "unjudged"], "text": ["who swims", "who flies"]},
        "qrels": {"query-id": ["q"], "corpus-id": ["a"]},
    }
    for part, columns in tables.items():
        (tmp_path / part).mkdir()
        pq.write_table(pa.table(columns), tmp_path / part / "train-00000-of-00001.parquet")
    dataset = forgetting.read_nano_beir(tmp_path)
    assert [(passage.chunk_id, passage.text) for passage in dataset.passages] == [
        ("a", "Otters swim"),
        ("b", "Herons wade"),
    ]
    assert [(question.query, question.chunk_ids) for question in dataset.test] == [("who swims", ("a",))]
    pq.write_table(pa.table({"id": ["q"]}), tmp_path / "qrels" / "train-00000-of-00001.parquet")
    with pytest.raises(forgetting.UnreachableError, match="no qrels with columns query-id and corpus-id"):
        forgetting.read_nano_beir(tmp_path)
