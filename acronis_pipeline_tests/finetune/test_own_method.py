"""A method that another installed package adds."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from acronis_pipeline.core.errors import RecipeError
from acronis_pipeline.finetune import load_recipe, train
from acronis_pipeline.finetune.methods import method_named, method_names
from acronis_pipeline.models.records import training_key
from acronis_pipeline.store import Store
from acronis_pipeline_tests.finetune.tiny_models import write_encoder
from acronis_pipeline_tests.finetune.worlds import codename_world

pytestmark = pytest.mark.model

SHIFT = """
import torch

from acronis_pipeline.finetune.method import Changed, Fitted, Method, MethodParameters


class Parameters(MethodParameters):
    by: float = 0.01


def fit(task, parameters):
    model = task.load_base().model
    with torch.no_grad():
        next(model.parameters()).add_(parameters.by)
    task.report({"step": 1, "by": parameters.by})
    return Fitted(model, Changed.BOTH, f"shifted by {parameters.by}", [])


METHOD = Method(Parameters, fit, version="1")
"""

Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a package that offers method `shift` on the path, as pip would."""

    def install(package: str, content: str) -> None:
        site, about = tmp_path / package, tmp_path / package / f"{package}-1.0.dist-info"
        about.mkdir(parents=True)
        (site / f"{package}.py").write_text(content, "utf-8")
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n", "utf-8")
        (about / "entry_points.txt").write_text(f"[acronis_pipeline.methods]\nshift = {package}:METHOD\n", "utf-8")
        monkeypatch.syspath_prepend(site)
        monkeypatch.delitem(sys.modules, package, raising=False)

    return install


def recipes_dir(tmp_path: Path, text: str) -> Path:
    folder = tmp_path / "recipes"
    folder.mkdir(exist_ok=True)
    (folder / "mine.yaml").write_text(text, "utf-8")
    return folder


def test_a_recipe_that_names_it_is_trained(tmp_path: Path, install: Install) -> None:
    install("shifting", SHIFT)
    base = write_encoder(tmp_path / "tiny")
    recipe = load_recipe("mine", recipes_dir(tmp_path, f"method: shift\nbase_model: {base}\nparameters: {{by: 0.5}}\n"))
    store, reported = Store(str(tmp_path / "lancedb")), []
    trained = train(recipe, codename_world(), store, tmp_path / "model", device="cpu", report=reported.append)
    assert (trained.folder / "modules.json").exists()
    assert trained.chosen in {"shifted by 0.5", "step 0"}  # the base is published where that is no worse
    assert reported == [{"step": 1, "by": 0.5}]
    assert "shift" in method_names()


def test_its_parameters_are_checked_as_ours_are(tmp_path: Path, install: Install) -> None:
    install("shifting", SHIFT)
    folder = recipes_dir(tmp_path, "method: shift\nparameters: {by: a lot, to: 1}\n")
    with pytest.raises(RecipeError, match=r"mine\.yaml: parameters\.by = 'a lot'.*parameters\.to is not a key here"):
        load_recipe("mine", folder)


def test_another_version_of_it_trains_again(tmp_path: Path, install: Install) -> None:
    folder, keys = recipes_dir(tmp_path, "method: shift\n"), set()
    for version in ("1", "2"):
        install(f"shift{version}", SHIFT.replace('"1"', f'"{version}"'))
        keys.add(training_key(load_recipe("mine", folder), codename_world()))
        sys.path.remove(str(tmp_path / f"shift{version}"))
    assert len(keys) == 2


def test_an_unknown_method_is_refused_with_the_known_ones_named(tmp_path: Path, install: Install) -> None:
    install("shifting", SHIFT)
    with pytest.raises(RecipeError, match=r"method = 'magic' is unknown; use one of decoder, .*query_adapter, shift"):
        load_recipe("mine", recipes_dir(tmp_path, "method: magic\n"))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("1 / 0", r"broken:METHOD of package broken cannot be loaded \(ZeroDivisionError"),
        ("", r"cannot be loaded \(AttributeError"),
        ("METHOD = 1", r"is a int, not a finetune\.method\.Method"),
    ],
)
def test_one_that_does_not_load_is_refused_in_a_line(
    tmp_path: Path, install: Install, content: str, problem: str
) -> None:
    install("broken", content)
    with pytest.raises(RecipeError, match=problem):
        load_recipe("mine", recipes_dir(tmp_path, "method: shift\n"))


def test_two_packages_cannot_offer_one_name(install: Install) -> None:
    install("one", SHIFT)
    install("two", SHIFT)
    with pytest.raises(RecipeError, match="method = 'shift' comes with one and two; uninstall all but one"):
        method_named("shift")
