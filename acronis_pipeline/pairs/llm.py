"""Questions from a language model behind any OpenAI-compatible endpoint (OpenAI, vLLM, Ollama, llama.cpp …)."""

from collections import Counter
from collections.abc import Sequence

from acronis_pipeline.fingerprint import digest
from acronis_pipeline.pairs import llm_briefs, llm_parsing, llm_prompt, llm_tasks
from acronis_pipeline.pairs.generator import Candidate, Chunk, Generation
from acronis_pipeline.pairs.llm_briefs import PARAPHRASE, Brief
from acronis_pipeline.pairs.llm_request import Answer, Unanswered
from acronis_pipeline.pairs.llm_session import LlmSession
from acronis_pipeline.settings import LlmSettings

MALFORMED, EMPTY = "malformed answer", "nothing to ask"

_ASKED_WITH = (
    "method", "questions_per_chunk", "styles", "personas", "languages", "other_words_share", "hard_negatives",
    "temperature",
)  # fmt: skip
_ASKED_WITH_IN_TWO_STEPS = ("tasks", "tasks_per_kind", "product")


class LlmGenerator:
    """One request per chunk, for several different queries that the chunk alone answers.

    In two steps the model first invents retrieval tasks, one request for each kind, and every query is then conditioned
    on one of them, on lengths, frequency, clarity and difficulty.
    """

    name = "llm"

    def __init__(self, session: LlmSession) -> None:
        self._session = session
        self._settings = session.settings
        self.prompt_hash = prompt_hash(session.settings, session.model)

    def generate(self, chunks: Sequence[Chunk]) -> Generation:
        """Queries about `chunks`; answers known from earlier runs cost nothing.

        A chunk whose request fails, or is answered in a form that cannot be read, gives no queries this time, is
        counted by reason, and is asked again next time.

        Raises
        ------
        GeneratorError
            If the endpoint refuses the key or the model, or not one request is answered.
        """
        tasks = llm_tasks.invent(self._session, chunks) if self._settings.method == "two_step" else None
        briefs = [llm_briefs.of_passage(chunk, self._settings, tasks) for chunk in chunks]
        negatives = self._settings.hard_negatives
        prompts = [
            llm_prompt.ask_for(chunk, ordered, negatives=negatives)
            for chunk, ordered in zip(chunks, briefs, strict=True)
        ]
        answers = self._session.ask(prompts, "chunks", usable=llm_prompt.is_readable)
        candidates: list[Candidate] = []
        failures: Counter[str] = Counter()
        for chunk, ordered, answer in zip(chunks, briefs, answers, strict=True):
            if isinstance(answer, Unanswered):
                failures[answer.failure] += 1
                continue
            made, failure = self._read(chunk, ordered, answer)
            candidates += made
            if failure:
                failures[failure] += 1
                self._session.note_failure(failure)
        return Generation(tuple(candidates), dict(failures))

    def _read(self, chunk: Chunk, briefs: Sequence[Brief], answer: Answer) -> tuple[list[Candidate], str | None]:
        """Candidates of one answer, and why there are none."""
        written = llm_prompt.read(answer.content, briefs)
        made = [
            Candidate(
                query=text.text,
                chunk_id=chunk.chunk_id,
                style=text.brief.style,
                generator=self.name,
                prompt_hash=self.prompt_hash,
                told_task=text.brief.kind,
                negatives=(text.negative,) if text.negative and text.brief.kind != PARAPHRASE else (),
            )
            for text in written or ()
        ]
        if made:
            return made, None
        return [], EMPTY if written == [] and not answer.failure else llm_parsing.fault(answer, MALFORMED)


def prompt_hash(settings: LlmSettings, model: str) -> str:
    """Identity of what is asked of whom: when it changes, every chunk is asked again.

    Invented tasks count by what they were invented from.
    """
    names = _ASKED_WITH + (_ASKED_WITH_IN_TWO_STEPS if settings.method == "two_step" else ())
    asked_with = settings.model_dump(mode="json", include=set(names))
    tasks = llm_tasks.identity(settings) if settings.method == "two_step" else ""
    parts = [f"{name}={asked_with[name]}" for name in sorted(asked_with)]
    return digest("llm", llm_prompt.TEMPLATE, tasks, model, *parts)[:16]
