"""Dependencies point one way: a package imports earlier ones, and only `defs` and what starts it know Dagster."""

import ast
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import acronis_pipeline

ROOT = Path(acronis_pipeline.__file__).parent.parent
PACKAGE = ROOT / "acronis_pipeline"
TIERS = [
    {"core"}, {"store"}, {"llm"}, {"encoders"}, {"content"}, {"crawl"}, {"chunk"}, {"pairs"}, {"finetune"}, {"index"},
    {"models"}, {"retrieve"}, {"evaluate"}, {"champion"}, {"reporting"}, {"tracking"}, {"export"}, {"answer"},
    {"sample_site"}, {"stages"}, {"defs"}, {"api", "definitions"}, {"cli"},
]  # fmt: skip
"""Every package and loose module, each tier on those before it."""
KNOW_DAGSTER = {"defs"}
KNOW_MLFLOW = {"tracking"}

FILES = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
    for file in sorted(PACKAGE.rglob("*.py"))
}


def imports(file: Path) -> set[str]:
    """Modules that a file imports, at the top or inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {name for name in names if name in FILES}
            found |= modules | ({node.module} if modules != names else set())
    return found


IMPORTS = {name: imports(file) for name, file in FILES.items()}


def part_of(module: str) -> str:
    """The package or loose module that a module belongs to."""
    return module.split(".")[1] if "." in module else module


def circle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_every_package_has_a_place_in_the_order():
    assert {part_of(module) for module in FILES} - {"acronis_pipeline"} == set().union(*TIERS)


@pytest.mark.parametrize("tier", range(len(TIERS)), ids=["-".join(sorted(tier)) for tier in TIERS])
def test_package_imports_only_earlier_packages(tier):
    allowed = set().union({"acronis_pipeline"}, *TIERS[: tier + 1])
    for module, imported in IMPORTS.items():
        if part_of(module) in TIERS[tier]:
            ours = {part_of(name) for name in imported if name in FILES}
            assert ours <= allowed, f"{module} imports {ours - allowed}"


def test_no_modules_import_each_other_in_a_circle():
    assert circle({module: {name for name in imported if name in FILES} for module, imported in IMPORTS.items()}) == []


def test_no_folders_inside_a_package_import_each_other_in_a_circle():
    folder_of = {module: ".".join(file.relative_to(ROOT).parent.parts) for module, file in FILES.items()}
    graph: dict[str, set[str]] = {}
    for module, imported in IMPORTS.items():
        here = folder_of[module]
        there = {folder_of[name] for name in imported if name in FILES and part_of(name) == part_of(module)}
        # A package's own modules may use what its folders offer, and these what lies beside them.
        graph.setdefault(here, set()).update(
            other for other in there if not (f"{other}.".startswith(f"{here}.") or f"{here}.".startswith(f"{other}."))
        )
    assert circle(graph) == []


@pytest.mark.parametrize(("library", "knowing"), [("dagster", KNOW_DAGSTER), ("mlflow", KNOW_MLFLOW)])
def test_orchestrator_and_tracker_stay_in_their_place(library, knowing):
    users = {
        part_of(module) for module, imported in IMPORTS.items() if library in {name.split(".")[0] for name in imported}
    }
    assert users <= knowing


def test_every_module_says_what_belongs_in_it():
    silent = [name for name, file in FILES.items() if not ast.get_docstring(ast.parse(file.read_text("utf-8")))]
    assert silent == []
