"""Asking many prompts at once over HTTP: slots, rates, retries, time-outs, and a clean stop."""

import asyncio
import logging
import queue
import random
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from acronis_pipeline.core.settings import LlmSettings
from acronis_pipeline.llm.budget import BUDGET_SPENT, Budget, Pace
from acronis_pipeline.llm.endpoint import Dialect, client_options
from acronis_pipeline.llm.exchange import Outcome, Prompt, of_error, of_success, read_body

if TYPE_CHECKING:
    from openai import AsyncOpenAI

Answers = list[tuple[str, Outcome]]

_log = logging.getLogger(__name__)

NOT_ASKED = "not asked: the endpoint does not answer"
TIMED_OUT = "time-out"
_STOPPED = "not asked: stopped"

_BACKOFF_S, _LONGEST_BACKOFF_S = 0.5, 8.0
_LONGEST_RETRY_AFTER_S = 120.0
_TIMEOUT_RETRIES = 1
"""A prompt that hung twice would hold a slot for minutes more."""
_PATIENCE_WITH_429 = 5
"""A 429 says "later", not "no": it may be met this many times as often as other failures."""
_LIVE_PER_SLOT = 8
"""Requests begun per slot: those that wait for another attempt leave their slot to others."""


class OnlineRun:
    """One series of requests to one endpoint.

    `groups` gives outcomes by key, in groups as they come: whatever arrived while the last group was being stored
    is the next group, so nothing that was answered waits longer than one write. The requests run on an event loop in a
    thread of their own, because a notebook has a loop already.
    """

    def __init__(
        self,
        prompts: Mapping[str, Prompt],
        settings: LlmSettings,
        dialect: Dialect,
        budget: Budget,
        name: str,
    ) -> None:
        assert settings.model
        self._prompts, self._settings, self._model = prompts, settings, settings.model
        self._dialect, self._budget, self._endpoint = dialect, budget, name
        self._requests, self._tokens = Pace(settings.requests_per_minute), Pace(settings.tokens_per_minute)
        self._arrived: queue.SimpleQueue[tuple[str, Outcome] | None] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: Any = None
        self._stop: str | None = None
        self._error: BaseException | None = None
        self._paused_until = 0.0
        self._failures_in_row = self._refusals_in_row = 0
        self.attempts = 0

    def groups(self) -> Generator[Answers, None, None]:
        """Groups of outcomes, one per prompt in all.

        Raises
        ------
        GeneratorError
            If the endpoint refuses key or model; what was under way is waited for and given out before.
        """
        thread = threading.Thread(target=self._work, name="llm", daemon=True)
        thread.start()
        try:
            ended = False
            while not ended:
                group = [self._arrived.get()]
                while not self._arrived.empty():
                    group.append(self._arrived.get())
                ended = None in group
                yield [outcome for outcome in group if outcome is not None]
        finally:
            self._stop = self._stop or _STOPPED
            self._cancel()
            thread.join()
        if self._error:
            raise self._error

    def _work(self) -> None:
        try:
            asyncio.run(self._ask_all())
        except asyncio.CancelledError:
            pass  # by `_cancel`: there is nobody left to tell
        except BaseException as error:
            self._error = self._error or error
        finally:
            self._arrived.put(None)

    def _cancel(self) -> None:
        """End what is under way; nothing is, unless whoever takes the outcomes was interrupted."""
        if self._loop and not self._loop.is_closed():
            with suppress(RuntimeError):  # it ended in between
                self._loop.call_soon_threadsafe(self._task.cancel)

    async def _ask_all(self) -> None:
        from openai import AsyncOpenAI

        self._task = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        self._slots = asyncio.Semaphore(self._settings.concurrency)
        live = asyncio.Semaphore(self._settings.concurrency * _LIVE_PER_SLOT)
        client = AsyncOpenAI(
            **client_options(self._settings),
            max_retries=0,  # a retry inside the client would keep its slot while it waits
        )
        async with client, asyncio.TaskGroup() as tasks:
            for key, prompt in self._prompts.items():
                await live.acquire()
                tasks.create_task(self._ask(client, key, prompt)).add_done_callback(lambda _: live.release())

    async def _ask(self, client: "AsyncOpenAI", key: str, prompt: Prompt) -> None:
        """Attempts at one prompt until it has an outcome that stands."""
        attempt = 0
        while True:
            try:
                async with self._slots:
                    if not await self._may_go(prompt):
                        outcome = Outcome(failure=self._stop)
                        break
                    outcome = Outcome()
                    try:
                        outcome = await self._attempt(client, prompt)
                    finally:
                        self._settle(prompt, outcome)
            except Exception as error:  # a refused key, or a bug: no reason to lose what others were answered
                self._error = self._error or error
                self._stop = self._stop or _STOPPED
                outcome = Outcome(failure=_STOPPED)
                break
            attempt += 1
            if not self._is_worth_another(outcome, attempt):
                break
            await asyncio.sleep(_wait_s(outcome, attempt))
        self._note_end(outcome)
        self._arrived.put((key, outcome))

    async def _may_go(self, prompt: Prompt) -> bool:
        """Wait for the budget and the rates; False if there is nothing more to be asked."""
        while not self._stop and not self._budget.reserve(prompt):
            if not self._budget.n_under_way:
                self._stop = BUDGET_SPENT
                return False
            await asyncio.sleep(0.02)  # those under way may turn out cheaper than they could have been
        if self._stop:
            return False
        now = time.monotonic()
        rates_s = max(self._requests.reserve(1, now), self._tokens.reserve(prompt.tokens_at_most, now))
        await asyncio.sleep(max(rates_s, self._paused_until - now, 0))
        return True

    async def _attempt(self, client: "AsyncOpenAI", prompt: Prompt) -> Outcome:
        """One outcome; a dialect that the server does not speak is corrected on the way."""
        import openai

        while True:
            body = self._dialect.body(prompt, self._model)
            self.attempts += 1
            try:
                async with asyncio.timeout(self._settings.timeout_s):  # the client's own counts silence only
                    response = await client.chat.completions.with_raw_response.create(**body)
            except (TimeoutError, openai.APITimeoutError):
                return Outcome(failure=TIMED_OUT, retryable=True)
            except openai.APIConnectionError:
                return Outcome(failure="no connection", retryable=True)
            except openai.APIStatusError as error:
                refusal = error.response
            else:
                outcome = of_success(read_body(response.content))
                if outcome.answer:
                    self._dialect.confirm(body)
                return outcome
            # Outside of `except`: an error raised in there would carry the server's words, which may repeat the key.
            outcome = of_error(
                refusal.status_code, refusal.text, refusal.headers,
                endpoint=self._endpoint, model=self._model,
            )  # fmt: skip
            if outcome.message is None or not self._dialect.learn(body, outcome.message):
                return outcome

    def _settle(self, prompt: Prompt, outcome: Outcome) -> None:
        self._budget.settle(prompt, outcome.answer)
        used = outcome.answer.prompt_tokens + outcome.answer.completion_tokens if outcome.answer else 0
        self._tokens.correct(used - prompt.tokens_at_most)

    def _is_worth_another(self, outcome: Outcome, attempt: int) -> bool:
        """Also slows everyone down when the server refuses all alike."""
        is_429 = outcome.failure == "HTTP 429"
        self._refusals_in_row = self._refusals_in_row + 1 if is_429 else 0
        if is_429 and self._refusals_in_row >= self._settings.concurrency:
            self._paused_until = time.monotonic() + _wait_s(outcome, attempt)
        if not outcome.retryable or self._stop or (outcome.retry_after_s or 0) > _LONGEST_RETRY_AFTER_S:
            return False
        retries = self._settings.max_retries
        if is_429:
            retries *= _PATIENCE_WITH_429
        elif outcome.failure == TIMED_OUT:
            retries = min(retries, _TIMEOUT_RETRIES)
        return attempt <= retries

    def _note_end(self, outcome: Outcome) -> None:
        """A dead endpoint is given up before every prompt has tried it."""
        self._failures_in_row = 0 if outcome.answer else self._failures_in_row + 1
        if not self._stop and self._failures_in_row >= max(16, 2 * self._settings.concurrency):
            self._stop = NOT_ASKED
            _log.warning(
                "%s: %d requests in a row failed, the last with %s; asking no more",
                self._endpoint, self._failures_in_row, outcome.failure,
            )  # fmt: skip


def _wait_s(outcome: Outcome, attempt: int) -> float:
    if outcome.retry_after_s is not None:
        return outcome.retry_after_s
    return min(_BACKOFF_S * 2 ** (attempt - 1), _LONGEST_BACKOFF_S) * random.uniform(0.75, 1)
