"""The language model's answers, each paid for once: a cache in the table `llm_answers`."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from acronis_pipeline import schemas
from acronis_pipeline.store import Store

_TABLE = "llm_answers"


@dataclass(frozen=True)
class Answer:
    """What a model said to one request; `failure` says why it cannot be used, None if it can."""

    content: str
    failure: str | None
    prompt_tokens: int
    completion_tokens: int


class AnswerCache:
    """Answers by key, where a key stands for passage, prompt, model and parameters."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self, keys: Iterable[str]) -> dict[str, Answer]:
        """Those of the keys that have an answer."""
        wanted = set(keys)
        return {
            row["answer_key"]: Answer(row["content"], row["failure"], row["prompt_tokens"], row["completion_tokens"])
            for row in self._store.read(_TABLE, schemas.LLM_ANSWERS).to_pylist()
            if row["answer_key"] in wanted
        }

    def write(self, answers: Mapping[str, Answer], model: str) -> None:
        if not answers:
            return
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
        ]
        self._store.upsert(_TABLE, schemas.LLM_ANSWERS, pa.Table.from_pylist(rows, schema=schemas.LLM_ANSWERS))
