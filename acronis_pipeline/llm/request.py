"""One request to a language model, and what came of it."""

import json
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from acronis_pipeline.core.hashing import digest

_BYTES_PER_TOKEN = 3.5
"""English has 4 to 5 bytes a token, other languages fewer; estimates should rather be too high."""
_MESSAGE_TOKENS = 20


@dataclass(frozen=True)
class Prompt:
    """A conversation and the shape of its answer.

    `remembered_as` names the answer in the cache instead of the text of the messages: for what is asked once and kept,
    whatever the corpus does.
    """

    system: str
    user: str
    answer: type[BaseModel]
    max_tokens: int
    remembered_as: str | None = None

    @property
    def messages(self) -> list[dict[str, str]]:
        return [{"role": "system", "content": self.system}, {"role": "user", "content": self.user}]

    @property
    def json_schema(self) -> dict[str, Any]:
        """The answer's schema as strict structured output wants it."""
        schema = self.answer.model_json_schema()
        return {"name": self.answer.__name__, "strict": True, "schema": schema}

    @property
    def tokens_at_most(self) -> int:
        """Estimate of prompt tokens, and every token the answer may have."""
        return self.prompt_tokens_estimate + self.max_tokens

    @property
    def prompt_tokens_estimate(self) -> int:
        return _MESSAGE_TOKENS + int(len((self.system + self.user).encode()) / _BYTES_PER_TOKEN)

    def key(self, model: str, temperature: float) -> str:
        """Identity of what is asked of whom with which parameters: what was answered once is not paid for again."""
        asked = self.remembered_as or json.dumps(self.messages, ensure_ascii=False)
        schema = json.dumps(self.json_schema, sort_keys=True)
        return digest(asked, schema, str(self.max_tokens), model, str(temperature))


@dataclass(frozen=True)
class Answer:
    """What a model said; `failure` says why it cannot be used as it stands, None if it can."""

    content: str
    failure: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True)
class Unanswered:
    """A request that got no answer, and why; it is made again next time."""

    failure: str


@dataclass(frozen=True)
class Outcome:
    """How one attempt ended: with an answer that was paid for, or with a failure.

    Of a failure, `retryable` says whether another attempt may help, `retry_after_s` how long the server wants to be
    left alone, and `message` what it has against the request. That is only searched, never shown: some repeat the key.
    """

    answer: Answer | None = None
    failure: str | None = None
    retryable: bool = False
    retry_after_s: float | None = None
    message: str | None = None
