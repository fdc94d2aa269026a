import subprocess
import sys
from pathlib import Path

import pytest

from acronis_pipeline.core.errors import RecipeError
from acronis_pipeline.finetune import load_recipe, recipe_names
from acronis_pipeline.finetune.recipe import parse_recipe


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_packaged_recipes_are_all_well_formed() -> None:
    names = recipe_names()
    assert {"full", "query_adapter"} <= set(names)
    for name in names:
        recipe = load_recipe(name)
        assert recipe.name == name
        assert recipe.description


def test_a_recipe_of_ones_own_stands_beside_the_packaged_ones(tmp_path: Path) -> None:
    write(tmp_path, "gentle.yaml", "method: query_adapter\nparameters: {learning_rate: 0.00001}")
    assert "gentle" in recipe_names(tmp_path)
    assert load_recipe("gentle", tmp_path).parameters.model_dump()["learning_rate"] == 0.00001


@pytest.mark.server
def test_reading_recipes_does_not_import_torch() -> None:
    code = "import sys; from acronis_pipeline.finetune import load_recipe; load_recipe('full'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "torch" not in done.stdout.split()


def test_unknown_recipe_lists_the_known_ones() -> None:
    with pytest.raises(RecipeError, match=r"'fulll' is unknown; known are .*full, .*query_adapter"):
        load_recipe("fulll")


def test_recipe_with_a_packaged_name_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "full.yaml", "method: full")
    with pytest.raises(RecipeError, match=r"full\.yaml: there is a recipe 'full' already"):
        recipe_names(tmp_path)


def test_file_name_that_cannot_be_a_partition_key_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "my recipe.yaml", "method: full")
    with pytest.raises(RecipeError, match=r"my recipe\.yaml: a recipe's file name"):
        recipe_names(tmp_path)


def test_missing_recipes_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="nowhere does not exist"):
        recipe_names(tmp_path / "nowhere")


def test_malformed_yaml_names_file_and_line(tmp_path: Path) -> None:
    write(tmp_path, "broken.yaml", "method: full\nparameters: {epochs: 2\nseed: 1\n")
    with pytest.raises(RecipeError, match=r"broken\.yaml:3: not valid YAML"):
        load_recipe("broken", tmp_path)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "must hold a mapping"),
        ("- full", "must hold a mapping"),
        ("seed: 1", "method is missing"),
        ("method: magic", "method = 'magic' is unknown; use one of "),
        ("method: [full]", "is unknown"),
        ("method: full\nname: other", "name is the file's name"),
        ("method: full\nlearning_rate: 1", "learning_rate is not a key"),
        ("method: full\nparameters: {rank: 8}", "parameters.rank is not a key"),
        ("method: query_adapter\nparameters: {epochs: 2}", "parameters.epochs is not a key"),
        ("method: full\nparameters: 3", "parameters = 3"),
        ("method: full\nparameters: {batch_size: 1}", "parameters.batch_size = 1"),
        ("method: full\nparameters: {learning_rate: -1}", "parameters.learning_rate = -1"),
        ("method: full\nparameters: {interpolation: [1.0]}", "parameters.interpolation: 1.0 is not between"),
        ("method: query_adapter\nparameters: {max_steps: 5, evaluate_every: 10}", "evaluate_every (10) must not be"),
        ("method: query_adapter\nparameters: {max_steps: 5}", "evaluate_every (10, the default) must not be above"),
        ("method: full\nseed: abc", "seed = 'abc'"),
    ],
)
def test_what_is_wrong_is_named_with_its_file(text: str, named: str) -> None:
    with pytest.raises(RecipeError) as raised:
        parse_recipe("mine", text, where="mine.yaml")
    message = str(raised.value)
    assert message.startswith("mine.yaml")
    assert named in message
    assert "\n" not in message


def test_description_does_not_change_what_is_trained() -> None:
    one = parse_recipe("a", "method: full\ndescription: first", where="a.yaml")
    other = parse_recipe("a", "method: full\ndescription: second", where="a.yaml")
    changed = parse_recipe("a", "method: full\nparameters: {epochs: 7}", where="a.yaml")
    assert one.content == other.content != changed.content
