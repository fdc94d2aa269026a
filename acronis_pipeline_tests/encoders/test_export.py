"""Exports: judged beside the original, refused below a floor, run by plain tools and by the pipeline itself."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from acronis_pipeline import encoders
from acronis_pipeline import export as exporting
from acronis_pipeline.champion import Contender, ServedModel
from acronis_pipeline.champion.serving import model_of
from acronis_pipeline.core.dataset import RetrievalDataset
from acronis_pipeline.core.errors import DatasetError, ModelError, OutputError
from acronis_pipeline.encoders import TorchEncoder, Windows, running
from acronis_pipeline.export import Exported, export, restore, serve
from acronis_pipeline.models import records
from acronis_pipeline.models.indexed import indexed_base, indexed_model, require_model
from acronis_pipeline.models.records import ModelRecord, model_named
from acronis_pipeline.retrieve import System
from acronis_pipeline.store import Store
from acronis_pipeline_tests.encoders.conftest import TEXTS

pytestmark = [pytest.mark.model, pytest.mark.server]

PLAIN = """
import json, re, sys
from pathlib import Path
blocks = re.findall(r"```python\\n(.*?)```", Path("README.md").read_text(), re.S)
texts = json.load(sys.stdin)
for block in blocks:
    exec(block)
    print(json.dumps(encode(texts).tolist()))
assert not [name for name in sys.modules if name.split(".")[0] in ("acronis_pipeline", "torch", "transformers")]
"""


def run_readme(folder: Path, texts: list[str]) -> list[np.ndarray]:
    """What the README's own programs print, for questions and for passages, without any code of ours."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"CI": "true"}
    ended = subprocess.run(
        [sys.executable, "-c", PLAIN],
        cwd=folder,
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert ended.returncode == 0, ended.stderr
    return [np.array(json.loads(line), np.float32) for line in ended.stdout.splitlines()]


@pytest.mark.parametrize(("name", "layout"), [("tiny", "onnx"), ("adapted", "onnx"), ("adapted", "openvino")])
def test_readme_runs_with_plain_tools_and_gives_the_same_vectors(name, layout, request, dataset, tmp_path):
    encoder = request.getfixturevalue(name)
    done = export(encoder, dataset, tmp_path / "out", layout)
    queries, passages = run_readme(done.folder, TEXTS)
    assert np.allclose(queries, encoder.encode_queries(TEXTS), atol=5e-6)
    assert np.allclose(passages, encoder.encode_passages(TEXTS), atol=5e-6)


def test_figures_are_those_of_both_on_the_same_questions(tiny, dataset, tmp_path):
    done = export(tiny, dataset, tmp_path / "out", "onnx")
    judged = done.judgement
    assert judged.original == judged.exported
    assert (judged.difference.mean, judged.difference.n) == (0.0, len(dataset.test))
    assert done.identity == done.source == tiny.identity
    written = json.loads((done.folder / "export.json").read_text())
    assert written["original"] == judged.original
    assert min(written["speed"]["original_per_s"], written["speed"]["exported_per_s"]) > 0
    assert f"{judged.original:.4f}" in (done.folder / "README.md").read_text()


@pytest.fixture(scope="module")
def int8(tiny, tmp_path_factory) -> Exported:
    from acronis_pipeline_tests.finetune.worlds import codename_world

    world = codename_world()
    folder = tmp_path_factory.mktemp("int8") / "out"
    return export(tiny, replace(world, test=world.validation), folder, "openvino-int8", max_loss=1.0)


def test_int8_is_near_and_another_model(int8, tiny, settings):
    runs = running(int8.folder, int8.identity, settings)
    texts = TEXTS[:10]
    assert (runs.encode_passages(texts) * tiny.encode_passages(texts)).sum(axis=1).min() > 0.9
    assert int8.identity.precision == "int8"
    assert int8.identity.model_id != tiny.identity.model_id
    assert encoders.describe(int8.folder, base="", max_seq_length=1) == int8.identity
    assert b'"i8"' in (int8.folder / "model.xml").read_bytes()


def test_readme_tells_how_a_passage_gets_several_vectors(tiny, dataset, tmp_path):
    windowed = TorchEncoder(tiny.model, replace(tiny.identity, windows=Windows(8, 4, 0.25)))
    told = (export(windowed, dataset, tmp_path / "out", "openvino").folder / "README.md").read_text()
    assert "windows of 8 tokens, each sharing 4 with the next" in told
    assert "0.25 times the whole passage's plus 0.75 times the window's" in told


def test_a_model_that_may_lose_too_much_is_not_written(tiny, dataset, tmp_path):
    with pytest.raises(ModelError, match=r"openvino-int8 is not exported: .* so a loss above -1 is possible"):
        export(tiny, dataset, tmp_path / "out", "openvino-int8", max_loss=-1)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten_and_nothing_is_judged_by_nothing(tiny, dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "write", lambda *_: pytest.fail("it was converted before"))
    with pytest.raises(OutputError, match="exists already"):
        export(tiny, dataset, tmp_path, "onnx")
    with pytest.raises(DatasetError, match="no test question"):
        export(tiny, replace(dataset, test=()), tmp_path / "out", "onnx")
    with pytest.raises(DatasetError, match="no passages"):
        export(tiny, RetrievalDataset(()), tmp_path / "out", "onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("layout", "needs"),
    [("onnx", "onnx and openvino"), ("openvino", "openvino"), ("openvino-int8", "openvino and nncf")],
)
def test_a_format_without_its_libraries_names_them_and_the_extra(layout, needs, tiny, dataset, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=rf"format {layout} needs {needs}; `pip install 'acronis-pipeline\[export\]'`"):
        export(tiny, dataset, tmp_path / "out", layout)


@pytest.fixture
def trained(tiny, tiny_folder, tmp_path) -> tuple[Store, ModelRecord]:
    """A recipe whose model is the tiny one."""
    store = Store(str(tmp_path / "lancedb"))
    metrics = {"chosen": "step 0"}
    record = ModelRecord("r", "full", "key", tiny_folder, tiny.identity, tiny.identity, metrics, datetime.now(UTC))
    records.write(store, record)
    return store, record


def test_a_recipe_runs_on_its_export_until_it_is_restored(trained, int8, settings):
    store, record = trained
    serve(store, record, int8)
    indexed = indexed_model(require_model(store, "full"), settings)
    assert indexed.encoder.identity == int8.identity
    assert int8.identity.model_id in indexed.table
    assert indexed.encoder.encode_queries(["Falcon"]).shape == (1, 32)
    assert indexed_base(require_model(store, "full"), settings).encoder.identity == record.identity
    assert restore(store, "full").folder == record.folder
    assert indexed_model(require_model(store, "full"), settings).encoder.identity == record.identity
    with pytest.raises(ModelError, match="nothing to restore"):
        restore(store, "full")


def test_an_export_stays_in_openvino_where_bfloat16_is_torchs(trained, int8, settings):
    store, record = trained
    asked = settings.model_copy(update={"precision": "bfloat16", "backend": "torch"})
    in_torch = indexed_model(record, asked).encoder.identity
    assert in_torch.precision == "bfloat16 in torch"
    serve(store, record, replace(int8, identity=record.identity))
    taken = require_model(store, "full")
    assert indexed_model(taken, asked).encoder.identity == record.identity
    assert indexed_base(taken, asked).encoder.identity == in_torch
    named = model_named(store, "full", in_torch.model_id)
    assert named
    assert named.folder == record.folder


def test_an_export_that_is_gone_can_be_restored_from(trained, int8, settings, tmp_path):
    store, record = trained
    taken = serve(store, record, replace(int8, folder=tmp_path / "gone"))
    assert taken.is_export
    with pytest.raises(ModelError, match=r"the export .*gone, which it runs on, is gone; .*model restore full"):
        require_model(store, "full")
    assert restore(store, "full").folder == record.folder
    assert require_model(store, "full").folder == record.folder


def test_an_export_with_the_same_vectors_is_the_same_model_to_the_registry(trained, int8):
    store, record = trained
    known = replace(record, registry_version="2")
    assert serve(store, known, int8).registry_version is None
    assert serve(store, known, replace(int8, identity=known.identity)).registry_version == "2"


def test_a_champion_on_bfloat16_finds_its_model(trained, settings):
    store, record = trained
    reduced = indexed_model(record, settings.model_copy(update={"precision": "bfloat16"})).encoder.identity
    assert reduced.model_id != record.identity.model_id
    found = model_named(store, "full", reduced.model_id)
    assert found
    assert found.identity_named(reduced.model_id) == reduced
    contender = Contender("full", System("fine_tuned", "dense", "table"), reduced.model_id, "report")
    assert model_of(store, contender) == ServedModel(str(record.folder), reduced)
