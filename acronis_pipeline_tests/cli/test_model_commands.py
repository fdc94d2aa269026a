"""`acronis-pipeline model …` on a model's folder and a file of questions."""

import json
import signal
from pathlib import Path

import pytest

from acronis_pipeline.store import Store
from acronis_pipeline_tests.cli.conftest import Command, assert_one_line_error
from acronis_pipeline_tests.finetune.tiny_models import write_encoder
from acronis_pipeline_tests.finetune.worlds import codename_world

pytestmark = pytest.mark.model


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    """A LlamaIndex file."""
    world = codename_world()
    values = {
        "queries": {question.question_id: question.query for question in world.validation},
        "corpus": {passage.chunk_id: passage.text for passage in world.passages},
        "relevant_docs": {question.question_id: list(question.chunk_ids) for question in world.validation},
    }
    file = tmp_path / "questions.json"
    file.write_text(json.dumps(values))
    return file


def test_a_folder_is_exported_with_its_figures(command: Command, tmp_path: Path, questions: Path) -> None:
    model, out = write_encoder(tmp_path), tmp_path / "out"
    data = ["--questions", questions, "--data", tmp_path / "data"]
    options = ["--out", out, "--format", "openvino-int8", "--max-loss", 1, *data]
    ended = command("model", "export", model, *options, "--json")
    assert ended.code == 0, ended.err
    shown = json.loads(ended.out)
    assert shown["folder"] == str(out)
    assert shown["difference"]["n"] == len(codename_world().validation)
    assert (out / "README.md").exists()
    assert_one_line_error(command("model", "export", model, *options), "exists already")


def test_what_cannot_be_exported_is_one_line(command: Command, tmp_path: Path, questions: Path) -> None:
    data = ["--data", tmp_path / "data"]
    options = ["--out", tmp_path / "out", "--questions", questions, *data]
    assert_one_line_error(command("model", "export", "full", *options), "there is no data in")
    assert_one_line_error(command("model", "export", tmp_path, "--out", tmp_path / "out", *data), "has neither")
    assert_one_line_error(command("model", "restore", "full", *data), "there is no data in")
    assert not (tmp_path / "data").exists()
    Store(str(tmp_path / "data" / "lancedb"))
    assert_one_line_error(command("model", "export", "full", *options), "recipe full has no model")
    assert_one_line_error(command("model", "export", tmp_path / "nowhere", *options), "no such folder")
    assert_one_line_error(
        command("model", "export", "./ful", *options), "none of the recipes (decoder", "query_adapter"
    )
    assert_one_line_error(command("model", "export", tmp_path, *options, "--use"), "--use is for recipes")
    assert_one_line_error(command("model", "restore", "full", *data), "nothing to restore")
    assert not (tmp_path / "out").exists()


def test_an_export_that_is_stopped_leaves_nothing(
    command: Command, tmp_path: Path, questions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("acronis_pipeline.export.judge", lambda *_: signal.raise_signal(signal.SIGTERM))
    model, out = write_encoder(tmp_path / "model"), tmp_path / "exports" / "out"
    ended = command("model", "export", model, "--out", out, "--questions", questions, "--data", tmp_path / "data")
    assert ended.code == 130
    assert list(out.parent.iterdir()) == []
