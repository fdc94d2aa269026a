"""Which engine runs a model, when it is decided, and what is remembered."""

import json
import shutil
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest

from acronis_pipeline import encoders
from acronis_pipeline.core.errors import IdentityMismatchError, ModelError, SettingsError
from acronis_pipeline.core.settings import ModelSettings, load_settings
from acronis_pipeline.encoders import TorchEncoder, in_precision, loading, openvino_encoder, running
from acronis_pipeline.encoders.loading import ChoosingEncoder, Verdict, decide
from acronis_pipeline.encoders.openvino_encoder import OpenVinoEncoder
from acronis_pipeline_tests.encoders.conftest import TEXTS, Shifted
from acronis_pipeline_tests.finetune.tiny_models import write_encoder

pytestmark = pytest.mark.model


def verdicts(settings: ModelSettings) -> list[dict]:
    assert settings.cache_dir
    return [json.loads(file.read_text()) for file in settings.cache_dir.glob("*.json")]


@pytest.fixture
def eager(monkeypatch):
    """Converting pays from ten texts on, and OpenVINO always wins."""
    monkeypatch.setattr(loading, "_WORTH_CONVERTING", 10)
    monkeypatch.setattr(loading, "_FASTER", 0.0)


def test_a_small_index_stays_in_torch_and_converts_nothing(tiny, tiny_folder, settings):
    runs = running(tiny_folder, tiny.identity, settings)
    assert np.allclose(runs.encode_passages(TEXTS), tiny.encode_passages(TEXTS), atol=2e-6)
    assert settings.cache_dir
    assert not settings.cache_dir.exists()


def test_many_texts_are_probed_once_and_the_verdict_is_remembered(tiny, tiny_folder, settings, eager, monkeypatch):
    first = running(tiny_folder, tiny.identity, settings)
    first.encode_queries(TEXTS[:4])
    assert not verdicts(settings)
    vectors = first.encode_passages(TEXTS)
    (verdict,) = verdicts(settings)
    assert verdict["engine"] == "openvino"
    assert verdict["least_cosine"] > 0.99999
    assert np.allclose(vectors, tiny.encode_passages(TEXTS), atol=5e-6)

    def refuse(*_args, **_kwargs):
        raise AssertionError("torch was loaded")

    monkeypatch.setattr(loading, "load_in_torch", refuse)
    again = running(tiny_folder, tiny.identity, settings)
    assert np.allclose(again.encode_queries(["Falcon"]), tiny.encode_queries(["Falcon"]), atol=5e-6)


def test_the_slower_engine_is_not_chosen(tiny, tiny_folder, settings, eager, monkeypatch):
    monkeypatch.setattr(loading, "_FASTER", 1e9)
    runs = running(tiny_folder, tiny.identity, settings)
    assert np.array_equal(runs.encode_passages(TEXTS), tiny.encode_passages(TEXTS))
    assert verdicts(settings)[0]["engine"] == "torch"


def test_an_engine_with_other_vectors_is_not_chosen(tiny, monkeypatch):
    monkeypatch.setattr(loading, "_FASTER", 0.0)
    assert decide(tiny, Shifted(tiny), TEXTS).engine == "torch"
    assert decide(tiny, tiny, TEXTS).engine == "openvino"


def test_a_model_that_cannot_be_converted_runs_in_torch_and_says_why(tiny, tiny_folder, settings, eager, monkeypatch):
    def fail(_encoder: TorchEncoder, _folder: Path) -> None:
        raise ModelError("no such operation")

    monkeypatch.setattr(loading, "write_openvino", fail)
    runs = running(tiny_folder, tiny.identity, settings)
    assert np.array_equal(runs.encode_passages(TEXTS), tiny.encode_passages(TEXTS))
    assert verdicts(settings)[0] == vars(Verdict("torch", "no such operation"))


def test_a_cache_that_cannot_be_written_costs_speed_only(tiny, tiny_folder, settings, eager):
    assert settings.cache_dir
    settings.cache_dir.write_text("no folder")
    runs = running(tiny_folder, tiny.identity, settings)
    assert np.array_equal(runs.encode_passages(TEXTS), tiny.encode_passages(TEXTS))


def test_a_copy_that_was_deleted_is_made_again(tiny, tiny_folder, settings, eager):
    running(tiny_folder, tiny.identity, settings).encode_passages(TEXTS)
    assert settings.cache_dir
    (copy,) = [path for path in settings.cache_dir.iterdir() if path.is_dir()]
    shutil.rmtree(copy)
    running(tiny_folder, tiny.identity, settings).encode_passages(TEXTS)
    assert copy.is_dir()


def test_a_damaged_verdict_is_found_out_again(tiny, tiny_folder, settings, eager):
    running(tiny_folder, tiny.identity, settings).encode_passages(TEXTS)
    assert settings.cache_dir
    for file in settings.cache_dir.glob("*.json"):
        file.write_text("{")
    running(tiny_folder, tiny.identity, settings).encode_passages(TEXTS)
    assert verdicts(settings)[0]["engine"] == "openvino"


def test_settings_name_the_engine(tiny, tiny_folder, settings):
    torch = settings.model_copy(update={"backend": "torch"})
    assert type(running(tiny_folder, tiny.identity, torch)) is TorchEncoder
    openvino = running(tiny_folder, tiny.identity, settings.model_copy(update={"backend": "openvino"}))
    assert isinstance(openvino, OpenVinoEncoder)
    assert np.allclose(openvino.encode_passages(TEXTS), tiny.encode_passages(TEXTS), atol=5e-6)


def test_the_identity_names_the_precision_whatever_the_settings_say(tiny, tiny_folder, settings):
    if not openvino_encoder.has_bfloat16():
        pytest.skip("this processor has no bfloat16")
    reduced = in_precision(tiny.identity, "bfloat16")
    runs = running(tiny_folder, reduced, settings.model_copy(update={"backend": "torch"}))
    assert runs.identity == reduced
    assert not np.array_equal(runs.encode_passages(TEXTS), tiny.encode_passages(TEXTS))


def test_an_accelerator_stays_with_torch(tiny, tiny_folder, settings):
    on_gpu = settings.model_copy(update={"device": "meta"})
    assert not isinstance(running(tiny_folder, tiny.identity, on_gpu), ChoosingEncoder)


def test_without_the_extra_everything_runs_in_torch(tiny, tiny_folder, settings, monkeypatch):
    monkeypatch.setattr(openvino_encoder, "is_installed", lambda: False)
    assert type(running(tiny_folder, tiny.identity, settings)) is TorchEncoder
    openvino_encoder.openvino.cache_clear()
    with pytest.raises(ModelError, match=r"acronis-pipeline\[export\]"):
        running(tiny_folder, tiny.identity, settings.model_copy(update={"backend": "openvino"}))
    openvino_encoder.openvino.cache_clear()


def test_converted_models_are_kept_in_the_data_folder(tmp_path, tiny, tiny_folder):
    assert load_settings(tmp_path).model.cache_dir == tmp_path / "encoders"
    homeless = ModelSettings.model_validate({"backend": "openvino"})
    with pytest.raises(SettingsError, match="cache_dir"):
        running(tiny_folder, tiny.identity, homeless)


def test_a_folder_that_holds_another_model_by_now_is_refused(tmp_path, settings):
    folder = write_encoder(tmp_path / "mine")
    identity = encoders.describe(folder, base=str(folder))
    weights = folder / "model.safetensors"
    running(folder, identity, settings)
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(IdentityMismatchError, match=f"{folder} now holds model .*, not {identity.model_id}"):
        running(folder, identity, settings)
    for reduced in ("bfloat16", "bfloat16 in torch"):
        with pytest.raises(IdentityMismatchError):
            running(folder, in_precision(identity, reduced), settings)


@pytest.mark.parametrize("asked", [{"backend": "openvino"}, {"precision": "bfloat16"}])
def test_a_missing_extra_is_named_where_it_was_never_installed(asked, tiny, tiny_folder, settings, monkeypatch):
    def unknown(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(openvino_encoder, "is_installed", lambda: False)
    monkeypatch.setattr(loading, "version", unknown)
    openvino_encoder.openvino.cache_clear()
    identity = in_precision(tiny.identity, asked.get("precision", "float32"))
    with pytest.raises(ModelError, match=r"acronis-pipeline\[export\]"):
        running(tiny_folder, identity, settings.model_copy(update=asked))
    openvino_encoder.openvino.cache_clear()


def test_what_was_found_for_one_device_does_not_hold_for_another(tiny, tiny_folder, settings, eager):
    running(tiny_folder, tiny.identity, settings).encode_passages(TEXTS)
    running(tiny_folder, tiny.identity, settings.model_copy(update={"device": "cpu"})).encode_passages(TEXTS)
    assert len(verdicts(settings)) == 2


def test_a_disk_that_is_full_today_decides_nothing_for_tomorrow(tiny, tiny_folder, settings, eager, monkeypatch):
    def full(_encoder: TorchEncoder, _folder: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(loading, "write_openvino", full)
    runs = running(tiny_folder, tiny.identity, settings)
    assert np.array_equal(runs.encode_passages(TEXTS), tiny.encode_passages(TEXTS))
    assert not verdicts(settings)
