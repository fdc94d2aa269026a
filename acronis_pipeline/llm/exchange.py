"""What is asked of a language model and what comes back: an answer, a reason to try again, or the end of the matter."""

import json
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from acronis_pipeline.core.files import MalformedError, parse_json
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.core.settings import ENV_PREFIX
from acronis_pipeline.core.text import printable

REFUSED, TRUNCATED, FILTERED = "refused", "truncated answer", "filtered by the endpoint"
BROKEN_OFF, TOOL_CALL = "broken off by the endpoint", "a tool call instead of an answer"
NO_CONTENT, ONLY_THOUGHT = "empty answer", "reasoning without an answer"
LASTING = {REFUSED, TRUNCATED, FILTERED}
"""What would be so again, if it were asked again."""
# How servers say that an answer ended otherwise than by itself; those of Gemini and Claude come through proxies.
_CUT_OFF = {"length", "max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded"}
_FILTERED = {"content_filter", "content_filtered", "safety", "recitation", "blocklist", "prohibited_content", "spii"}
_FILTERED |= {"refusal", "guardrail_intervened", "sensitive"}
_BROKEN_OFF = {"error", "abort", "aborted", "cancelled", "malformed_function_call", "network_error"}
_TEXT_PARTS = ("text", "output_text")
NO_COMPLETION = "no completion in the response"
_TRANSIENT = {408, 409, 425, 429}
_ABOUT_THE_REQUEST = {400, 422, 501}
_BYTES_PER_TOKEN = 3.5
"""English has 4 to 5 bytes a token, other languages fewer; estimates should rather be too high."""
_MESSAGE_TOKENS = 20


class StrictAnswer(BaseModel):
    """The form of an answer, as strict structured output wants it: what it has no field for is refused."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class Prompt:
    """A conversation and the form of its answer: None for plain text.

    `remembered_as` names the answer in the cache instead of the text of the messages: for what is asked once and kept,
    whatever the corpus does.
    """

    system: str
    user: str
    answer: type[BaseModel] | None
    max_tokens: int | None
    remembered_as: str | None = None

    @property
    def messages(self) -> list[dict[str, str]]:
        return [{"role": "system", "content": self.system}, {"role": "user", "content": self.user}]

    @property
    def json_schema(self) -> dict[str, Any] | None:
        """The answer's schema as strict structured output wants it."""
        if self.answer is None:
            return None
        schema = self.answer.model_json_schema()
        return {"name": self.answer.__name__, "strict": True, "schema": schema}

    @property
    def tokens_at_most(self) -> int:
        """Estimate of prompt tokens, and every token the answer may have."""
        return self.prompt_tokens_estimate + (self.max_tokens or 0)

    @property
    def prompt_tokens_estimate(self) -> int:
        return _MESSAGE_TOKENS + int(len((self.system + self.user).encode()) / _BYTES_PER_TOKEN)

    def key(self, model: str, temperature: float) -> str:
        """Identity of what is asked of whom with which parameters: what was answered once is not paid for again."""
        asked = self.remembered_as or json.dumps(self.messages, ensure_ascii=False)
        schema = json.dumps(self.json_schema, sort_keys=True)
        return digest(asked, schema, str(self.max_tokens), model, str(temperature))


def fence_of(*data: str) -> str:
    """The line that marks texts as data in a prompt: a hash of the first, so no page can contain its own and close it.

    Should one of the texts hold it all the same, as a model's own words may, it is hashed on until none does.
    """
    hashed = digest("fence", data[0])
    while any(_fence(hashed) in text for text in data):
        hashed = digest("fence", hashed)
    return _fence(hashed)


def _fence(hashed: str) -> str:
    return f"=== passage {hashed[:12]} ==="


@dataclass(frozen=True)
class Reply:
    """What a model said; `failure` says why it cannot be used as it stands, None if it can."""

    content: str
    failure: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True)
class Outcome:
    """How a request ended: with a reply that was paid for, or with a failure, after which it is made again next time.

    Of a failure, `is_transient` says whether another attempt may help, `is_about_request` whether another form of the
    request may, and `remedy` is what a person has to do where no request can fare better. `words` are the server's own:
    to be searched, and not to be shown before `without_key` has seen them, for some repeat the key.
    """

    reply: Reply | None = None
    failure: str | None = None
    is_transient: bool = False
    is_about_request: bool = False
    words: str = ""
    remedy: str | None = None


Outcomes = list[tuple[str, Outcome]]
"""Outcomes with the keys of their prompts."""


def read_body(text: str | bytes) -> object:
    """The JSON of a body, None if it is none."""
    try:
        return parse_json(text)
    except MalformedError:
        return None


def of_success(body: object) -> Outcome:
    """What a response with status 200 amounts to. The raw answer is kept, usable or not: it was paid for."""
    choices = body.get("choices") if isinstance(body, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(body, dict) or not isinstance(choice, dict) or not isinstance(message, dict):
        told = body.get("error") if isinstance(body, dict) else None
        words = "status 200 with no answer in it" + (f": {json.dumps(told, ensure_ascii=False)}" if told else "")
        return Outcome(failure=NO_COMPLETION, is_transient=True, words=words)
    content = _text_of(message.get("content"))
    usage = body.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    failure = _failure(choice, message, content)
    return Outcome(
        Reply(content, failure, _count(counts.get("prompt_tokens")), _count(counts.get("completion_tokens")))
    )


def _text_of(content: object) -> str:
    """The text of a message: a string, or a list of parts of which those that hold thoughts or pictures are not it."""
    if isinstance(content, list):
        parts = (
            part.get("text") if part.get("type") in _TEXT_PARTS else None for part in content if isinstance(part, dict)
        )
        content = "".join(text for text in parts if isinstance(text, str))
    return printable(content) if isinstance(content, str) else ""


def _failure(choice: dict[str, Any], message: dict[str, Any], content: str) -> str | None:
    """Why a message is no usable answer, from all that the endpoint says of how it ended."""
    finish = str(choice.get("finish_reason") or "").lower().rpartition(".")[2]
    if message.get("refusal"):
        return REFUSED
    if finish in _FILTERED:
        return FILTERED
    if finish in _CUT_OFF:
        return TRUNCATED
    if choice.get("error") or finish in _BROKEN_OFF:
        return BROKEN_OFF
    if content.strip():
        return None
    if message.get("tool_calls") or message.get("function_call"):
        return TOOL_CALL
    thought = any(message.get(field) for field in ("reasoning_content", "reasoning", "thinking", "reasoning_details"))
    return ONLY_THOUGHT if thought else NO_CONTENT


def _count(told: object) -> int:
    """A number of tokens as told; 0 where nothing sensible was."""
    return int(told) if isinstance(told, int | float) and 0 <= told < 1e12 else 0


def of_error(status: int, words: str, *, endpoint: str, model: str) -> Outcome:
    """What any other status means."""
    remedy = None
    if status in {401, 403}:
        remedy = f"{endpoint} refused the key (HTTP {status}); set {ENV_PREFIX}LLM__API_KEY or OPENAI_API_KEY"
    elif status == 404:
        remedy = (
            f"{endpoint} knows no model {model!r} (HTTP 404); set {ENV_PREFIX}LLM__MODEL or {ENV_PREFIX}LLM__BASE_URL"
        )
    elif status == 429 and "insufficient_quota" in words:
        remedy = (
            f"{endpoint}: the account's quota is used up (HTTP 429); add to it and run again: answers so far are kept"
        )
    is_about_request = status in _ABOUT_THE_REQUEST
    is_transient = not is_about_request and (status in _TRANSIENT or status >= 500)
    return Outcome(None, f"HTTP {status}", is_transient, is_about_request, words, remedy)
