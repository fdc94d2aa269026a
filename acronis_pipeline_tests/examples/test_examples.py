"""What `examples/` shows works: each script is run as it stands, on something small."""

import re
import runpy
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

import acronis_pipeline
from acronis_pipeline import api
from acronis_pipeline.models.records import current_model
from acronis_pipeline_tests.finished_run import RECIPE, FinishedRun

EXAMPLES = Path(acronis_pipeline.__file__).parent.parent / "examples"


@pytest.fixture
def site(tmp_path: Path) -> str:
    """A folder of pages: a part of the documentation."""
    folder = tmp_path / "site"
    folder.mkdir()
    for name in ("chunks", "crawling", "dependencies", "evaluation", "pairs", "recipes"):
        shutil.copy(EXAMPLES.parent / "docs" / f"{name}.md", folder)
    return str(folder)


def main_of(script: str) -> Callable[..., object]:
    return runpy.run_path(str(EXAMPLES / script))["main"]


@pytest.mark.parametrize("script", sorted(EXAMPLES.rglob("*.py")), ids=lambda script: script.stem)
def test_examples_are_short(script):
    assert len(script.read_text("utf-8").splitlines()) <= 45


def test_own_encoder_finds_what_it_indexed():
    assert "2 GB" in str(main_of("own_encoder.py")())


@pytest.mark.model
def test_trained_model_answers_in_another_rag(finished: FinishedRun):
    model = current_model(finished.store, RECIPE)
    assert model
    assert "seven days" in str(main_of("in_another_rag.py")(model.folder))


@pytest.mark.model
def test_method_of_another_package_trains_by_a_recipe(copied: FinishedRun, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO", "acronis_pipeline.finetune")
    package, recipes = tmp_path / "site-packages", tmp_path / "recipes"
    shutil.copytree(EXAMPLES / "own_method", package)
    project = tomllib.loads((package / "pyproject.toml").read_text("utf-8"))["project"]
    info = package / "mean_shift-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    ((group, offered),) = project["entry-points"].items()
    lines = [f"[{group}]", *(f"{name} = {where}" for name, where in offered.items())]
    (info / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(str(package))
    recipes.mkdir()
    shutil.copy(package / "recipe.yaml", recipes / "mine.yaml")
    settings = copied.settings(recipes_dir=recipes)
    store, tracker = api.open_store(settings), api.open_tracker(settings)
    record, trained = api.train_recipe(store, tracker, "mine", settings)
    assert trained
    # On so small a site the base may stay the better one.
    assert record.metrics["chosen"] == "mean" or "mean does not beat the base" in caplog.text
    assert api.train_recipe(store, tracker, "mine", settings)[1] is False


@pytest.mark.model
@pytest.mark.server
def test_your_site_is_crawled_and_answered_from(site, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # `prepare_home` sets these two for good; set here first, they are restored after the test.
    for name in ("DAGSTER_HOME", "ACRONIS_PIPELINE_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "data"))
    main_of("your_site.py")(site, str(tmp_path / "data"), "What is a tombstone?")
    assert "file:///" in capsys.readouterr().out


@pytest.mark.model
def test_stages_in_the_documentation_lead_to_an_answer(site, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (EXAMPLES.parent / "docs" / "architecture.md").read_text("utf-8")
    (snippet,) = re.findall(r"^```python\n(from acronis_pipeline import api.*?)^```", page, re.MULTILINE | re.DOTALL)
    exec(snippet.replace("https://docs.example.com/", site))
    assert capsys.readouterr().out.strip()
    assert (tmp_path / "data-example" / "pipeline.yaml").exists() is False  # remembered by `run` alone
