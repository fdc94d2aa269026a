"""Models converted to OpenVINO: the same vectors, on both sides."""

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from acronis_pipeline.core.errors import ModelError
from acronis_pipeline.encoders import ModelIdentity, TorchEncoder, in_precision, openvino_encoder
from acronis_pipeline.encoders.conversion import write_openvino
from acronis_pipeline.encoders.openvino_encoder import MANIFEST, OpenVinoEncoder, make_once
from acronis_pipeline_tests.encoders.conftest import TEXTS
from acronis_pipeline_tests.encoders.test_torch import decoder

pytestmark = pytest.mark.model


def converted(encoder, folder: Path) -> OpenVinoEncoder:
    make_once(folder, lambda partial: write_openvino(encoder, partial))
    return OpenVinoEncoder(folder, encoder.identity)


@pytest.mark.parametrize("name", ["tiny", "adapted"])
def test_converted_model_gives_the_same_vectors_on_both_sides(name, request, tmp_path):
    encoder = request.getfixturevalue(name)
    runs = converted(encoder, tmp_path / "copy")
    assert np.allclose(runs.encode_queries(TEXTS), encoder.encode_queries(TEXTS), atol=5e-6)
    assert np.allclose(runs.encode_passages(TEXTS), encoder.encode_passages(TEXTS), atol=5e-6)
    assert runs.encode_passages([]).shape == (0, 32)


def test_few_texts_and_many_have_the_same_vectors_in_their_own_order(tiny, tmp_path):
    runs = converted(tiny, tmp_path / "copy")
    runs.batch_size = 2  # many batches, side by side
    texts = [f"{text} {number}" for number in range(5) for text in TEXTS]
    assert np.allclose(runs.encode_passages(texts), tiny.encode_passages(texts), atol=5e-6)
    assert np.allclose(runs.encode_passages(texts[:2]), tiny.encode_passages(texts[:2]), atol=5e-6)


def test_sides_that_do_not_differ_share_a_graph(tiny, adapted, tmp_path):
    converted(tiny, tmp_path / "one")
    converted(adapted, tmp_path / "two")
    assert {file.name for file in (tmp_path / "one").glob("*.xml")} == {"model.xml"}
    assert {file.name for file in (tmp_path / "two").glob("*.xml")} == {"query.xml", "document.xml"}


def test_a_model_that_openvino_computes_wrongly_is_not_converted(tmp_path):
    encoder = TorchEncoder(decoder(tmp_path), ModelIdentity("decoder", "q", "d", 32, 64))
    with pytest.raises(ModelError, match="decoder is padded on its left"):
        converted(encoder, tmp_path / "copy")


def test_bfloat16_is_near_and_another_model(tiny, tmp_path):
    if not openvino_encoder.has_bfloat16():
        with pytest.raises(ModelError, match="no bfloat16"):
            openvino_encoder.compiled(None, "bfloat16")
        return
    converted(tiny, tmp_path / "copy")
    identity = in_precision(tiny.identity, "bfloat16")
    found = OpenVinoEncoder(tmp_path / "copy", identity).encode_passages(TEXTS)
    exact = tiny.encode_passages(TEXTS)
    assert (found * exact).sum(axis=1).min() > 0.999
    assert not np.array_equal(found, exact)
    assert identity.model_id != tiny.identity.model_id


def test_only_a_reduced_precision_makes_another_identity():
    exact = ModelIdentity("base", "q", "d", 4, 8)
    assert in_precision(exact, "float32") is exact
    reduced = in_precision(exact, "int8", "calibrated on this")
    assert in_precision(reduced, "bfloat16") is reduced
    assert len({exact.model_id, reduced.model_id, in_precision(exact, "int8", "on that").model_id}) == 3
    assert ModelIdentity.from_json(reduced.to_json()) == reduced


def test_an_identity_written_before_there_were_precisions_is_float32():
    values = json.loads(ModelIdentity("base", "q", "d", 4, 8).to_json())
    del values["precision"]
    assert ModelIdentity.from_json(json.dumps(values)) == ModelIdentity("base", "q", "d", 4, 8)


def test_a_broken_copy_is_named(tiny, tmp_path):
    folder = tmp_path / "copy"
    converted(tiny, folder)
    (folder / "model.xml").write_text("<no graph")
    with pytest.raises(ModelError, match=f"converted model in {folder} does not load"):
        OpenVinoEncoder(folder, tiny.identity).encode_passages(["text"])
    (folder / MANIFEST).write_text(json.dumps({"layout": 99}))
    with pytest.raises(ModelError, match="layout 99"):
        OpenVinoEncoder(folder, tiny.identity)
    (folder / MANIFEST).write_text("{")
    with pytest.raises(ModelError, match="cannot be read"):
        OpenVinoEncoder(folder, tiny.identity)


def test_a_conversion_that_fails_leaves_nothing(tmp_path):
    def fail(partial: Path) -> None:
        (partial / "half").write_text("half")
        raise ModelError("no")

    with pytest.raises(ModelError):
        make_once(tmp_path / "copy", fail)
    assert list(tmp_path.iterdir()) == []


def test_those_who_convert_at_the_same_time_agree(tmp_path):
    both_are_at_it = threading.Barrier(2)

    def fill(partial: Path) -> None:
        both_are_at_it.wait(timeout=10)
        (partial / "whole").write_text("whole")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: make_once(tmp_path / "copy", fill), range(2)))
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]
    assert (tmp_path / "copy" / "whole").exists()


def test_importing_the_engine_reports_to_nobody():
    openvino_encoder.openvino()
    assert sys.modules.get("openvino_telemetry") is None
