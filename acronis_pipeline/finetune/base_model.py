"""The model that a recipe starts from: a local one, or one behind an embedding endpoint (`endpoint:<model>`).

What cannot work with it, or with the recipe's data on this machine, is refused before anything is crawled or embedded.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from acronis_pipeline import encoders
from acronis_pipeline.core.dataset import RetrievalDataset
from acronis_pipeline.core.errors import ModelError, RecipeError
from acronis_pipeline.core.settings import EmbeddingEndpoint
from acronis_pipeline.encoders import IDENTITY_FILE, ModelIdentity, TorchEncoder, cross_encoder
from acronis_pipeline.encoders import endpoint as endpoint_encoder
from acronis_pipeline.encoders.endpoint import RememberedEndpoint
from acronis_pipeline.finetune.examples import Examples, read
from acronis_pipeline.finetune.methods import method_named
from acronis_pipeline.finetune.parameters import ContrastiveParameters, refuse_misfits, refuse_too_long
from acronis_pipeline.finetune.recipe import ENDPOINT_PREFIX, Recipe
from acronis_pipeline.store import Store


@dataclass(frozen=True)
class BaseModel:
    """A base ready to use; `load` gives a copy of its own to those who change weights."""

    identity: ModelIdentity
    load: Callable[..., TorchEncoder] | Callable[[], RememberedEndpoint]


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
        encoder = _connect(recipe, store, endpoints)
        return BaseModel(encoder.identity, lambda: encoder)
    folder = _folder_of(recipe)
    identity = describe_base(recipe)
    return BaseModel(identity, partial(encoders.load_in_torch, folder, identity, device=device, batch_size=batch_size))


def describe_base(recipe: Recipe, endpoints: Sequence[EmbeddingEndpoint] = ()) -> ModelIdentity:
    """Identity of a recipe's base with the recipe's length limit and prompts; loads no model and asks no endpoint.

    Hence the dimension of one behind an endpoint is 0. Raises as `open_base`, and if it is a cross-encoder, or was
    published here and is to be run otherwise.
    """
    if recipe.base_model.startswith(ENDPOINT_PREFIX):
        return endpoint_encoder.identify(_endpoint_of(recipe, endpoints), 0)
    folder = _folder_of(recipe)
    if cross_encoder.is_cross_encoder(folder):
        raise RecipeError(
            f"recipe {recipe.name}: base_model = {recipe.base_model!r} reads question and passage together (a "
            "cross-encoder); name an encoder of single texts, and that one as the teacher of distill"
        )
    identity = encoders.describe(
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
        return encoders.find_base(recipe.base_model)
    except ModelError as error:
        raise ModelError(f"recipe {recipe.name}, base_model: {error}") from error


def _connect(recipe: Recipe, store: Store, endpoints: Sequence[EmbeddingEndpoint]) -> RememberedEndpoint:
    endpoint = _endpoint_of(recipe, endpoints)
    try:
        encoder = endpoint_encoder.connect(endpoint, store)
        endpoint_encoder.require_steady(encoder)
    except ModelError as error:
        raise ModelError(f"recipe {recipe.name}: base_model = {recipe.base_model!r}: {error}") from error
    return RememberedEndpoint(encoder, store)


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


def require_feasible(
    recipe: Recipe,
    dataset: RetrievalDataset | None = None,
    *,
    device: str | None = None,
    endpoints: Sequence[EmbeddingEndpoint] = (),
) -> None:
    """Refuse a base that is not there or that the recipe cannot use, and with a `dataset` what does not fit that.

    Loads no model and asks no endpoint; a base from a hub is downloaded.

    Raises
    ------
    RecipeError, ModelError
        Names the recipe and the key.
    EmptyCorpusError
        If there is no passage.
    """
    refuse_unfit_base(recipe, describe_base(recipe, endpoints), device)
    if dataset is not None:
        refuse_unfit_data(recipe, read(dataset))


def refuse_unfit_base(recipe: Recipe, base: ModelIdentity, device: str | None) -> None:
    """Refuse what a base does not have, and what the recipe's method cannot do with it. As `require_feasible`."""
    with naming(recipe):
        if isinstance(recipe.parameters, ContrastiveParameters):
            refuse_too_long(recipe.parameters, base.dimension)
        method_named(recipe.method).check(base, recipe.parameters, device)


def refuse_unfit_data(recipe: Recipe, examples: Examples) -> None:
    """Refuse parameters that ask for more than the data have; raises as `require_feasible`.

    Of too few questions nothing is asked: the base is published as it is.
    """
    if examples.too_few:
        return
    with naming(recipe):
        if isinstance(recipe.parameters, ContrastiveParameters):
            refuse_misfits(recipe.parameters, examples)


@contextmanager
def naming(recipe: Recipe) -> Iterator[None]:
    """Errors of a recipe's parameters or models say which recipe it is."""
    try:
        yield
    except (RecipeError, ModelError) as error:
        raise type(error)(f"recipe {recipe.name}: {error}") from error
