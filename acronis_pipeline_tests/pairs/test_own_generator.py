"""A generator of another package, installed beside this one: found by its entry point, named in the settings."""

import shutil
import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

import acronis_pipeline
from acronis_pipeline import pairs
from acronis_pipeline.core.errors import GeneratorError
from acronis_pipeline.core.settings import LlmSettings, PairSettings
from acronis_pipeline.store import Store, tables
from acronis_pipeline_tests.pairs.builders import site, write_chunks

EXAMPLE = Path(acronis_pipeline.__file__).parent.parent / "examples" / "own_generator"
LLM = LlmSettings()  # pyright: ignore[reportCallIssue]

pytestmark = pytest.mark.usefixtures("installed")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example's package, and one that offers what is no generator of its name."""
    packages = tmp_path / "site-packages"
    packages.mkdir()
    shutil.copy(EXAMPLE / "newcomer.py", packages)
    (packages / "odd_questions.py").write_text("def text(chunks, settings):\n    return 'a text'\n")
    offered = tomllib.loads((EXAMPLE / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]
    ((group, ours),) = offered.items()
    odd = {"other": "newcomer:Newcomer", "text": "odd_questions:text", "gone": "odd_questions:Gone"}
    for name, entries in (("newcomer-questions", ours), ("odd-questions", odd)):
        about = packages / f"{name.replace('-', '_')}-0.1.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
        lines = [f"[{group}]", *(f"{entry} = {where}" for entry, where in entries.items())]
        (about / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(str(packages))


def settings(generator: str) -> PairSettings:
    return PairSettings(generator=generator)  # pyright: ignore[reportCallIssue]


def test_questions_of_an_installed_generator_stand_in_the_pairs_table(store: Store):
    write_chunks(store, site(20))
    result = pairs.refresh(store, settings("structural, newcomer"), LLM)
    assert set(result.by_generator) == {"structural", "newcomer"}
    rows = store.read(tables.PAIRS, where="generator = 'newcomer'").to_pylist()
    assert len(rows) == 40
    assert {row["prompt_hash"] for row in rows} == {"1"}
    again = pairs.refresh(store, settings("structural,newcomer"), LLM)
    assert (again.added, again.table_version) == (0, result.table_version)
    assert set(pairs.refresh(store, settings("newcomer"), LLM).by_generator) == {"newcomer"}


def test_an_unknown_generator_is_refused_with_the_known_ones_named():
    known = "structural, llm, both, imported, gone, newcomer, other, text"
    with pytest.raises(ValidationError, match=f"no generator 'newcommer'; there are {known}"):
        settings("structural,newcommer")


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        (
            "other",
            "of package odd-questions gives a generator named 'newcomer', not a `Generator` whose name is 'other'",
        ),
        ("text", "gives a str"),
        ("gone", "odd_questions:Gone of package odd-questions cannot be loaded"),
    ],
)
def test_what_is_no_generator_of_its_name_is_one_clear_error(store: Store, name: str, complaint: str):
    write_chunks(store, site(4))
    with pytest.raises(GeneratorError, match=complaint):
        pairs.refresh(store, settings(name), LLM)
