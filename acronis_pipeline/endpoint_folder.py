"""A model folder whose encoder is an endpoint: which one, and the map that vectors of questions go through.

    acronis_pipeline.json    who the model is, as in every folder that we publish
    endpoint.json            model, address, prompts; never a key
    query_map.safetensors    `map`, (dimension, dimension) float32: a question's vector q becomes q + map q, normalised
    base/                    the same without the map, which is the untouched model

SentenceTransformer cannot load it: there are no weights here but the map's.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from acronis_pipeline import openai_address
from acronis_pipeline.embedding.identity import IDENTITY_FILE, ModelIdentity
from acronis_pipeline.endpoint_embedding import EndpointEmbedder
from acronis_pipeline.errors import ModelError
from acronis_pipeline.settings import EmbeddingEndpoint

ENDPOINT_FILE = "endpoint.json"
MAP_FILE = "query_map.safetensors"
BASE_FOLDER = "base"

_STORED = {"model", "dimensions", "query_prompt", "document_prompt"}


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


def load(folder: Path, identity: ModelIdentity, endpoints: Sequence[EmbeddingEndpoint]) -> EndpointEmbedder:
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
    return EndpointEmbedder(endpoint, identity.dimension, identity, query_map)


def _write_endpoint(endpoint: EmbeddingEndpoint, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    address = openai_address.shown(endpoint.base_url) if endpoint.base_url else None
    content = endpoint.model_dump(include=_STORED) | {"base_url": address}
    (folder / ENDPOINT_FILE).write_text(json.dumps(content, indent=1), "utf-8")


def _configured(stored: dict[str, Any], endpoints: Sequence[EmbeddingEndpoint]) -> EmbeddingEndpoint:
    where = openai_address.shown(stored["base_url"])
    for endpoint in endpoints:
        if endpoint.model == stored["model"] and openai_address.shown(endpoint.base_url) == where:
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
