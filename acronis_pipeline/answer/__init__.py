"""Answers questions from the champion's index, with citations of the passages they rest on."""

from collections.abc import Sequence
from dataclasses import dataclass

from acronis_pipeline.answer import extractive, llm
from acronis_pipeline.embedding import Embedder
from acronis_pipeline.errors import SettingsError
from acronis_pipeline.retrieve import Hit, Retriever
from acronis_pipeline.settings import LlmSettings


@dataclass(frozen=True)
class Citation:
    """A passage that an answer rests on; `number` is its mark in the text."""

    number: int
    title: str
    heading: str
    url: str


@dataclass(frozen=True)
class Answer:
    """An answer, the passages it cites, and everything that was retrieved for it."""

    question: str
    text: str
    citations: tuple[Citation, ...]
    hits: tuple[Hit, ...]


def ask(
    question: str,
    retriever: Retriever,
    embedder: Embedder | None,
    *,
    k: int,
    settings: LlmSettings | None = None,
) -> Answer:
    """Answer from the `k` best passages: by the LLM if one is given, else by quoting.

    Raises
    ------
    SettingsError
        If the question is empty.
    GeneratorError
        If the LLM cannot be reached.
    """
    if not question.strip():
        raise SettingsError("the question is empty; write it in quotation marks after `ask`")
    hits = retriever.retrieve(question, k)
    if settings is not None:
        text = llm.write(question, hits, settings)
    else:
        quotes = extractive.quote(question, hits, embedder)
        text = " ".join(f"{sentence} [{hit.rank}]" for sentence, hit in quotes) or llm.NOT_FOUND
    return Answer(question, text, _citations(text, hits), tuple(hits))


def _citations(text: str, hits: Sequence[Hit]) -> tuple[Citation, ...]:
    cited = (hit for hit in hits if f"[{hit.rank}]" in text)
    return tuple(
        Citation(hit.rank, hit.title, " > ".join(hit.heading_path), hit.url + (f"#{hit.anchor}" if hit.anchor else ""))
        for hit in cited
    )
