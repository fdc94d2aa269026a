import re
from pathlib import Path

import pytest
from pydantic import BaseModel

import acronis_pipeline
from acronis_pipeline.core.settings import Settings

ROOT = Path(acronis_pipeline.__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def described(model: type[BaseModel] = Settings, prefix: str = "") -> dict[str, tuple[str, str]]:
    """Default and description of every setting, written as in the documentation, code not marked."""
    found: dict[str, tuple[str, str]] = {}
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found |= described(field.annotation, f"{prefix}{name.upper()}__")
        else:
            default = {"None": "–", "()": "none"}.get(str(field.default), f"{field.default}")
            found[f"{prefix}{name.upper()}"] = default, (field.description or "").replace("`", "")
    return found


def test_every_setting_is_documented_as_the_code_describes_it_and_nothing_else():
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.+?) \| (.*?) ?\|$", page, re.MULTILINE)
    assert {name: (default.strip("`"), text.replace("`", "")) for name, default, text in rows} == described()


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
