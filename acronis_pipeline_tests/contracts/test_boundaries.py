"""Dependencies point one way: a stage imports earlier ones, and only `defs` and what starts it know Dagster."""

import ast
from pathlib import Path

import pytest

import acronis_pipeline

PACKAGE = Path(acronis_pipeline.__file__).parent
STAGES = ["content", "crawl", "chunk", "pairs", "finetune", "index", "retrieve", "evaluate", "answer"]
CONTRACTS = set(
    "cross_encoder dataset embedding encoders endpoint_embedding endpoint_folder errors figures files fingerprint "
    "gold openai_address schemas settings site_address store vectors wording".split()
)
KNOW_DAGSTER = {"defs"}
KNOW_MLFLOW = {"tracking"}


def imports(file: Path) -> set[str]:
    """Modules that a file imports, at the top or inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def part_of(file: Path) -> str:
    relative = file.relative_to(PACKAGE)
    return relative.parts[0].removesuffix(".py")


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("stage", STAGES)
def test_stage_imports_only_contracts_and_earlier_stages(stage):
    allowed = CONTRACTS | set(STAGES[: STAGES.index(stage) + 1])
    for file in (PACKAGE / stage).rglob("*.py"):
        ours = {name.split(".")[1] for name in imports(file) if name.startswith("acronis_pipeline.")}
        assert ours <= allowed, f"{file.relative_to(PACKAGE)} imports {ours - allowed}"


@pytest.mark.parametrize(("library", "knowing"), [("dagster", KNOW_DAGSTER), ("mlflow", KNOW_MLFLOW)])
def test_orchestrator_and_tracker_stay_in_their_place(library, knowing):
    users = {part_of(file) for file in FILES if library in {name.split(".")[0] for name in imports(file)}}
    assert users <= knowing


def test_every_module_says_what_belongs_in_it():
    silent = [
        str(file.relative_to(PACKAGE)) for file in FILES if not ast.get_docstring(ast.parse(file.read_text("utf-8")))
    ]
    assert silent == []
