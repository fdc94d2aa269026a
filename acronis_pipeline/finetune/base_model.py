"""The model that a recipe starts from: a local one, or one behind an embedding endpoint (`endpoint:<model>`)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from acronis_pipeline import cross_encoder, embedding, endpoint_embedding, vectors
from acronis_pipeline.embedding import IDENTITY_FILE, Embedder, ModelIdentity
from acronis_pipeline.endpoint_embedding import EndpointEmbedder
from acronis_pipeline.endpoint_folder import EndpointModel
from acronis_pipeline.errors import ModelError, RecipeError
from acronis_pipeline.finetune.recipe import ENDPOINT_PREFIX, Recipe
from acronis_pipeline.settings import EmbeddingEndpoint
from acronis_pipeline.store import Store


@dataclass(frozen=True)
class BaseModel:
    """A base ready to use; `load` gives a copy of its own to those who change weights."""

    identity: ModelIdentity
    load: Callable[..., Embedder]


def open_base(
    recipe: Recipe,
    store: Store,
    *,
    device: str | None = None,
    batch_size: int = 32,
    endpoints: Sequence[EmbeddingEndpoint] = (),
) -> BaseModel:
    """The recipe's base, known to work: an endpoint has been asked.

    Raises
    ------
    ModelError
        If a local one is not found, or an endpoint does not answer, or not with vectors of one length.
    RecipeError
        If the settings know no such endpoint.
    """
    if recipe.base_model.startswith(ENDPOINT_PREFIX):
        embedder = _connect(recipe, store, endpoints)
        return BaseModel(embedder.identity, lambda: embedder)
    folder = _folder_of(recipe)
    identity = describe_base(recipe)
    return BaseModel(identity, partial(embedding.load, folder, identity, device=device, batch_size=batch_size))


def describe_base(recipe: Recipe, endpoints: Sequence[EmbeddingEndpoint] = ()) -> ModelIdentity:
    """Identity of a recipe's base with the recipe's length limit and prompts; loads no model and asks no endpoint.

    Hence the dimension of one behind an endpoint is 0. Raises as `open_base`, and if it is a cross-encoder, or was
    published here and is to be run otherwise.
    """
    if recipe.base_model.startswith(ENDPOINT_PREFIX):
        return endpoint_embedding.identify(_endpoint_of(recipe, endpoints), 0)
    folder = _folder_of(recipe)
    if cross_encoder.is_cross_encoder(folder):
        raise RecipeError(
            f"recipe {recipe.name}: base_model = {recipe.base_model!r} reads question and passage together (a "
            "cross-encoder); name an encoder of single texts, and that one as the teacher of distill"
        )
    identity = embedding.describe(
        folder,
        base=recipe.base_model,
        max_seq_length=recipe.max_seq_length,
        query_prompt=recipe.query_prompt,
        document_prompt=recipe.document_prompt,
        windows=recipe.cutting,
    )
    if (folder / IDENTITY_FILE).exists():
        _refuse_another_way(recipe, identity)
    # One that was published here says which model it was made from.
    return replace(identity, base=recipe.base_model)


def _refuse_another_way(recipe: Recipe, base: ModelIdentity) -> None:
    """A model that was published here is run as it was trained, whatever a recipe that starts from it says."""
    asked = {
        "max_seq_length": recipe.max_seq_length,
        "query_prompt": recipe.query_prompt,
        "document_prompt": recipe.document_prompt,
        "windows": recipe.cutting,
    }
    for key, value in asked.items():
        if value is not None and value != (own := getattr(base, key)):
            raise RecipeError(
                f"recipe {recipe.name}: {key}: {recipe.base_model} was published with {own or 'none'}, and is run as "
                "it was trained; remove the key"
            )


def _folder_of(recipe: Recipe) -> Path:
    try:
        return embedding.find_base(recipe.base_model)
    except ModelError as error:
        raise ModelError(f"recipe {recipe.name}, base_model: {error}") from error


class RememberingEmbedder(Embedder):
    """Asks for a question once: its vector is kept, as training keeps those of passages."""

    def __init__(self, embedder: EndpointEmbedder, store: Store) -> None:
        super().__init__(EndpointModel(embedder.endpoint, embedder.identity), embedder.identity)
        self._embedder = embedder
        self._store = store

    def encode_queries(self, queries: Sequence[str]) -> np.ndarray:
        """Shape (n_queries, dimension) float32, L2-normalised."""
        return vectors.embed_queries(self._store, self._embedder, queries)

    def encode_passages(self, passages: Sequence[str]) -> np.ndarray:
        """Shape (n_passages, dimension) float32, L2-normalised."""
        return self._embedder.encode_passages(passages)


def _connect(recipe: Recipe, store: Store, endpoints: Sequence[EmbeddingEndpoint]) -> RememberingEmbedder:
    endpoint = _endpoint_of(recipe, endpoints)
    try:
        embedder = endpoint_embedding.connect(endpoint, store)
        endpoint_embedding.require_steady(embedder)
    except ModelError as error:
        raise ModelError(f"recipe {recipe.name}: base_model = {recipe.base_model!r}: {error}") from error
    return RememberingEmbedder(embedder, store)


def _endpoint_of(recipe: Recipe, endpoints: Sequence[EmbeddingEndpoint]) -> EmbeddingEndpoint:
    """The configured endpoint of that model, with the recipe's prompts where it has any."""
    model = recipe.base_model.removeprefix(ENDPOINT_PREFIX)
    found = next((endpoint for endpoint in endpoints if endpoint.model == model), None)
    if found is None:
        known = ", ".join(endpoint.model for endpoint in endpoints) or "none"
        raise RecipeError(
            f"recipe {recipe.name}: base_model = {recipe.base_model!r}: model.endpoints has no model {model!r} "
            f"(there: {known}); add it to that setting"
        )
    prompts = {"query_prompt": recipe.query_prompt, "document_prompt": recipe.document_prompt}
    return found.model_copy(update={name: prompt for name, prompt in prompts.items() if prompt is not None})
