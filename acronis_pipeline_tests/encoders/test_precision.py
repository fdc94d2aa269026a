"""In which precision models are run, and what bfloat16 in torch makes of them."""

import json
from pathlib import Path

import numpy as np
import pytest

from acronis_pipeline.core.errors import ModelError, SettingsError
from acronis_pipeline.core.settings import ModelSettings
from acronis_pipeline.encoders import TorchEncoder, in_precision, loading, openvino_encoder, precision_of, running
from acronis_pipeline.encoders.loading import PrecisionVerdict
from acronis_pipeline_tests.encoders.conftest import TEXTS, Shifted

pytestmark = pytest.mark.model


def never() -> Path:
    raise AssertionError("the model was looked for")


def verdicts(settings: ModelSettings) -> list[dict]:
    assert settings.cache_dir
    return [json.loads(file.read_text()) for file in settings.cache_dir.glob("*-precision.json")]


@pytest.fixture
def probing(settings: ModelSettings) -> ModelSettings:
    return settings.model_copy(update={"precision": "auto", "backend": "torch"})


@pytest.fixture
def eager(monkeypatch):
    """bfloat16 always wins: a model this small gains nothing, and its random weights lose more than trained ones."""
    monkeypatch.setattr(loading, "_WORTH_REDUCING", 0.0)
    monkeypatch.setattr(loading, "_SAME_IN_REDUCED", 0.99)


@pytest.mark.parametrize(
    ("asked", "has_gpu", "expected"),
    [
        ({}, False, "float32"),
        ({"precision": "bfloat16"}, False, "bfloat16"),
        ({"precision": "bfloat16"}, True, "bfloat16 in torch"),
        ({"precision": "bfloat16", "device": "cpu"}, True, "bfloat16"),
        ({"precision": "bfloat16", "device": "cuda"}, True, "bfloat16 in torch"),
        ({"precision": "bfloat16", "backend": "torch"}, False, "bfloat16 in torch"),
        ({"precision": "bfloat16", "backend": "openvino"}, True, "bfloat16"),
    ],
)
def test_bfloat16_is_computed_by_the_engine_asked_for_or_the_fastest_here(asked, has_gpu, expected, tiny, monkeypatch):
    monkeypatch.setattr(loading, "has_gpu", lambda: has_gpu)
    assert precision_of(tiny.identity, never, ModelSettings.model_validate(asked)) == expected


def test_bfloat16_without_the_extra_is_torchs(tiny, monkeypatch):
    monkeypatch.setattr(openvino_encoder, "is_installed", lambda: False)
    asked = ModelSettings.model_validate({"precision": "bfloat16"})
    assert precision_of(tiny.identity, never, asked) == "bfloat16 in torch"


@pytest.mark.parametrize("name", ["tiny", "adapted"])
def test_bfloat16_in_torch_is_near_and_another_model(name, request):
    exact: TorchEncoder = request.getfixturevalue(name)
    runs = TorchEncoder(exact.model, in_precision(exact.identity, "bfloat16 in torch"))
    assert runs.identity.model_id not in {exact.identity.model_id, in_precision(exact.identity, "bfloat16").model_id}
    for reduced, full in (
        (runs.encode_passages(TEXTS), exact.encode_passages(TEXTS)),
        (runs.encode_queries(TEXTS), exact.encode_queries(TEXTS)),
    ):
        assert reduced.dtype == np.float32
        assert np.allclose(np.linalg.norm(reduced, axis=1), 1, atol=1e-6)
        assert not np.array_equal(reduced, full)
        assert (reduced * full).sum(axis=1).min() > 0.999


def test_an_identity_in_torchs_bfloat16_runs_in_torch_whatever_the_settings_say(tiny, tiny_folder, settings):
    reduced = in_precision(tiny.identity, "bfloat16 in torch")
    runs = running(tiny_folder, reduced, settings.model_copy(update={"backend": "openvino"}))
    assert type(runs) is TorchEncoder
    assert runs.identity == reduced


def test_a_probe_decides_once_and_is_remembered(tiny, tiny_folder, probing, eager):
    assert precision_of(tiny.identity, lambda: tiny_folder, probing) == "bfloat16 in torch"
    (verdict,) = verdicts(probing)
    assert "times as fast" in verdict["reason"]
    assert precision_of(tiny.identity, never, probing) == "bfloat16 in torch"


def test_another_engine_is_probed_for_itself(tiny, tiny_folder, probing, eager):
    precision_of(tiny.identity, lambda: tiny_folder, probing)
    openvino = probing.model_copy(update={"backend": "openvino"})
    expected = "bfloat16" if openvino_encoder.has_bfloat16() else "float32"
    assert precision_of(tiny.identity, lambda: tiny_folder, openvino) == expected


def test_what_is_no_faster_is_not_worth_another_identity(tiny, tiny_folder, probing, eager, monkeypatch):
    monkeypatch.setattr(loading, "_WORTH_REDUCING", 1e9)
    assert precision_of(tiny.identity, lambda: tiny_folder, probing) == "float32"


def test_other_vectors_are_not_worth_any_speed(tiny, tiny_folder, probing, eager, monkeypatch):
    monkeypatch.setattr(loading, "running", lambda *_: Shifted(tiny, by=0.1))
    assert precision_of(tiny.identity, lambda: tiny_folder, probing) == "float32"


def test_a_processor_without_it_stays_with_float32_and_says_why(tiny, tiny_folder, probing, monkeypatch):
    def fail(*_args: object) -> TorchEncoder:
        raise ModelError("no such arithmetic")

    monkeypatch.setattr(loading, "running", fail)
    assert precision_of(tiny.identity, lambda: tiny_folder, probing) == "float32"
    assert verdicts(probing) == [vars(PrecisionVerdict("float32", "no such arithmetic"))]


def test_a_damaged_verdict_is_found_out_again(tiny, tiny_folder, probing, eager):
    precision_of(tiny.identity, lambda: tiny_folder, probing)
    assert probing.cache_dir
    for file in probing.cache_dir.glob("*.json"):
        file.write_text("{")
    assert precision_of(tiny.identity, lambda: tiny_folder, probing) == "bfloat16 in torch"


def test_a_verdict_needs_a_place(tiny):
    homeless = ModelSettings.model_validate({"precision": "auto"})
    with pytest.raises(SettingsError, match="cache_dir"):
        precision_of(tiny.identity, never, homeless)


def test_a_missing_engine_is_no_verdict(tiny, tiny_folder, probing, eager, monkeypatch):
    monkeypatch.setattr(openvino_encoder, "is_installed", lambda: False)
    openvino_encoder.openvino.cache_clear()
    with pytest.raises(ModelError, match=r"acronis-pipeline\[export\]"):
        precision_of(tiny.identity, lambda: tiny_folder, probing.model_copy(update={"backend": "openvino"}))
    openvino_encoder.openvino.cache_clear()
    assert not verdicts(probing)


def test_what_was_found_for_one_device_does_not_hold_for_another(tiny, tiny_folder, probing, eager):
    for device in (None, "cpu"):
        precision_of(tiny.identity, lambda: tiny_folder, probing.model_copy(update={"device": device}))
    assert len(verdicts(probing)) == 2


def test_an_exported_model_runs_in_no_precision_of_torchs(tiny):
    with pytest.raises(ModelError, match=r"does not run in bfloat16 in torch; set model\.precision"):
        openvino_encoder.compiled(None, "bfloat16 in torch")
