"""A generator of another package, installed beside this one: found by its entry point, named in the settings."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from acronis_pipeline import pairs
from acronis_pipeline.core.errors import GeneratorError
from acronis_pipeline.core.settings import LlmSettings, PairSettings
from acronis_pipeline.store import Store, tables
from acronis_pipeline_tests.pairs.builders import site, write_chunks

MODULE = """
from acronis_pipeline.pairs.generator import Candidate, Generation, Generator

class Parrot(Generator):
    name = "parrot"
    prompt_hash = "v1"

    def __init__(self, chunks, settings):
        self.known = len(chunks)

    def generate(self, chunks):
        made = (f"who knows anything about {chunk.title} {chunk.text[-40:-8]}" for chunk in chunks)
        return Generation(tuple(
            Candidate(query, chunk.chunk_id, "question", self.name, self.prompt_hash)
            for query, chunk in zip(made, chunks)
        ))

def nothing(chunks, settings):
    return "a text"
"""


@pytest.fixture
def parrot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "site-packages"
    about = installed / "parrot-1.0.dist-info"
    about.mkdir(parents=True)
    (installed / "parrot_questions.py").write_text(MODULE)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: parrot\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[acronis_pipeline.generators]\n"
        "parrot = parrot_questions:Parrot\n"
        "other = parrot_questions:Parrot\n"
        "nothing = parrot_questions:nothing\n"
        "gone = parrot_questions:Gone\n"
    )
    monkeypatch.syspath_prepend(str(installed))


def settings(generator: str) -> PairSettings:
    return PairSettings(generator=generator)  # pyright: ignore[reportCallIssue]


LLM = LlmSettings()  # pyright: ignore[reportCallIssue]


@pytest.mark.usefixtures("parrot")
def test_questions_of_an_installed_generator_stand_in_the_pairs_table(store: Store):
    write_chunks(store, site(20))
    result = pairs.refresh(store, settings("structural, parrot"), LLM)
    assert set(result.by_generator) == {"structural", "parrot"}
    rows = store.read(tables.PAIRS, where="generator = 'parrot'").to_pylist()
    assert len(rows) == 40
    assert {row["prompt_hash"] for row in rows} == {"v1"}
    again = pairs.refresh(store, settings("structural,parrot"), LLM)
    assert (again.added, again.table_version) == (0, result.table_version)
    assert set(pairs.refresh(store, settings("parrot"), LLM).by_generator) == {"parrot"}


def test_an_unknown_generator_is_refused_with_the_known_ones_named(parrot: None):
    with pytest.raises(ValidationError, match=r"no generator 'parot'; there are structural, llm, both, imported, gone"):
        settings("structural,parot")


@pytest.mark.usefixtures("parrot")
@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("other", "gives a generator named 'parrot'; it must give a `Generator` whose name is 'other'"),
        ("nothing", "gives a str"),
        ("gone", "cannot be loaded from parrot_questions:Gone"),
    ],
)
def test_what_is_no_generator_of_its_name_is_one_clear_error(store: Store, name: str, complaint: str):
    write_chunks(store, site(4))
    with pytest.raises(GeneratorError, match=complaint):
        pairs.refresh(store, settings(name), LLM)
