"""Which language model is asked, where, and with which key."""

import os
from typing import Any

from acronis_pipeline import openai_address
from acronis_pipeline.errors import GeneratorError
from acronis_pipeline.settings import ENV_PREFIX, LlmSettings

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
    return openai_address.shown(settings.base_url)


def client_options(settings: LlmSettings) -> dict[str, Any]:
    """Arguments for an OpenAI client.

    Raises
    ------
    GeneratorError
        As `require_configured`.
    """
    _, key = require_configured(settings)
    return openai_address.client_arguments(settings.base_url, key, settings.timeout_s)


def without_key(text: str, settings: LlmSettings) -> str:
    """The text of an endpoint that may repeat the key it was sent, without it."""
    _, key = require_configured(settings)
    return text.replace(key, "…") if key != _NO_KEY else text
