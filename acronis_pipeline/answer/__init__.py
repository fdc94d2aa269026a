"""Answers questions from the champion's index, with citations of the passages they rest on."""

from collections.abc import Sequence
from dataclasses import dataclass

from acronis_pipeline.answer import extractive, llm
from acronis_pipeline.core.errors import FilterError, SettingsError
from acronis_pipeline.core.settings import LlmSettings
from acronis_pipeline.encoders import Encoder
from acronis_pipeline.retrieve import Filters, Hit, Retriever


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

    @property
    def answered(self) -> bool:
        """False if the passages that were found, `hits`, were judged to hold no answer."""
        return self.text != llm.NOT_FOUND


def ask(
    question: str,
    retriever: Retriever,
    encoder: Encoder | None,
    *,
    k: int,
    where: Filters | None = None,
    settings: LlmSettings | None = None,
) -> Answer:
    """Answer from the `k` best passages that meet `where`: by the LLM if one is given, else by quoting.

    Quoting has no judgement of its own: below the system's `min_similarity` it says that there is no answer.

    Raises
    ------
    SettingsError
        If the question is empty.
    FilterError
        If no passage of the index meets `where`.
    GeneratorError
        If the LLM cannot be reached.
    """
    if not question.strip():
        raise SettingsError("the question is empty; write it in quotation marks after `ask`")
    hits = retriever.retrieve(question, k, where=where)
    if where and not hits and (reason := retriever.why_nothing(where)):
        raise FilterError(reason)
    if settings is not None:
        text = llm.write(question, hits, settings)
    elif _too_far(question, hits, encoder, retriever.system.min_similarity):
        text = llm.NOT_FOUND
    else:
        quotes = extractive.quote(question, hits, encoder)
        text = " ".join(f"{sentence} [{hit.rank}]" for sentence, hit in quotes) or llm.NOT_FOUND
    return Answer(question, text, _citations(text, hits), tuple(hits))


def _too_far(question: str, hits: Sequence[Hit], encoder: Encoder | None, floor: float | None) -> bool:
    """Whether no passage is similar enough to the question; BM25 does not say, so its passages are encoded here."""
    if floor is None or not hits:
        return False
    known = [hit.similarity for hit in hits if hit.similarity is not None]
    if not known and encoder is not None:
        vector = encoder.encode_queries([question])[0]
        known = encoder.encode_windows([hit.passage for hit in hits]).similarities(vector).tolist()
    return bool(known) and max(known) < floor


def _citations(text: str, hits: Sequence[Hit]) -> tuple[Citation, ...]:
    cited = (hit for hit in hits if f"[{hit.rank}]" in text)
    return tuple(
        Citation(hit.rank, hit.title, " > ".join(hit.heading_path), hit.url + (f"#{hit.anchor}" if hit.anchor else ""))
        for hit in cited
    )
