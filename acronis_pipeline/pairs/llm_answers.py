"""The language model's answers, each paid for once: a cache in the table `llm_answers`."""

import datetime as dt
from collections.abc import Iterable, Mapping

import pyarrow as pa

from acronis_pipeline import schemas
from acronis_pipeline.pairs.llm_request import Answer
from acronis_pipeline.store import Store

_TABLE = "llm_answers"
_WRITES_BETWEEN_COMPACTIONS = 256
"""Every write leaves a small file; a write takes 3 ms at first and 4 ms after 400, merging the files .2 s."""


class AnswerCache:
    """Answers by key, where a key stands for passage, prompt, model and parameters."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: set[str] = set()
        self._writes = 0

    def read(self, keys: Iterable[str]) -> dict[str, Answer]:
        """Those of the keys that have an answer."""
        wanted = set(keys)
        if not wanted:
            return {}
        rows = self._store.read(_TABLE, schemas.LLM_ANSWERS).to_pylist()
        self._known = {row["answer_key"] for row in rows}
        return {
            row["answer_key"]: Answer(row["content"], row["failure"], row["prompt_tokens"], row["completion_tokens"])
            for row in rows
            if row["answer_key"] in wanted
        }

    def drop(self, keys: Iterable[str]) -> None:
        """Forget answers, so that others can be added for the same keys."""
        dropped = set(keys)
        self._store.delete(_TABLE, schemas.LLM_ANSWERS, dropped)
        self._known -= dropped

    def add(self, answers: Mapping[str, Answer], model: str) -> None:
        """Keep answers that are not known yet; they survive a kill from here on."""
        new = answers.keys() - self._known
        if not new:
            return
        self._known |= new
        now = dt.datetime.now(dt.UTC)
        rows = [
            {
                "answer_key": key,
                "model": model,
                "content": answer.content,
                "failure": answer.failure,
                "prompt_tokens": answer.prompt_tokens,
                "completion_tokens": answer.completion_tokens,
                "answered_at": now,
            }
            for key, answer in answers.items()
            if key in new
        ]
        self._store.append(_TABLE, schemas.LLM_ANSWERS, pa.Table.from_pylist(rows, schema=schemas.LLM_ANSWERS))
        self._writes += 1
        if self._writes % _WRITES_BETWEEN_COMPACTIONS == 0:
            self._store.compact(_TABLE)
