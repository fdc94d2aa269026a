"""Which language model is asked, where, with which key, and in which dialect of the chat protocol."""

import logging
import os
from typing import Any

from acronis_pipeline.core import addresses
from acronis_pipeline.core.errors import GeneratorError
from acronis_pipeline.core.settings import ENV_PREFIX, LlmSettings
from acronis_pipeline.llm.exchange import Prompt

_log = logging.getLogger(__name__)
_LEVELS = ("json_schema", "json_object", "text")
_ABOUT_STRUCTURE = ("response_format", "json_schema", "json_object", "structured", "grammar", "guided")
_ABOUT_LENGTH = ("context length", "context_length", "context size", "too long", "maximum context")
_NO_KEY = "none"


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
    return settings.model, key or _NO_KEY  # the client insists on a key


def name_of(settings: LlmSettings) -> str:
    """The endpoint as messages, logs and tables show it: without user, password and query."""
    return addresses.shown(settings.base_url)


def client_options(settings: LlmSettings) -> dict[str, Any]:
    """Arguments for an OpenAI client; raises as `require_configured`."""
    _, key = require_configured(settings)
    return addresses.client_arguments(settings.base_url, key, settings.timeout_s)


def without_key(text: str, settings: LlmSettings) -> str:
    """The text of an endpoint that may repeat the key it was sent, without it."""
    _, key = require_configured(settings)
    return text.replace(key, "…") if key != _NO_KEY else text


class Dialect:
    """How to put a prompt to one endpoint, learned from its refusals and remembered for the run.

    Structured output by JSON schema where the server has it, else a JSON object, else plain text; the newer name of the
    token limit and no temperature for models that insist. Raises as `require_configured`.
    """

    def __init__(self, settings: LlmSettings) -> None:
        self.model, _ = require_configured(settings)
        self._endpoint = name_of(settings)
        self._temperature: float | None = settings.temperature
        self._token_limit = "max_tokens"
        self._level = 0
        self._proven = False

    @property
    def structure(self) -> str:
        """`json_schema`, `json_object` or `text`."""
        return _LEVELS[self._level]

    def body(self, prompt: Prompt) -> dict[str, Any]:
        """The request's JSON."""
        body: dict[str, Any] = {"model": self.model, "messages": prompt.messages}
        if prompt.max_tokens is not None:
            body[self._token_limit] = prompt.max_tokens
        if self._temperature is not None:
            body["temperature"] = self._temperature
        if prompt.answer is None:
            return body
        if self.structure == "json_schema":
            body["response_format"] = {"type": "json_schema", "json_schema": prompt.json_schema}
        elif self.structure == "json_object":
            body["response_format"] = {"type": "json_object"}
        return body

    def confirm(self, sent: dict[str, Any]) -> None:
        """An answer came to `sent`: from now on a refusal is about the request, not about the dialect."""
        self._proven = self._proven or sent.get("response_format", {}).get("type", "text") == self.structure

    def learn(self, sent: dict[str, Any], message: str) -> bool:
        """Whether the refused body `sent` is worth sending again, put differently.

        A refusal that names no reason counts against structured output until one answer has come with it.
        """
        message = message.lower()
        if "max_completion_tokens" in message and "max_tokens" in sent:
            self._token_limit = "max_completion_tokens"
            return True
        if "temperature" in message and "temperature" in sent:
            self._temperature = None
            return True
        about_structure = any(word in message for word in _ABOUT_STRUCTURE)
        about_length = any(word in message for word in _ABOUT_LENGTH)
        if "response_format" not in sent or not (about_structure or not (self._proven or about_length)):
            return False
        # Other requests that were under way may have learned the same before.
        if sent["response_format"]["type"] == self.structure:
            self._level += 1
            _log.info("%s does not know %s; asking for %s", self._endpoint, _LEVELS[self._level - 1], self.structure)
        return True
