"""What cannot work with a recipe's base and data on this machine, found before anything is crawled or embedded."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from acronis_pipeline.dataset import RetrievalDataset
from acronis_pipeline.embedding import ModelIdentity
from acronis_pipeline.errors import ModelError, RecipeError
from acronis_pipeline.finetune.base_model import describe_base
from acronis_pipeline.finetune.contrastive_parameters import ContrastiveParameters, refuse_misfits, refuse_too_long
from acronis_pipeline.finetune.examples import Examples, prepare
from acronis_pipeline.finetune.methods import METHODS
from acronis_pipeline.finetune.recipe import Recipe
from acronis_pipeline.settings import EmbeddingEndpoint


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
    EmptyCorpusError, DatasetError
        If there is too little to learn from.
    """
    refuse_unfit_base(recipe, describe_base(recipe, endpoints), device)
    if dataset is not None:
        refuse_unfit_data(recipe, prepare(dataset))


def refuse_unfit_base(recipe: Recipe, base: ModelIdentity, device: str | None) -> None:
    """Refuse what a base does not have, and what the recipe's method cannot do with it (its `check`, if any).

    Raises
    ------
    RecipeError, ModelError
        Names the recipe and the key.
    """
    with naming(recipe):
        if isinstance(recipe.parameters, ContrastiveParameters):
            refuse_too_long(recipe.parameters, base.dimension)
        if check := getattr(METHODS[recipe.method], "check", None):
            check(base, recipe.parameters, device)


def refuse_unfit_data(recipe: Recipe, examples: Examples) -> None:
    """Refuse parameters that ask for more than the data have.

    Raises
    ------
    RecipeError
        Names the recipe and the key.
    """
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
