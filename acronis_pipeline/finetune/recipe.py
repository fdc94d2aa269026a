"""Recipes: what to train, as one YAML file each, checked completely before anything runs.

The packaged ones are in `acronis_pipeline/recipes/`; a user's own folder stands beside it. Reading them needs no torch.
"""

import re
from pathlib import Path
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from acronis_pipeline.core.errors import RecipeError
from acronis_pipeline.core.files import MalformedError, parse_yaml, read_text
from acronis_pipeline.encoders import PACKAGED_BASE, Windows
from acronis_pipeline.finetune.method import MethodParameters
from acronis_pipeline.finetune.methods import OURS, method_named, method_names

ENDPOINT_PREFIX = "endpoint:"
"""Before the name of a model in `base_model` that one of the endpoints in the settings serves."""

PACKAGED_RECIPES = Path(__file__).parent.parent / "recipes"

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class WindowsOfRecipe(BaseModel):
    """Several vectors a passage, as `embedding.Windows` cuts it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokens: int = Field(64, ge=8, description="Length of a window.")
    overlap: int = Field(32, ge=0, description="Tokens that a window shares with the next; below `tokens`.")
    whole_share: float = Field(0.5, ge=0, lt=1, description="Of the whole passage's vector in each window's.")

    @model_validator(mode="after")
    def _moves_on(self) -> "WindowsOfRecipe":
        if self.overlap > self.tokens * 3 // 4:
            unset = "" if "overlap" in self.model_fields_set else ", the default"
            raise ValueError(
                f"overlap ({self.overlap}{unset}) must be at most three quarters of tokens ({self.tokens})"
            )
        return self


class Recipe(BaseModel):
    """One way of fine-tuning: the name is the file's, `parameters` are the method's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    description: str = ""
    method: str
    base_model: str = PACKAGED_BASE
    max_seq_length: int | None = Field(
        None, ge=8, description="In tokens, up to as many as the base model has positions; its own length if unset."
    )
    query_prompt: str | None = Field(None, description="Put before every question; the base model's own if unset.")
    document_prompt: str | None = Field(None, description="Put before every passage; the base model's own if unset.")
    windows: WindowsOfRecipe | None = Field(None, description="Unset, a passage has one vector.")
    seed: int = Field(13, ge=0)
    parameters: SerializeAsAny[MethodParameters]

    @field_validator("base_model")
    @classmethod
    def _has_weights_if_they_are_trained(cls, base_model: str, info: ValidationInfo) -> str:
        if base_model.startswith(ENDPOINT_PREFIX) and method_named(info.data["method"]).trains_weights:
            able = ", ".join(name for name, method in OURS.items() if not method.trains_weights)
            raise ValueError(f"a model behind an endpoint has no weights to train; use method {able}")
        return base_model

    @field_validator("windows")
    @classmethod
    def _has_tokens_to_cut(cls, windows: WindowsOfRecipe | None, info: ValidationInfo) -> WindowsOfRecipe | None:
        if windows and info.data.get("base_model", "").startswith(ENDPOINT_PREFIX):
            raise ValueError("the tokens of a model behind an endpoint are not known; remove the key")
        length = info.data.get("max_seq_length")
        if windows and length and windows.tokens >= length:
            raise ValueError(
                f"tokens ({windows.tokens}) must be below max_seq_length ({length}), "
                "or a window would be cut off like a whole passage"
            )
        return windows

    @property
    def cutting(self) -> Windows | None:
        """How passages are cut into windows."""
        return Windows(**self.windows.model_dump()) if self.windows else None

    @property
    def content(self) -> str:
        """Canonical text of everything that shapes the model: all but name and description."""
        return self.model_dump_json(exclude={"name", "description"})


def recipe_names(extra_dir: Path | None = None) -> list[str]:
    """Names of the packaged recipes and of those in a folder of one's own, sorted.

    Raises
    ------
    RecipeError
        If the folder does not exist, a file's name cannot name a recipe, or it is the name of a packaged one.
    """
    return sorted(_files(extra_dir))


def load_recipe(name: str, extra_dir: Path | None = None) -> Recipe:
    """Read and check one recipe.

    Raises
    ------
    RecipeError
        Names the file and the line or key that is wrong; for an unknown recipe, lists the known ones.
    """
    files = _files(extra_dir)
    if name not in files:
        raise RecipeError(f"recipe {name!r} is unknown; known are {', '.join(sorted(files))}")
    return parse_recipe(name, read_text(files[name], RecipeError, "save it as UTF-8 text"), where=str(files[name]))


def parse_recipe(name: str, text: str, *, where: str) -> Recipe:
    """Check a recipe's YAML text; `where` names it in errors. Raises as `load_recipe`."""
    content = _read_yaml(text, where)
    name_of_method = content.get("method")
    if name_of_method is None:
        raise RecipeError(f"{where}: method is missing; use one of {', '.join(method_names())}")
    try:
        method = method_named(str(name_of_method))
    except RecipeError as error:
        raise RecipeError(f"{where}: {error}") from error
    if "name" in content:
        raise RecipeError(f"{where}: name is the file's name; remove the key")
    try:
        parameters = method.parameters.model_validate(content.pop("parameters", None) or {})
    except ValidationError as error:
        raise RecipeError(f"{where}: {_explain(error, prefix='parameters')} (method {name_of_method})") from error
    try:
        return Recipe(name=name, parameters=parameters, **content)
    except ValidationError as error:
        raise RecipeError(f"{where}: {_explain(error)}") from error


def _files(extra_dir: Path | None) -> dict[str, Path]:
    files = {path.stem: path for path in PACKAGED_RECIPES.glob("*.yaml")}
    if extra_dir is None:
        return files
    if not extra_dir.is_dir():
        raise RecipeError(f"recipes folder {extra_dir} does not exist; create it or unset recipes_dir")
    for path in sorted([*extra_dir.glob("*.yaml"), *extra_dir.glob("*.yml")]):
        if not _NAME.fullmatch(path.stem):
            raise RecipeError(f"{path}: a recipe's file name is made of a-z, 0-9, - and _; rename it")
        if path.stem in files:
            raise RecipeError(f"{path}: there is a recipe {path.stem!r} already ({files[path.stem]}); rename yours")
        files[path.stem] = path
    return files


def _read_yaml(text: str, where: str) -> dict[str, Any]:
    try:
        content = parse_yaml(text)
    except MalformedError as error:
        line = f":{error.line}" if error.line else ""
        raise RecipeError(f"{where}{line}: {error}; mend that line") from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise RecipeError(f"{where}: must hold a mapping with a method, found {type(content).__name__}")
    return content


def _explain(error: ValidationError, prefix: str = "") -> str:
    return "; ".join(_explain_one(problem, prefix) for problem in error.errors())


def _explain_one(problem: Any, prefix: str) -> str:
    key = ".".join(part for part in (prefix, *map(str, problem["loc"])) if part)
    if problem["type"] == "extra_forbidden":
        return f"{key} is not a key here; remove it or correct its spelling"
    if problem["type"] == "value_error":  # our own rules over several keys: the message names them
        return f"{key}: {problem['ctx']['error']}"
    return f"{key} = {problem['input']!r}: {problem['msg']}"
