"""Encoders behind an OpenAI-compatible embeddings endpoint, with an identity and a folder as every other one has.

The folder says which endpoint it is, and holds the map that vectors of questions go through:

    acronis_pipeline.json    who the model is, as in every folder that we publish
    endpoint.json            model, address, prompts; never a key
    query_map.safetensors    `map`, (dimension, dimension) float32: a question's vector q becomes q + map q, normalised
    base/                    the same without the map, which is the untouched model

SentenceTransformer cannot load it: there are no weights here but the map's.
"""

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from acronis_pipeline.core import addresses
from acronis_pipeline.core.errors import ModelError
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.core.settings import EmbeddingEndpoint
from acronis_pipeline.encoders import vector_cache
from acronis_pipeline.encoders.encoder import Encoder
from acronis_pipeline.encoders.identity import IDENTITY_FILE, ModelIdentity
from acronis_pipeline.store import Store, tables

ENDPOINT_FILE = "endpoint.json"
MAP_FILE = "query_map.safetensors"
BASE_FOLDER = "base"

PRECISION = "remote"
"""Set by whoever runs the endpoint; no setting of ours makes another model of it."""

_STORED = {"model", "dimensions", "query_prompt", "document_prompt"}
_NO_KEY = "none"
_SAMPLE = "How long are the vectors of this model?"


class EndpointEncoder(Encoder):
    """Asks an endpoint for vectors: in batches, several at once, again after time-outs, 429 and 5xx.

    Parameters
    ----------
    endpoint
        Where to ask, for which model.
    dimension
        Length of its vectors; a vector of any other length is refused.
    identity
        Of a model that was trained on top of it; the endpoint's own by default.
    query_map
        Shape (dimension, dimension): a question's vector q becomes q + query_map q.
    """

    def __init__(
        self,
        endpoint: EmbeddingEndpoint,
        dimension: int,
        identity: ModelIdentity | None = None,
        query_map: np.ndarray | None = None,
    ) -> None:
        super().__init__(identity or identify(endpoint, dimension))
        self.endpoint = endpoint
        self._query_map = query_map
        self._client: Any = None

    def encode_queries(self, queries: Sequence[str]) -> np.ndarray:
        """Shape (n_queries, dimension) float32, L2-normalised; the query prompt is applied.

        Raises
        ------
        ModelError
            If the endpoint refuses, does not answer, or does not give one vector of the right length a text.
        """
        vectors = self._ask(self.endpoint.query_prompt, queries)
        return vectors if self._query_map is None else mapped(vectors, self._query_map)

    def encode_passages(self, passages: Sequence[str]) -> np.ndarray:
        """Shape (n_passages, dimension) float32, L2-normalised; the document prompt is applied. Raises as above."""
        return self._ask(self.endpoint.document_prompt, passages)

    def _ask(self, prompt: str, texts: Sequence[str]) -> np.ndarray:
        dimension = self.identity.dimension
        size = self.endpoint.batch_size
        batches = [[prompt + text for text in texts[start : start + size]] for start in range(0, len(texts), size)]
        self._client = self._client or _client(self.endpoint)
        with ThreadPoolExecutor(self.endpoint.concurrency) as pool:
            parts = list(pool.map(lambda batch: _request(self._client, self.endpoint, batch), batches))
        for part in parts:
            if part.shape[1] != dimension:
                raise ModelError(
                    f"{_name(self.endpoint)} gave vectors of {part.shape[1]} numbers where it gave {dimension} before; "
                    "another model answers under this name: rename it in the settings, or mend the endpoint"
                )
        return np.concatenate(parts) if parts else np.zeros((0, dimension), np.float32)


def connect(endpoint: EmbeddingEndpoint, store: Store) -> EndpointEncoder:
    """The endpoint's encoder. How long its vectors are is read from `store`'s cache of them, or else asked.

    Raises
    ------
    ModelError
        If the endpoint has to be asked and refuses, does not answer, or gives no vector.
    """
    cache = tables.vectors_name(identify(endpoint, 0).document_fingerprint)
    if store.exists(cache):
        return EndpointEncoder(endpoint, tables.dimension_of(store.open(cache).schema))
    return EndpointEncoder(endpoint, _request(_client(endpoint), endpoint, [_SAMPLE]).shape[1])


def require_steady(encoder: EndpointEncoder) -> None:
    """Ask for a short and a long text, each by itself: what a day of training builds on should hold still.

    Raises
    ------
    ModelError
        If the endpoint does not answer, or gives vectors of another length than before or of changing length.
    """
    for text in (_SAMPLE, " ".join([_SAMPLE] * 30)):
        encoder.encode_queries([text])


def mapped(vectors: np.ndarray, query_map: np.ndarray) -> np.ndarray:
    """(n, dimension) vectors after a residual map, L2-normalised."""
    moved = vectors + vectors @ query_map.T
    return moved / np.linalg.norm(moved, axis=1, keepdims=True)


def identify(endpoint: EmbeddingEndpoint, dimension: int) -> ModelIdentity:
    """Named by address and model: what stands behind them, and in which precision it computes, is not known.

    How long a text may be is the endpoint's affair, hence no `max_seq_length`.
    """
    where = addresses.shown(endpoint.base_url)
    model = digest("endpoint", where, endpoint.model, str(endpoint.dimensions))
    return ModelIdentity(
        base=f"{endpoint.model} at {where}",
        query_fingerprint=digest(model, endpoint.query_prompt),
        document_fingerprint=digest(model, endpoint.document_prompt),
        dimension=dimension,
        max_seq_length=0,
        query_prompt=endpoint.query_prompt,
        document_prompt=endpoint.document_prompt,
        precision=PRECISION,
    )


def _request(client: Any, endpoint: EmbeddingEndpoint, texts: Sequence[str]) -> np.ndarray:
    """Vectors of one request, shape (n_texts, dimension) float32, L2-normalised."""
    import openai

    shortened = {"dimensions": endpoint.dimensions} if endpoint.dimensions else {}
    try:
        answer = client.embeddings.create(
            model=endpoint.model,
            input=list(texts),
            encoding_format="float",  # many servers know no other
            **shortened,
        )
    except openai.APIStatusError as error:
        problem = f"answered HTTP {error.status_code} ({_without_key(error.response.text, endpoint)})"
    except openai.APITimeoutError:
        problem = f"did not answer within {endpoint.timeout_s:g} s"
    except openai.APIConnectionError as error:
        problem = f"cannot be reached ({type(error.__cause__ or error).__name__})"
    except (openai.OpenAIError, ValueError) as error:  # a body that is no answer to such a request
        problem = f"gave no vectors ({_without_key(str(error), endpoint)})"
    else:
        return _matrix(answer, len(texts), endpoint)
    # Outside of `except`: an error raised in there would carry the server's words, which may repeat the key.
    raise ModelError(f"{_name(endpoint)} {problem}; check address, model and key of the endpoint")


def _matrix(answer: Any, n_texts: int, endpoint: EmbeddingEndpoint) -> np.ndarray:
    found = {item.index: item.embedding for item in getattr(answer, "data", None) or ()}
    if sorted(found) != list(range(n_texts)):
        raise ModelError(f"{_name(endpoint)} gave {len(found)} vectors for {n_texts} texts; mend the endpoint")
    lengths = {len(vector) for vector in found.values()}
    if len(lengths) > 1:
        raise ModelError(
            f"{_name(endpoint)} gave vectors of {' and '.join(map(str, sorted(lengths)))} numbers in one answer; "
            "mend the endpoint"
        )
    matrix = np.array([found[index] for index in range(n_texts)], np.float32)
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    if not np.all(np.isfinite(norms) & (norms > 0)):
        raise ModelError(f"{_name(endpoint)} gave a vector that is zero or no number; mend the endpoint")
    return matrix / norms


def _client(endpoint: EmbeddingEndpoint) -> Any:
    from openai import OpenAI

    key = _key(endpoint)
    if key == _NO_KEY and endpoint.base_url is None:
        raise ModelError(
            f"no key for {_name(endpoint)}; set OPENAI_API_KEY, or api_key or base_url of the embedding endpoint"
        )
    arguments = addresses.client_arguments(endpoint.base_url, key, endpoint.timeout_s)
    return OpenAI(**arguments, max_retries=endpoint.max_retries)


def _key(endpoint: EmbeddingEndpoint) -> str:
    if endpoint.api_key:
        return endpoint.api_key.get_secret_value()
    return os.environ.get("OPENAI_API_KEY", "") or _NO_KEY  # the client insists on a key


def _without_key(text: str, endpoint: EmbeddingEndpoint) -> str:
    return " ".join(text.replace(_key(endpoint), "…").split())[:200]


def _name(endpoint: EmbeddingEndpoint) -> str:
    return f"embedding model {endpoint.model} at {addresses.shown(endpoint.base_url)}"


def is_endpoint(folder: Path) -> bool:
    """Whether the model of a folder is behind an endpoint."""
    return (folder / ENDPOINT_FILE).exists()


@dataclass(frozen=True)
class EndpointModel:
    """What a trainer hands to publishing in place of a SentenceTransformer.

    `query_map` is None for the untouched model, whose identity `base` is.
    """

    endpoint: EmbeddingEndpoint
    base: ModelIdentity
    query_map: np.ndarray | None = None

    def state_dict(self) -> dict[str, Any]:
        """The trained weights, by which publishing names the model."""
        import torch

        return {} if self.query_map is None else {"map": torch.from_numpy(self.query_map)}

    def get_embedding_dimension(self) -> int:
        return self.base.dimension

    def save_pretrained(self, folder: str, **_: object) -> None:
        """Write everything but the identity, which publishing adds."""
        from safetensors.numpy import save_file

        root = Path(folder)
        _write_endpoint(self.endpoint, root)
        _write_endpoint(self.endpoint, root / BASE_FOLDER)
        (root / BASE_FOLDER / IDENTITY_FILE).write_text(self.base.to_json(), "utf-8")
        if self.query_map is not None:
            save_file({"map": np.ascontiguousarray(self.query_map, np.float32)}, root / MAP_FILE)


class RememberedEndpoint(Encoder):
    """An endpoint to train on top of: it is asked for a question once, whose vector is kept as those of passages are.

    `model` is what is published where training gains nothing.
    """

    def __init__(self, encoder: EndpointEncoder, store: Store) -> None:
        super().__init__(encoder.identity)
        self.model = EndpointModel(encoder.endpoint, encoder.identity)
        self._encoder = encoder
        self._store = store

    def encode_queries(self, queries: Sequence[str]) -> np.ndarray:
        return vector_cache.embed_queries(self._store, self._encoder, queries)

    def encode_passages(self, passages: Sequence[str]) -> np.ndarray:
        return self._encoder.encode_passages(passages)


def load_endpoint(folder: Path, identity: ModelIdentity, endpoints: Sequence[EmbeddingEndpoint]) -> EndpointEncoder:
    """The encoder of such a folder.

    Parameters
    ----------
    endpoints
        The configured ones: key, time limits and request sizes are theirs. Without one of the folder's model and
        address the key is OPENAI_API_KEY's.

    Raises
    ------
    ModelError
        If the folder's files cannot be read.
    """
    try:
        stored = json.loads((folder / ENDPOINT_FILE).read_text("utf-8"))
        endpoint = _configured(stored, endpoints)
        query_map = _read_map(folder / MAP_FILE)
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"model in {folder} does not load ({reason}); train it again") from error
    if query_map is not None and query_map.shape != (identity.dimension, identity.dimension):
        raise ModelError(f"map in {folder} is {query_map.shape}, not of {identity.dimension} numbers; train it again")
    return EndpointEncoder(endpoint, identity.dimension, identity, query_map)


def _write_endpoint(endpoint: EmbeddingEndpoint, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    address = addresses.shown(endpoint.base_url) if endpoint.base_url else None
    content = endpoint.model_dump(include=_STORED) | {"base_url": address}
    (folder / ENDPOINT_FILE).write_text(json.dumps(content, indent=1), "utf-8")


def _configured(stored: dict[str, Any], endpoints: Sequence[EmbeddingEndpoint]) -> EmbeddingEndpoint:
    where = addresses.shown(stored["base_url"])
    for endpoint in endpoints:
        if endpoint.model == stored["model"] and addresses.shown(endpoint.base_url) == where:
            return endpoint.model_copy(update={name: stored[name] for name in _STORED})
    return EmbeddingEndpoint.model_validate(stored)


def _read_map(file: Path) -> np.ndarray | None:
    if not file.exists():
        return None
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(file)["map"]
    except SafetensorError as error:
        raise ValueError(str(error)) from error
