"""Asking many prompts at once over HTTP: slots, rates, time-outs, and a clean stop; the OpenAI client asks again."""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import nullcontext, suppress
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx2
from aiolimiter import AsyncLimiter

from acronis_pipeline.core.errors import GeneratorError
from acronis_pipeline.core.retries import backoff_s, hold_s
from acronis_pipeline.core.settings import LlmSettings
from acronis_pipeline.llm.budget import BUDGET_SPENT, Budget
from acronis_pipeline.llm.endpoint import Dialect, client_options, name_of
from acronis_pipeline.llm.exchange import Outcome, Outcomes, Prompt, of_error, of_success, read_body

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_log = logging.getLogger(__name__)

NOT_ASKED = "not asked: the endpoint does not answer"
TIMED_OUT, REFUSED_FOR_NOW = "time-out", "HTTP 429"
_STOPPED = "not asked: stopped"

_TIMEOUT_RETRIES = 1
"""A prompt that hung twice would hold a slot for minutes more."""
PATIENCE_WITH_429 = 5
"""A 429 says "later", not "no": in a long run it may be met this many times as often as other failures."""
_LIVE_PER_SLOT = 8
"""Requests begun per slot: those that wait for another attempt leave their slot to others."""


_ASKED: ContextVar[tuple[Prompt, dict[str, Any]]] = ContextVar("_ASKED")
"""Prompt and body of the task that makes an attempt: the client hands on the request alone."""


class _Ended(Exception):  # noqa: N818 (no error: it takes an outcome past the client's retries)
    """No further attempt is worth it."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.failure)
        self.outcome = outcome


class _Outdated(Exception):  # noqa: N818 (likewise)
    """While the request waited for a slot, others learned that it must be put differently."""


class _HttpClient(httpx2.AsyncClient):
    """Sends each attempt of the OpenAI client when its turn has come."""

    def __init__(self, run: "OnlineRun") -> None:
        # The slots are the limit.
        super().__init__(
            follow_redirects=True, limits=httpx2.Limits(max_connections=None, max_keepalive_connections=None)
        )
        self._run = run

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:  # pyright: ignore[reportIncompatibleMethodOverride]
        return await self._run.attempt(request, partial(super().send, request, **options))


class OnlineRun:
    """One series of requests to one endpoint.

    `groups` gives outcomes by key, in groups as they come: whatever arrived while the last group was being stored
    is the next group, so nothing that was answered waits longer than one write. The requests run on an event loop in a
    thread of their own, because a notebook has a loop already.

    The OpenAI client waits between attempts, as long as Retry-After says; what is here says which are worth it, and
    lets an attempt through when there is a slot and the rates allow it. `patience_with_429` times as many attempts are
    made after a 429 as after other failures.
    """

    def __init__(
        self,
        prompts: Mapping[str, Prompt],
        settings: LlmSettings,
        dialect: Dialect,
        budget: Budget,
        *,
        patience_with_429: int = PATIENCE_WITH_429,
    ) -> None:
        self._prompts, self._settings, self._dialect, self._budget = prompts, settings, dialect, budget
        self._endpoint, self._model = name_of(settings), dialect.model
        self._retries_of_429 = settings.max_retries * patience_with_429
        # Spread evenly rather than in bursts of a minute's worth: servers count by the second as well.
        per_minute, tokens_per_minute = settings.requests_per_minute, settings.tokens_per_minute
        self._requests = AsyncLimiter(1, 60 / per_minute) if per_minute else nullcontext()
        self._tokens = AsyncLimiter(tokens_per_minute / 60, 1) if tokens_per_minute else None
        self._tokens_owed = 0.0
        self._arrived: queue.SimpleQueue[tuple[str, Outcome] | None] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._stop: str | None = None
        self._error: BaseException | None = None
        self._paused_until = 0.0
        self._failures_in_row = self._refusals_in_row = 0
        self.attempts = 0

    def groups(self) -> Generator[Outcomes, None, None]:
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
            # What is under way ends; nothing is, unless whoever takes the outcomes was interrupted.
            if self._loop and self._task and not self._loop.is_closed():
                with suppress(RuntimeError):  # it ended in between
                    self._loop.call_soon_threadsafe(self._task.cancel)
            thread.join()
        if self._error:
            raise self._error

    def _work(self) -> None:
        try:
            asyncio.run(self._ask_all())
        except asyncio.CancelledError:
            pass  # by `groups`: there is nobody left to tell
        except BaseException as error:
            self._error = self._error or error
        finally:
            self._arrived.put(None)

    async def _ask_all(self) -> None:
        from openai import AsyncOpenAI

        self._task = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        self._slots = asyncio.Semaphore(self._settings.concurrency)
        live = asyncio.Semaphore(self._settings.concurrency * _LIVE_PER_SLOT)
        client = AsyncOpenAI(
            **client_options(self._settings), http_client=_HttpClient(self), max_retries=self._retries_of_429
        )
        async with client, asyncio.TaskGroup() as tasks:
            for key, prompt in self._prompts.items():
                await live.acquire()
                tasks.create_task(self._ask(client, key, prompt)).add_done_callback(lambda _: live.release())

    async def _ask(self, client: "AsyncOpenAI", key: str, prompt: Prompt) -> None:
        """One prompt until it has an outcome that stands."""
        try:
            outcome = await self._answer(client, prompt)
        except Exception as error:  # a bug: no reason to lose what others were answered
            self._end(error)
            outcome = Outcome(failure=_STOPPED)
        self._note_end(outcome)
        self._arrived.put((key, outcome))

    async def _answer(self, client: "AsyncOpenAI", prompt: Prompt) -> Outcome:
        """One outcome; a dialect that the server does not speak is corrected on the way."""
        import openai

        while True:
            body = self._dialect.body(prompt)
            _ASKED.set((prompt, body))
            try:
                response = await client.chat.completions.with_raw_response.create(**body)
            except _Outdated:
                continue
            except _Ended as ended:
                outcome = ended.outcome
            except openai.APIStatusError as error:  # wants to be left alone for longer than the client waits
                outcome = Outcome(failure=f"HTTP {error.status_code}", words=error.response.text)
            else:
                self._dialect.confirm(body)
                return of_success(read_body(response.content))
            if not (outcome.is_about_request and self._dialect.learn(body, outcome.words)):
                return outcome

    async def attempt(self, request: httpx2.Request, send: Callable[[], Awaitable[httpx2.Response]]) -> httpx2.Response:
        """One attempt of the client, sent when there is a slot for it, and money, and the rates allow it.

        It returns a completion, or a response after which the client is to try again; what is to be tried again without
        a response is an error of httpx2, anything else is `_Ended`.
        """
        prompt, body = _ASKED.get()
        n_before = int(request.headers.get("x-stainless-retry-count", 0))  # the client counts its attempts there
        async with self._slots:
            if body != self._dialect.body(prompt):
                raise _Outdated
            await self._turn(prompt)
            outcome = Outcome()
            try:
                response, outcome = await self._sent(send)
            finally:
                self._budget.settle(prompt, outcome.reply)
                used = outcome.reply.prompt_tokens + outcome.reply.completion_tokens if outcome.reply else 0
                self._tokens_owed += used - prompt.tokens_at_most
            if response is not None and outcome.reply:
                self._refusals_in_row = 0
                return response
            if outcome.remedy:
                self._end(GeneratorError(outcome.remedy))
            self._slow_down(outcome, response, n_before)
            if not outcome.is_transient or self._stop or n_before >= self._retries(outcome):
                raise _Ended(outcome)
        if response is None or response.is_success:
            raise httpx2.TransportError(str(outcome.failure), request=request)
        response.headers["x-should-retry"] = "true"
        return response

    async def _turn(self, prompt: Prompt) -> None:
        """Wait for the budget and the rates; `_Ended` if there is nothing more to be asked."""
        while not self._stop and not self._budget.reserve(prompt):
            if not self._budget.n_under_way:
                self._stop = BUDGET_SPENT
            else:
                await asyncio.sleep(0.02)  # those under way may turn out cheaper than they could have been
        if self._stop:
            raise _Ended(Outcome(failure=self._stop))
        async with self._requests:
            await self._take_tokens(prompt.tokens_at_most)
        await asyncio.sleep(max(self._paused_until - time.monotonic(), 0))

    async def _take_tokens(self, amount: float) -> None:
        """Wait until the rate has so many tokens left, more or fewer by what others used against their reservation."""
        amount += self._tokens_owed
        self._tokens_owed = min(0.0, amount)
        while self._tokens and amount > 0:
            part = min(amount, self._tokens.max_rate)
            await self._tokens.acquire(part)
            amount -= part

    async def _sent(self, send: Callable[[], Awaitable[httpx2.Response]]) -> tuple[httpx2.Response | None, Outcome]:
        self.attempts += 1
        try:
            async with asyncio.timeout(self._settings.timeout_s):  # the client's own counts silence only
                response = await send()
        except (TimeoutError, httpx2.TimeoutException):
            return None, Outcome(failure=TIMED_OUT, is_transient=True)
        except httpx2.TransportError:
            return None, Outcome(failure="no connection", is_transient=True)
        if response.is_success:
            return response, of_success(read_body(response.content))
        return response, of_error(response.status_code, response.text, endpoint=self._endpoint, model=self._model)

    def _retries(self, outcome: Outcome) -> int:
        if outcome.failure == REFUSED_FOR_NOW:
            return self._retries_of_429
        retries = self._settings.max_retries
        return min(retries, _TIMEOUT_RETRIES) if outcome.failure == TIMED_OUT else retries

    def _end(self, error: Exception) -> None:
        """Ask nothing more; what is under way goes on."""
        self._error = self._error or error
        self._stop = self._stop or _STOPPED

    def _slow_down(self, outcome: Outcome, response: httpx2.Response | None, n_before: int) -> None:
        """Hold everyone back when the server refuses all alike."""
        self._refusals_in_row = self._refusals_in_row + 1 if outcome.failure == REFUSED_FOR_NOW else 0
        if response is not None and self._refusals_in_row >= self._settings.concurrency:
            ms = response.headers.get("retry-after-ms", "")
            wait_s = int(ms) / 1000 if ms.isdigit() else hold_s(response.headers.get("retry-after"))
            self._paused_until = time.monotonic() + (backoff_s(min(n_before, 4)) if wait_s is None else wait_s)

    def _note_end(self, outcome: Outcome) -> None:
        """A dead endpoint is given up before every prompt has tried it."""
        self._failures_in_row = 0 if outcome.reply else self._failures_in_row + 1
        if not self._stop and self._failures_in_row >= max(16, 2 * self._settings.concurrency):
            self._stop = NOT_ASKED
            _log.warning(
                "%s: %d requests in a row failed, the last with %s; asking no more",
                self._endpoint, self._failures_in_row, outcome.failure,
            )  # fmt: skip
