"""What cannot work with a recipe's base and data on this machine, found before anything is embedded or trained."""

from dataclasses import replace

from acronis_pipeline.embedding import ModelIdentity
from acronis_pipeline.errors import RecipeError
from acronis_pipeline.finetune.contrastive_parameters import ContrastiveParameters, refuse_misfits
from acronis_pipeline.finetune.examples import Examples
from acronis_pipeline.finetune.methods import METHODS
from acronis_pipeline.finetune.recipe import Recipe


def refuse_impossible(recipe: Recipe, base: ModelIdentity, examples: Examples, device: str | None) -> None:
    """Refuse parameters that ask for more than there is, and what the recipe's method cannot do (its `check`, if any).

    Raises
    ------
    RecipeError
        Names the recipe and the key.
    """
    try:
        if isinstance(recipe.parameters, ContrastiveParameters):
            refuse_misfits(recipe.parameters, examples, base.dimension)
        if check := getattr(METHODS[recipe.method], "check", None):
            # A base that was published here says which model it was made from.
            check(replace(base, base=recipe.base_model), recipe.parameters, device or _usual_device())
    except RecipeError as error:
        raise RecipeError(f"recipe {recipe.name}: {error}") from error


def _usual_device() -> str:
    from sentence_transformers.util import get_device_name

    return get_device_name()
