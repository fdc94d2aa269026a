import re
import runpy
from pathlib import Path

import pytest

import acronis_pipeline

ROOT = Path(acronis_pipeline.__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_reference_pages_say_what_the_code_says():
    pages = runpy.run_path(str(ROOT / "docs" / "reference" / "generate.py"))["pages"]()
    assert pages.keys() == {"settings.md", "cli.md"}
    for name, text in pages.items():
        assert (ROOT / "docs" / "reference" / name).read_text("utf-8") == text, "run docs/reference/generate.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page):
    targets = re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text("utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_every_dependency_has_its_reason():
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    block = re.search(r"^dependencies = \[(.*?)^\]", project, re.MULTILINE | re.DOTALL)
    assert block
    names = re.findall(r'"([\w-]+)', block[1])
    reasons = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    assert [name for name in names if name not in reasons] == []


def test_benchmarks_that_are_told_of_exist():
    recipes = (ROOT / "acronis_pipeline" / "recipes").glob("*.yaml")
    scripts = (ROOT / "benchmarks").rglob("*.py")
    told = [*PAGES, ROOT / "benchmarks" / "README.md", *recipes, *scripts]
    named = {name for file in told for name in re.findall(r"\bbenchmarks/[\w/]+\.(?:py|txt)", file.read_text("utf-8"))}
    rows = re.findall(r"^\| `([\w/]+\.py)` \|", (ROOT / "benchmarks" / "README.md").read_text("utf-8"), re.MULTILINE)
    named |= {f"benchmarks/{name}" for name in rows}
    assert rows
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_dagster_commands_name_the_module_without_which_they_find_nothing(page):
    commands = re.findall(r"^dagster (?:asset|job) .*", page.read_text("utf-8"), re.MULTILINE)
    assert [command for command in commands if " -m acronis_pipeline.definitions " not in command] == []
