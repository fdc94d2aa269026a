"""Asking through the Batch API: one file of requests, half the price, an answer within a day, safe against a kill.

A submission is written down before it is made, named by what it asks, and the name also stands in the batch's metadata.
A run that was killed at any moment therefore finds its batch again instead of paying for another.
"""

import datetime as dt
import io
import json
import logging
import time
from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from acronis_pipeline.core.errors import GeneratorError
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.core.settings import ENV_PREFIX, LlmSettings
from acronis_pipeline.llm.budget import BUDGET_SPENT, Budget
from acronis_pipeline.llm.endpoint import Dialect, client_options, name_of
from acronis_pipeline.llm.exchange import Outcome, Outcomes, Prompt, Reply, of_error, of_success, read_body
from acronis_pipeline.store import Store, quoted, tables

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types import Batch

_log = logging.getLogger(__name__)
_NAME = "acronis_pipeline_submission"
_MAX_REQUESTS = 50_000
_MAX_BYTES = 150_000_000  # OpenAI takes 200 MB
_ENDED = {"completed", "failed", "expired", "cancelled"}
_ROUNDS = 4
"""A refused dialect is corrected and the requests sent again; there are three levels and two parameters to learn."""


class BatchRun:
    """One series of requests through batches. `groups` gives outcomes by key, a batch at a time."""

    def __init__(
        self, prompts: Mapping[str, Prompt], settings: LlmSettings, dialect: Dialect, budget: Budget, store: Store
    ) -> None:
        self._prompts, self._settings, self._dialect, self._budget = prompts, settings, dialect, budget
        self._store, self._endpoint, self._model = store, name_of(settings), dialect.model
        self.attempts = 0

    def groups(self) -> Generator[Outcomes, None, None]:
        """Groups of outcomes, one per prompt in all, and those of batches that an earlier run left behind.

        Raises
        ------
        GeneratorError
            If the endpoint has no Batch API, refuses key or model, or fails a whole batch.
        """
        import openai

        try:
            with openai.OpenAI(**client_options(self._settings), max_retries=self._settings.max_retries) as client:
                yield from self._ask_all(client)
            return
        except openai.APIStatusError as error:
            status = error.status_code
        except openai.OpenAIError as error:
            raise GeneratorError(
                f"{self._endpoint} does not answer ({type(error).__name__}); run again: its batch is found again"
            ) from None
        # Outside of `except`: an error raised in there would carry the server's words, which may repeat the key.
        if status == 404:
            raise GeneratorError(f"{self._endpoint} has no Batch API (HTTP 404); set {ENV_PREFIX}LLM__BATCH=false")
        refused = of_error(status, "", endpoint=self._endpoint, model=self._model)
        raise GeneratorError(refused.remedy or f"{self._endpoint}: HTTP {status} from its Batch API; run again")

    def _ask_all(self, client: "OpenAI") -> Generator[Outcomes, None, None]:
        answered: set[str] = set()
        where = f"endpoint = {quoted(self._endpoint)} AND model = {quoted(self._model)} AND collected_at IS NULL"
        for submission in self._store.read(tables.LLM_BATCHES, where=where).to_pylist():
            if batch := self._find(client, submission):
                _log.info("batch %s of an earlier run is found again", batch.id)
                outcomes = self._wait_for(client, submission, batch)
                for outcome in outcomes.values():
                    self._budget.charge(outcome.reply or Reply(""))
                answered |= {key for key, outcome in outcomes.items() if outcome.reply}
                yield [(key, outcome) for key, outcome in outcomes.items() if outcome.reply]
                self._remember(submission, batch.id, collected=True)
        missing = {key: prompt for key, prompt in self._prompts.items() if key not in answered}
        for last_round in (False,) * (_ROUNDS - 1) + (True,):
            refused: dict[str, Prompt] = {}
            for part in self._parts(missing):
                sent = {key: self._dialect.body(prompt) for key, prompt in part.items()}
                affordable = {key: body for key, body in sent.items() if self._budget.reserve(part[key])}
                yield [(key, Outcome(failure=BUDGET_SPENT)) for key in part if key not in affordable]
                if not affordable:
                    continue
                submission, batch = self._submit(client, affordable)
                outcomes = self._wait_for(client, submission, batch)
                for key, outcome in outcomes.items():
                    self._budget.settle(part[key], outcome.reply)
                    if not last_round and self._learn(affordable[key], outcome):
                        refused[key] = part[key]
                yield [(key, outcome) for key, outcome in outcomes.items() if key not in refused]
                self._remember(submission, batch.id, collected=True)
            missing = refused

    def _learn(self, sent: dict[str, Any], outcome: Outcome) -> bool:
        """Whether a request should go into another batch, put differently."""
        if outcome.reply:
            self._dialect.confirm(sent)
        return outcome.is_about_request and self._dialect.learn(sent, outcome.words)

    def _parts(self, prompts: Mapping[str, Prompt]) -> Iterator[dict[str, Prompt]]:
        """The prompts in files of a size that the endpoint takes."""
        part: dict[str, Prompt] = {}
        size = 0
        for key, prompt in prompts.items():
            n_bytes = len(json.dumps(self._dialect.body(prompt)).encode())
            if part and (len(part) == _MAX_REQUESTS or size + n_bytes > _MAX_BYTES):
                yield part
                part, size = {}, 0
            part[key] = prompt
            size += n_bytes
        if part:
            yield part

    def _submit(self, client: "OpenAI", sent: Mapping[str, dict[str, Any]]) -> "tuple[dict[str, Any], Batch]":
        now = dt.datetime.now(dt.UTC)
        submission = {
            "submission_id": digest(*sent, now.isoformat())[:32],
            "endpoint": self._endpoint,
            "model": self._model,
            "batch_id": None,
            "answer_keys": list(sent),
            "submitted_at": now,
            "collected_at": None,
        }
        self._save(submission)
        lines = [
            json.dumps({"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": body})
            for key, body in sent.items()
        ]
        file = client.files.create(
            file=("requests.jsonl", io.BytesIO("\n".join(lines).encode()), "application/jsonl"), purpose="batch"
        )
        batch = client.batches.create(
            input_file_id=file.id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
            metadata={_NAME: submission["submission_id"]},
        )
        self.attempts += len(sent)
        self._remember(submission, batch.id)
        _log.info("batch %s: %d requests submitted to %s", batch.id, len(sent), self._endpoint)
        return submission, batch

    def _wait_for(self, client: "OpenAI", submission: dict[str, Any], batch: "Batch") -> dict[str, Outcome]:
        """Outcomes of a batch by key, when it has ended; one that expired has those that were ready."""
        while batch.status not in _ENDED:
            counts = batch.request_counts
            done = f"{counts.completed + counts.failed} of {counts.total} done" if counts else "no count yet"
            _log.info("batch %s is %s: %s", batch.id, batch.status, done)
            time.sleep(self._settings.batch_poll_s)
            batch = client.batches.retrieve(batch.id)
        if batch.status == "failed":
            self._remember(submission, batch.id, collected=True)
            reason = batch.errors.data[0].code if batch.errors and batch.errors.data else "no reason given"
            raise GeneratorError(f"{self._endpoint} failed batch {batch.id} ({reason}); mend that and run again")
        outcomes = {key: Outcome(failure=f"batch {batch.status}") for key in submission["answer_keys"]}
        for file_id in filter(None, (batch.output_file_id, batch.error_file_id)):
            for line in client.files.content(file_id).text.splitlines():
                entry = read_body(line)
                if isinstance(entry, dict) and entry.get("custom_id") in outcomes:
                    outcomes[entry["custom_id"]] = self._outcome(entry)
        return outcomes

    def _outcome(self, entry: dict[str, Any]) -> Outcome:
        response = entry.get("response") or {}
        status, body = response.get("status_code"), response.get("body")
        if status == 200:
            return of_success(body)
        if not isinstance(status, int):
            return Outcome(failure="batch error")
        return of_error(status, json.dumps(body), endpoint=self._endpoint, model=self._model)

    def _find(self, client: "OpenAI", submission: dict[str, Any]) -> "Batch | None":
        """The batch of a submission of an earlier run; None if it was never accepted or is gone by now."""
        import openai

        if submission["batch_id"]:
            try:
                return client.batches.retrieve(submission["batch_id"])
            except openai.NotFoundError:
                _log.warning("batch %s is gone from %s; asking again", submission["batch_id"], self._endpoint)
                self._remember(submission, submission["batch_id"], collected=True)
                return None
        # The run was killed between the submission and its receipt.
        since = submission["submitted_at"].timestamp() - 3600
        for batch in client.batches.list(limit=100):
            if (batch.metadata or {}).get(_NAME) == submission["submission_id"]:
                return batch
            if batch.created_at < since:
                break
        self._remember(submission, None, collected=True)
        return None

    def _remember(self, submission: dict[str, Any], batch_id: str | None, *, collected: bool = False) -> None:
        now = dt.datetime.now(dt.UTC)
        self._save(submission | {"batch_id": batch_id, "collected_at": now if collected else None})

    def _save(self, submission: dict[str, Any]) -> None:
        self._store.upsert(tables.LLM_BATCHES, tables.LLM_BATCHES.rows([submission]))
