"""One run's dealings with the language model: what is known is not asked, what is asked is kept at once."""

import datetime as dt
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, fields

from acronis_pipeline.core.errors import GeneratorError
from acronis_pipeline.core.settings import ENV_PREFIX, LlmSettings
from acronis_pipeline.llm.batch import BatchRun
from acronis_pipeline.llm.budget import BUDGET_SPENT, Budget, LlmUsage
from acronis_pipeline.llm.endpoint import Dialect, name_of
from acronis_pipeline.llm.exchange import LASTING, Outcome, Prompt, Reply
from acronis_pipeline.llm.online import OnlineRun
from acronis_pipeline.store import Store, tables

_log = logging.getLogger(__name__)
_PROGRESS_EVERY_S = 10.0
_WRITES_BETWEEN_COMPACTIONS = 256
"""Every write leaves a small file; a write takes 3 ms at first and 4 ms after 400, merging the files .2 s."""


class AnswerCache:
    """Answers in the table `llm_answers`, paid for once; a key stands for passage, prompt, model and parameters."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: set[str] = set()
        self._writes = 0

    def read(self, keys: Iterable[str]) -> dict[str, Reply]:
        """Those of the keys that have an answer."""
        wanted = set(keys)
        if not wanted:
            return {}
        rows = self._store.read(tables.LLM_ANSWERS).to_pylist()
        self._known = {row["answer_key"] for row in rows}
        return {
            row["answer_key"]: Reply(**{field.name: row[field.name] for field in fields(Reply)})
            for row in rows
            if row["answer_key"] in wanted
        }

    def drop(self, keys: Iterable[str]) -> None:
        """Forget answers, so that others can be added for the same keys."""
        dropped = set(keys)
        self._store.delete(tables.LLM_ANSWERS, dropped)
        self._known -= dropped

    def add(self, answers: Mapping[str, Reply], model: str) -> None:
        """Keep answers that are not known yet; they survive a kill from here on."""
        new = answers.keys() - self._known
        if not new:
            return
        self._known |= new
        now = dt.datetime.now(dt.UTC)
        rows = [
            {"answer_key": key, "model": model, **asdict(answer), "answered_at": now}
            for key, answer in answers.items()
            if key in new
        ]
        self._store.append(tables.LLM_ANSWERS, tables.LLM_ANSWERS.rows(rows))
        self._writes += 1
        if self._writes % _WRITES_BETWEEN_COMPACTIONS == 0:
            self._store.compact(tables.LLM_ANSWERS)


class LlmSession:
    """The configured endpoint with its cache, its budget, and what was learned of its dialect.

    Raises as `require_configured`.
    """

    def __init__(self, settings: LlmSettings, store: Store) -> None:
        self.settings = settings
        self._store = store
        self._cache = AnswerCache(store)
        self._endpoint = name_of(settings)
        self._dialect = Dialect(settings)
        self.model = self._dialect.model
        self._budget = Budget(settings)
        self._requests = self._cached = self._attempts = 0
        self._failures: Counter[str] = Counter()

    @property
    def usage(self) -> LlmUsage:
        """What this run has asked and paid for so far."""
        return LlmUsage(
            requests=self._requests,
            cached=self._cached,
            retries=max(0, self._attempts - self._requests),
            prompt_tokens=self._budget.prompt_tokens,
            completion_tokens=self._budget.completion_tokens,
            cost_usd=self._budget.cost_usd,
            failures=dict(self._failures.most_common()),
        )

    def note_failure(self, reason: str) -> None:
        """Count an answer that came and cannot be used."""
        self._failures[reason] += 1

    def ask(
        self, prompts: Sequence[Prompt], what: str, *, usable: Callable[[Reply], bool], batch: bool | None = None
    ) -> list[Outcome]:
        """The outcome of each prompt, in order; equal prompts are asked once, known answers cost nothing.

        A request that fails costs nothing but itself and is made again next time, and so is one whose answer of last
        time was not of the form asked for. What was refused or cut off would be so again, and is remembered. A budget
        that is spent fails all that is left in the same way.

        Parameters
        ----------
        what
            Names the items in the log: "chunks", "questions".
        usable
            Whether a reply has the form asked for.
        batch
            Whether to use the Batch API, by default as configured; a few prompts on which others wait should not.

        Raises
        ------
        GeneratorError
            If the endpoint refuses the key or the model, or several requests are made and not one is answered.
        """
        keys = [prompt.key(self.model, self.settings.temperature) for prompt in prompts]
        known = self._cache.read(keys)
        garbled = {key for key, answer in known.items() if answer.failure not in LASTING and not usable(answer)}
        if garbled:
            _log.info("%d answers of an earlier run cannot be used; asking again", len(garbled))
            self._cache.drop(garbled)
        outcomes = {key: Outcome(known[key]) for key in known.keys() - garbled}
        missing = {key: prompt for key, prompt in zip(keys, prompts, strict=True) if key not in outcomes}
        self._cached += sum(key in outcomes for key in keys)
        if not missing:
            return [outcomes[key] for key in keys]
        run = self._run(missing, batch=self.settings.batch if batch is None else batch)
        outcomes |= dict(self._kept(run, len(missing), what))
        failed = Counter(str(outcome.failure) for key in missing if not (outcome := outcomes[key]).reply)
        self._attempts += run.attempts
        self._requests += len(missing) - failed[BUDGET_SPENT]
        self._failures += failed
        if failed[BUDGET_SPENT]:
            _log.warning(
                "the budget is spent (%s): %d of %d %s were not asked; run again, or raise llm.max_tokens_total or "
                "llm.budget_usd: answers so far are kept",
                self._budget, failed[BUDGET_SPENT], len(keys), what,
            )  # fmt: skip
        if failed.total() == len(set(keys)) > 1:
            raise GeneratorError(
                f"not one of {failed.total()} requests to {self._endpoint} was answered "
                f"({', '.join(f'{reason}: {n}' for reason, n in failed.most_common())}); "
                f"check {ENV_PREFIX}LLM__BASE_URL, that the server is up, and the budget"
            )
        return [outcomes[key] for key in keys]

    def _run(self, missing: dict[str, Prompt], *, batch: bool) -> OnlineRun | BatchRun:
        asked = (missing, self.settings, self._dialect, self._budget)
        return BatchRun(*asked, self._store) if batch else OnlineRun(*asked)

    def _kept(self, run: OnlineRun | BatchRun, n_prompts: int, what: str) -> Iterator[tuple[str, Outcome]]:
        """The outcomes of a run, each stored before it is given out."""
        started = reported = time.monotonic()
        done = 0
        with closing(run.groups()) as groups:
            for group in groups:
                self._cache.add({key: outcome.reply for key, outcome in group if outcome.reply}, self.model)
                yield from group
                done += len(group)
                now = time.monotonic()
                if group and (now - reported >= _PROGRESS_EVERY_S or done == n_prompts):
                    reported = now
                    rate = done / (now - started)
                    _log.info("asked %d of %d %s, %.1f/s, %.0f s left, %s", done, n_prompts, what, rate,
                              max(0, n_prompts - done) / rate, self._budget)  # fmt: skip


def ask_once(prompt: Prompt, settings: LlmSettings) -> Outcome:
    """One reply for somebody who waits: no cache, no budget, and no more patience with a busy server than with others.

    Raises as `require_configured`; what the endpoint has against key, model or request is an outcome.
    """
    limits = ("max_tokens_total", "budget_usd", "requests_per_minute", "tokens_per_minute")
    settings = settings.model_copy(update=dict.fromkeys(limits))
    run = OnlineRun({"": prompt}, settings, Dialect(settings), Budget(settings), patience_with_429=1)
    outcome = Outcome()
    with suppress(GeneratorError):  # the outcome says it too
        for group in run.groups():
            for _, outcome in group:  # noqa: B007
                pass
    return outcome
