"""What every question generator takes and gives: chunks in, candidate queries out, failures counted."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib.metadata import entry_points
from typing import Literal

from acronis_pipeline.core.errors import GeneratorError
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.core.settings import PairSettings
from acronis_pipeline.core.settings.corpus import GENERATOR_ENTRY_POINTS
from acronis_pipeline.store import Store, tables

Task = Literal["question-passage", "search-passage", "statement-passage"]

TASK_OF_STYLE: dict[str, Task] = {
    "question": "question-passage",
    "how-to": "question-passage",
    "definition": "question-passage",
    "comparison": "question-passage",
    "error": "search-passage",
    "table": "search-passage",
    "title": "search-passage",
    "breadcrumb": "search-passage",
    "link": "search-passage",
    "keyword": "search-passage",
    "claim": "statement-passage",
    "cloze": "statement-passage",
    "paraphrase": "statement-passage",
}


@dataclass(frozen=True)
class Chunk:
    """A row of the chunks table, as generators and filters see it."""

    chunk_id: str
    url: str
    title: str
    heading_path: tuple[str, ...]
    ordinal: int
    text: str
    passage: str
    cluster_id: str
    language: str
    anchor: str | None = None

    @property
    def is_english(self) -> bool:
        return self.language.lower().startswith("en")


@dataclass(frozen=True)
class Candidate:
    """A query that was made from one chunk, before any filter.

    `also` are other chunks that answer it as well; `told_task` is the task that its generator had in mind, where the
    style does not say it; `negatives` are texts that look like an answer and are none. `removed` is the sentence that
    the query was made from, as it stands in the passage: training takes it out, or matching words would be all there
    is to learn. `source` is the collection of an imported one; `rejected` is why it came as a rejected pair.
    """

    query: str
    chunk_id: str
    style: str
    generator: str
    prompt_hash: str
    also: tuple[str, ...] = ()
    told_task: str | None = None
    negatives: tuple[str, ...] = ()
    removed: str = ""
    source: str | None = None
    rejected: str | None = None

    @property
    def pair_id(self) -> str:
        return digest(self.query, self.chunk_id, self.generator)[:20]

    @property
    def task(self) -> str:
        return self.told_task or TASK_OF_STYLE.get(self.style, "question-passage")


@dataclass(frozen=True)
class Generation:
    """Candidates of a set of chunks, and how many chunks gave none by reason."""

    candidates: tuple[Candidate, ...]
    failures: Mapping[str, int] = field(default_factory=dict)


class Generator(ABC):
    """Makes queries from chunks.

    `name` and `prompt_hash` together say which rows of the pairs table are this generator's current work: when the hash
    changes, every chunk is asked again.

    Another package adds its own through the entry point group `acronis_pipeline.generators`: what stands there, a class
    or a function, is called with every chunk and the `PairSettings`, and gives a generator of the entry's name.
    """

    name: str
    prompt_hash: str

    @abstractmethod
    def generate(self, chunks: Sequence[Chunk]) -> Generation:
        """Candidates of `chunks`, which are those that have no queries of this name and hash yet."""


def of_other_package(name: str, chunks: Sequence[Chunk], options: PairSettings) -> Generator:
    """The generator that an installed package registered under a name.

    Raises
    ------
    GeneratorError
        If what is registered is no generator of that name.
    """
    entry, *others = entry_points(group=GENERATOR_ENTRY_POINTS, name=name)
    whose = f"pairs.generator = {name!r}: {entry.value} of package {entry.dist.name if entry.dist else entry.value}"
    if others:
        raise GeneratorError(f"{whose} is not the only one of that name; uninstall all but one")
    try:
        make = entry.load()
    except Exception as error:  # whatever somebody else's module raises when it is imported
        raise GeneratorError(
            f"{whose} cannot be loaded ({type(error).__name__}: {error}); mend or uninstall it"
        ) from error
    made = make(chunks, options)
    if not isinstance(made, Generator) or made.name != name:
        found = f"a generator named {made.name!r}" if isinstance(made, Generator) else f"a {type(made).__name__}"
        raise GeneratorError(f"{whose} gives {found}, not a `Generator` whose name is {name!r}; mend or uninstall it")
    return made


def read_chunks(store: Store) -> tuple[Chunk, ...]:
    """Every chunk, in page order."""
    rows = store.read(tables.CHUNKS, columns=[field.name for field in fields(Chunk)]).to_pylist()
    chunks = (Chunk(**row | {"heading_path": tuple(row["heading_path"])}) for row in rows)
    return tuple(sorted(chunks, key=lambda chunk: (chunk.url, chunk.ordinal, chunk.chunk_id)))
