"""Questions from a language model behind any OpenAI-compatible endpoint (OpenAI, vLLM, Ollama, llama.cpp …)."""

import logging
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from acronis_pipeline.errors import GeneratorError
from acronis_pipeline.fingerprint import digest
from acronis_pipeline.pairs.generator import Candidate, Chunk, Generation, LlmUsage
from acronis_pipeline.pairs.llm_answers import Answer, AnswerCache
from acronis_pipeline.pairs.llm_prompt import RESPONSE_FORMAT, messages, parse_answer, prompt_hash
from acronis_pipeline.settings import ENV_PREFIX, LlmSettings
from acronis_pipeline.store import Store

if TYPE_CHECKING:
    from openai import OpenAI

_log = logging.getLogger(__name__)
_TEMPERATURE = 0.7
_TOKENS_PER_QUESTION = 120
_ANSWER_OVERHEAD_TOKENS = 400
_FLUSH_S = 2.0
"""Paid answers wait at most this long for the store: what a kill can cost."""

MALFORMED, EMPTY, REFUSED, TRUNCATED = "malformed answer", "nothing to ask", "refused", "truncated answer"


@dataclass(frozen=True)
class _Outcome:
    """One request's end: an answer that was paid for, or why there is none."""

    answer: Answer | None
    failure: str | None = None


class LlmGenerator:
    """One request per chunk, for several questions that the chunk alone answers.

    Raises
    ------
    GeneratorError
        If no model is named, or OpenAI itself is to be asked and there is no key.
    """

    name = "llm"

    def __init__(self, settings: LlmSettings, store: Store) -> None:
        self._settings = settings
        self._model, self._key = require_configured(settings)
        self._cache = AnswerCache(store)
        self._structured = True
        self.prompt_hash = prompt_hash(self._model, settings.questions_per_chunk)

    def generate(self, chunks: Sequence[Chunk]) -> Generation:
        """Questions of `chunks`; answers known from earlier runs cost nothing.

        A chunk whose request fails gives no questions this time, is counted by reason, and is asked again next time. An
        answer that cannot be used was paid for and is remembered as such.

        Raises
        ------
        GeneratorError
            If the endpoint refuses the key or the model, or not one request is answered.
        """
        keys = {chunk.chunk_id: digest(chunk.passage, self.prompt_hash, str(_TEMPERATURE)) for chunk in chunks}
        answers = self._cache.read(keys.values())
        # Near-duplicates on several pages often share their passage to the letter: one request serves them all.
        missing = {keys[chunk.chunk_id]: chunk for chunk in chunks if keys[chunk.chunk_id] not in answers}
        n_cached = sum(key in answers for key in keys.values())
        failed: dict[str, str] = {}
        asked: list[Answer] = []
        for key, outcome in self._ask_all(missing):
            if outcome.answer is None:
                failed[key] = outcome.failure or "unknown"
            else:
                answers[key] = outcome.answer
                asked.append(outcome.answer)
        if failed and not asked:
            raise GeneratorError(
                f"not one of {len(failed)} requests to {self._endpoint} was answered "
                f"({_listed(Counter(failed.values()))}); "
                f"check {ENV_PREFIX}LLM__BASE_URL and that the server is up"
            )
        usage = LlmUsage(
            requests=len(missing),
            cache_hits=n_cached,
            prompt_tokens=sum(answer.prompt_tokens for answer in asked),
            completion_tokens=sum(answer.completion_tokens for answer in asked),
        )
        return self._generation(chunks, keys, answers, failed, usage)

    @property
    def _endpoint(self) -> str:
        return self._settings.base_url or "OpenAI"

    def _generation(
        self,
        chunks: Sequence[Chunk],
        keys: dict[str, str],
        answers: dict[str, Answer],
        failed: dict[str, str],
        usage: LlmUsage,
    ) -> Generation:
        candidates: list[Candidate] = []
        failures: Counter[str] = Counter()
        for chunk in chunks:
            answer = answers.get(keys[chunk.chunk_id])
            failure = failed[keys[chunk.chunk_id]] if answer is None else answer.failure
            if answer is None or failure:
                failures[str(failure)] += 1
                continue
            candidates += [
                Candidate(question.question, chunk.chunk_id, question.style, self.name, self.prompt_hash)
                for question in parse_answer(answer.content, self._settings.questions_per_chunk) or []
            ]
        return Generation(tuple(candidates), dict(failures), usage)

    def _ask_all(self, missing: dict[str, Chunk]) -> Iterator[tuple[str, _Outcome]]:
        """Outcomes as they come, `concurrency` requests in flight; paid answers are stored every two seconds."""
        if not missing:
            return
        from openai import OpenAI

        started = flushed = time.monotonic()
        settings = self._settings
        unsaved: dict[str, Answer] = {}
        client = OpenAI(
            base_url=settings.base_url,
            api_key=self._key,
            timeout=settings.timeout_s,
            max_retries=settings.max_retries,
        )
        waiting = iter(missing.items())
        done = 0
        with client, ThreadPoolExecutor(settings.concurrency) as pool:
            pending: dict[Future[_Outcome], str] = {}
            try:
                while True:
                    while len(pending) < settings.concurrency and (item := next(waiting, None)):
                        pending[pool.submit(self._ask, client, item[1])] = item[0]
                    if not pending:
                        break
                    for future in wait(pending, timeout=_FLUSH_S, return_when=FIRST_COMPLETED).done:
                        key, outcome = pending.pop(future), future.result()
                        if outcome.answer:
                            unsaved[key] = outcome.answer
                        done += 1
                        if done % 100 == 0:
                            rate = done / (time.monotonic() - started)
                            _log.info("asked %d of %d chunks, %.1f/s, %.0f s left", done, len(missing), rate,
                                      (len(missing) - done) / rate)  # fmt: skip
                        yield key, outcome
                    if unsaved and time.monotonic() - flushed >= _FLUSH_S:
                        self._cache.write(unsaved, self._model)
                        unsaved, flushed = {}, time.monotonic()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
                for future, key in pending.items():
                    if future.done() and not future.cancelled() and future.exception() is None:
                        answer = future.result().answer
                        unsaved.update({key: answer} if answer else {})
                self._cache.write(unsaved, self._model)

    def _ask(self, client: "OpenAI", chunk: Chunk) -> _Outcome:
        import openai

        try:
            completion = self._complete(client, chunk)
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise GeneratorError(
                f"{self._endpoint} refused the key (HTTP {error.status_code}); "
                f"set {ENV_PREFIX}LLM__API_KEY or OPENAI_API_KEY"
            ) from error
        except openai.NotFoundError as error:
            raise GeneratorError(
                f"{self._endpoint} knows no model {self._model!r} (HTTP 404); "
                f"set {ENV_PREFIX}LLM__MODEL or {ENV_PREFIX}LLM__BASE_URL"
            ) from error
        except openai.APITimeoutError:
            return _Outcome(None, "time-out")
        except openai.APIConnectionError:
            return _Outcome(None, "no connection")
        except openai.APIStatusError as error:
            return _Outcome(None, f"HTTP {error.status_code}")
        except openai.OpenAIError as error:
            return _Outcome(None, type(error).__name__)
        except ValueError:  # a 200 whose body is not a completion
            return _Outcome(None, "no completion in the response")
        return _outcome(completion, self._settings.questions_per_chunk)

    def _complete(self, client: "OpenAI", chunk: Chunk) -> Any:
        """A completion with structured output, or in plain text from servers that do not know it."""
        import openai

        n_questions = self._settings.questions_per_chunk
        arguments: dict[str, Any] = {
            "model": self._model,
            "messages": messages(chunk, n_questions),
            "temperature": _TEMPERATURE,
            "max_tokens": _ANSWER_OVERHEAD_TOKENS + _TOKENS_PER_QUESTION * n_questions,
        }
        if self._structured:
            try:
                return client.chat.completions.create(**arguments, response_format=RESPONSE_FORMAT)
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                if "response_format" not in str(error) and "json_schema" not in str(error):
                    raise
                self._structured = False
                _log.info("%s does not know structured output; asking for JSON in plain text", self._endpoint)
        return client.chat.completions.create(**arguments)


def _outcome(completion: Any, limit: int) -> _Outcome:
    """What a completion amounts to. The raw answer is kept, usable or not: it was paid for."""
    choices = getattr(completion, "choices", None)
    if not choices:
        return _Outcome(None, "no completion in the response")
    message, finish = choices[0].message, choices[0].finish_reason
    content = message.content or ""
    questions = parse_answer(content, limit)
    failure = None
    if getattr(message, "refusal", None) or finish == "content_filter":
        failure = REFUSED
    elif questions is None:
        failure = TRUNCATED if finish == "length" else MALFORMED
    elif not questions:
        failure = EMPTY
    usage = completion.usage
    return _Outcome(
        Answer(content, failure, usage.prompt_tokens if usage else 0, usage.completion_tokens if usage else 0)
    )


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{reason}: {n}" for reason, n in counts.most_common())


def require_configured(settings: LlmSettings) -> tuple[str, str]:
    """Model and key of the configured endpoint; local servers that ask for no key get a placeholder.

    Raises
    ------
    GeneratorError
        If no model is named, or OpenAI itself is to be asked and there is no key.
    """
    if not settings.model:
        raise GeneratorError(
            f"no language model is named; set {ENV_PREFIX}LLM__MODEL, or choose pairs.generator=structural"
        )
    key = settings.api_key.get_secret_value() if settings.api_key else os.environ.get("OPENAI_API_KEY", "")
    if not key and settings.base_url is None:
        raise GeneratorError(
            f"no key for OpenAI; set {ENV_PREFIX}LLM__API_KEY or OPENAI_API_KEY, "
            f"or {ENV_PREFIX}LLM__BASE_URL for another endpoint"
        )
    return settings.model, key or "none"  # the client insists on a key
