"""What is asked of a language model and what comes back: prompt, response, and reading the reply.

An endpoint's response is an answer, a reason to try again, or the end of the matter. What the model wrote may be JSON
among chatter, cut off, or no JSON at all.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from acronis_pipeline.core.hashing import digest
from acronis_pipeline.core.settings import ENV_PREFIX

Entry = TypeVar("Entry", bound=BaseModel)

REFUSED, TRUNCATED = "refused", "truncated answer"
NO_COMPLETION = "no completion in the response"
_TRANSIENT = {408, 409, 425, 429}
_ABOUT_THE_REQUEST = {400, 422, 501}
NO_CONTENT, REFUSED_IN_WORDS = "empty answer", "refused in words"
_BYTES_PER_TOKEN = 3.5
"""English has 4 to 5 bytes a token, other languages fewer; estimates should rather be too high."""
_MESSAGE_TOKENS = 20
_THINKING = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL)
_NUMBERED_LINE = re.compile(r"^\s*(\d{1,2})\s*[.):]\s+(\S.*)$", re.MULTILINE)
_OPENING = re.compile(r"[{\[]")
_SORRY = re.compile(
    r"\W*(?:(?:i['’]m |i am )?(?:very |so )?(?:sorry|afraid|unable|not able)\b"
    r"|i (?:can['’]t|cannot|can not|won['’]t|will not|must decline)\b|as an ai\b)",
    re.IGNORECASE,
)
"""How an answer begins that declines in plain words."""


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
        return json.loads(text)
    except ValueError:
        return None


def of_success(body: object) -> Outcome:
    """What a response with status 200 amounts to. The raw answer is kept, usable or not: it was paid for."""
    choices = body.get("choices") if isinstance(body, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
        return Outcome(failure=NO_COMPLETION, is_transient=True, words="status 200 with no answer in it")
    content = choice["message"].get("content")
    finish = choice.get("finish_reason")
    failure = TRUNCATED if finish == "length" else None
    if choice["message"].get("refusal") or finish == "content_filter":
        failure = REFUSED
    told = body.get("usage") if isinstance(body, dict) else None
    usage = told if isinstance(told, dict) else {}
    return Outcome(
        Reply(
            content if isinstance(content, str) else "",
            failure,
            int(usage.get("prompt_tokens") or 0),
            int(usage.get("completion_tokens") or 0),
        )
    )


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


def entries(content: str, entry: type[Entry], *, text_field: str) -> list[Entry] | None:
    """The entries of an answer that fit `entry`; None if the answer holds no list of entries.

    Tolerates reasoning, fences and chatter around the JSON, a list without its object, plain strings, entries that do
    not fit (left out one by one), a list that was cut off (its whole entries count), and a numbered list in plain text.
    A missing `number` is the entry's position.

    Parameters
    ----------
    text_field
        The field of `entry` that a plain string or a numbered line stands for.
    """
    content = _THINKING.sub("", content)
    loose: list[Any] = []
    for value in _json_values(content):
        if (found := _list_in(value)) is not None:
            fitting = _fitting(found, entry, text_field)
            return None if found and not fitting else fitting
        loose.append(value)
    lines = [{"number": int(number), text_field: text} for number, text in _NUMBERED_LINE.findall(content)]
    return _fitting(loose, entry, text_field) or _fitting(lines, entry, text_field) or None


def fault(reply: Reply, malformed: str) -> str:
    """Why a reply without a usable entry has none; `malformed` if it is just not of the form asked for."""
    if reply.failure:
        return reply.failure
    said = _THINKING.sub("", reply.content).strip()
    if not said:
        return NO_CONTENT
    return REFUSED_IN_WORDS if _SORRY.match(said) else malformed


def _json_values(content: str) -> Iterator[Any]:
    """Every complete JSON object or array in a text that is not part of another."""
    decoder = json.JSONDecoder()
    start = 0
    while match := _OPENING.search(content, start):
        try:
            value, start = decoder.raw_decode(content, match.start())
        except json.JSONDecodeError:
            start = match.start() + 1
        else:
            yield value


def _list_in(value: Any) -> list[Any] | None:
    if isinstance(value, list):
        return value
    return next((part for part in value.values() if isinstance(part, list)), None)


def _fitting(values: list[Any], entry: type[Entry], text_field: str) -> list[Entry]:
    read = (_read(value, entry, position, text_field) for position, value in enumerate(values, start=1))
    return [value for value in read if value is not None]


def _read(value: Any, entry: type[Entry], position: int, text_field: str) -> Entry | None:
    if isinstance(value, str):
        value = {text_field: value}
    if not isinstance(value, dict):
        return None
    known = {name: value[name] for name in entry.model_fields if name in value}
    try:
        return entry.model_validate({"number": position} | known)
    except ValidationError:
        return None
