import logging
from pathlib import Path

import numpy as np
import pytest

from acronis_pipeline.core.errors import ModelError, SettingsError
from acronis_pipeline.core.settings import EmbeddingEndpoint, load_settings
from acronis_pipeline.encoders import endpoint as endpoint_encoder
from acronis_pipeline.encoders import vector_cache
from acronis_pipeline.encoders.endpoint import EndpointEncoder, connect
from acronis_pipeline.store import Store
from acronis_pipeline_tests.evaluate.fake_embeddings import KEY, Script, serving

pytestmark = pytest.mark.server

AT_ONCE = {"retry-after-ms": "1"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "lancedb"))


def test_vectors_come_back_in_order_and_normalised_whatever_the_batches(store: Store) -> None:
    with serving(Script()) as endpoint:
        encoder = EndpointEncoder(endpoint.model_copy(update={"batch_size": 2}), 64)
        texts = ["alpha", "beta", "gamma", "delta", "epsilon"]
        together, alone = encoder.encode_passages(texts), [encoder.encode_passages([text])[0] for text in texts]
    assert together.shape == (5, 64)
    assert together.dtype == np.float32
    assert np.linalg.norm(together, axis=1) == pytest.approx(np.ones(5), abs=1e-6)
    assert together == pytest.approx(np.array(alone), abs=1e-6)


def test_dimension_is_asked_once_and_then_read_from_the_cache(store: Store) -> None:
    script = Script(dimension=48)
    with serving(script) as endpoint:
        encoder = connect(endpoint, store)
        vector_cache.embed_passages(store, encoder, ["one", "two"])
        asked = len(script.requests)
        again = connect(endpoint, store)
        vector_cache.embed_passages(store, again, ["two", "one"])
    assert again.identity == encoder.identity
    assert again.identity.dimension == 48
    assert len(script.requests) == asked == 2


def test_prompts_and_dimensions_are_sent_and_belong_to_the_identity() -> None:
    script = Script(dimension=8)
    with serving(script) as endpoint:
        prompted = endpoint.model_copy(update={"query_prompt": "query: ", "dimensions": 8})
        encoder = EndpointEncoder(prompted, 8)
        encoder.encode_queries(["how"])
        encoder.encode_passages(["so"])
    plain = EndpointEncoder(endpoint, 8).identity
    assert script.texts == ["query: how", "so"]
    assert {request["dimensions"] for request in script.requests} == {8}
    assert len({encoder.identity.query_fingerprint, plain.query_fingerprint, plain.document_fingerprint}) == 2
    assert encoder.identity.document_fingerprint != plain.document_fingerprint


def test_busy_and_failing_endpoint_is_asked_again_as_it_says() -> None:
    script = Script(failures=[(429, AT_ONCE), (500, AT_ONCE), (503, AT_ONCE)])
    with serving(script) as endpoint:
        assert EndpointEncoder(endpoint, 64).encode_queries(["how"]).shape == (1, 64)
    assert len(script.requests) == 4


@pytest.mark.parametrize(("status", "patience"), [(500, 2), (401, 1), (404, 1)])
def test_endpoint_that_keeps_refusing_is_named_without_its_key(status: int, patience: int) -> None:
    script = Script(failures=[(status, AT_ONCE)] * 9)
    with serving(script) as endpoint, pytest.raises(ModelError, match=rf"127\.0\.0\.1.* HTTP {status}") as raised:
        EndpointEncoder(endpoint.model_copy(update={"max_retries": 1}), 64).encode_queries(["how"])
    assert len(script.requests) == patience
    assert KEY not in str(raised.value)
    assert raised.value.__cause__ is raised.value.__context__ is None


def test_vectors_of_another_length_than_before_are_refused(store: Store) -> None:
    script = Script(dimension=16)
    with serving(script) as endpoint:
        encoder = connect(endpoint, store)
        script.dimension = 24
        with pytest.raises(
            ModelError, match=r"m at http://127\.0\.0\.1:\d+/v1 gave vectors of 24 numbers where it gave 16"
        ):
            encoder.encode_passages(["text"])


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ([], "0 vectors for 2 texts"),
        ([{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [1.0]}], "1 vectors for 2 texts"),
        ([{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0, 2.0]}], "1 and 2 numbers in one answer"),
        ([{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [0.0]}], "zero or no number"),
    ],
)
def test_answer_that_is_not_one_vector_a_text_is_refused(data: list, problem: str) -> None:
    rows = [{"object": "embedding"} | row for row in data]
    script = Script(body={"object": "list", "model": "m", "data": rows})
    with serving(script) as endpoint, pytest.raises(ModelError, match=problem):
        EndpointEncoder(endpoint, 1).encode_passages(["a", "b"])


def test_dead_endpoint_is_named(store: Store) -> None:
    endpoint = EmbeddingEndpoint.model_validate({"model": "m", "base_url": "http://127.0.0.1:9/v1", "max_retries": 0})
    with pytest.raises(ModelError, match=r"127\.0\.0\.1:9/v1 cannot be reached"):
        connect(endpoint, store)


def test_openai_without_a_key_is_refused_before_anything_is_sent(store: Store, monkeypatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ModelError, match="no key for embedding model text-embedding-3-small at OpenAI"):
        connect(EmbeddingEndpoint.model_validate({"model": "text-embedding-3-small"}), store)


def test_neither_key_nor_password_is_logged(store: Store, caplog) -> None:
    script = Script()
    with serving(script) as endpoint, caplog.at_level(logging.INFO), caplog.at_level(logging.INFO, "httpx2"):
        address = (endpoint.base_url or "").replace("http://", "http://user:password@")
        connect(endpoint.model_copy(update={"base_url": address}), store).encode_queries(["how"])
    assert script.headers[0]["authorization"].startswith("Basic ")
    assert "127.0.0.1" in caplog.text
    assert KEY not in caplog.text
    assert "password" not in caplog.text


def test_no_texts_are_no_request() -> None:
    script = Script()
    with serving(script) as endpoint:
        assert endpoint_encoder.EndpointEncoder(endpoint, 5).encode_passages([]).shape == (0, 5)
    assert script.requests == []


def test_mistake_in_the_settings_does_not_show_the_key(monkeypatch) -> None:
    monkeypatch.setenv("ACRONIS_PIPELINE_EVALUATION__EXTERNAL", f'[{{"api_key": "{KEY}"}}]')
    with pytest.raises(SettingsError, match=r"evaluation\.external\.0\.model") as raised:
        load_settings()
    assert KEY not in str(raised.value)


def test_setting_that_is_no_json_does_not_show_the_key(monkeypatch) -> None:
    monkeypatch.setenv("ACRONIS_PIPELINE_EVALUATION__EXTERNAL", f"[{{model: m, api_key: {KEY}}}]")
    with pytest.raises(SettingsError, match="EVALUATION__EXTERNAL") as raised:
        load_settings()
    assert KEY not in str(raised.value)
