"""Reading an endpoint's response: an answer, a reason to try again, or the end of the matter."""

import json
from collections.abc import Mapping
from typing import Any

from acronis_pipeline.crawl.site.retries import retry_after_s
from acronis_pipeline.errors import GeneratorError
from acronis_pipeline.pairs.llm_request import Answer, Outcome
from acronis_pipeline.settings import ENV_PREFIX

REFUSED, TRUNCATED = "refused", "truncated answer"
NO_COMPLETION = "no completion in the response"
_TRANSIENT = {408, 409, 425, 429}
_ABOUT_THE_REQUEST = {400, 422, 501}


def read_body(text: str | bytes) -> Any:
    """The JSON of a body, None if it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def of_success(body: Any) -> Outcome:
    """What a response with status 200 amounts to. The raw answer is kept, usable or not: it was paid for."""
    choices = body.get("choices") if isinstance(body, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
        return Outcome(failure=NO_COMPLETION, retryable=True)
    content = choice["message"].get("content")
    finish = choice.get("finish_reason")
    failure = TRUNCATED if finish == "length" else None
    if choice["message"].get("refusal") or finish == "content_filter":
        failure = REFUSED
    usage = body.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    return Outcome(
        Answer(
            content if isinstance(content, str) else "",
            failure,
            int(usage.get("prompt_tokens") or 0),
            int(usage.get("completion_tokens") or 0),
        )
    )


def of_error(status: int, message: str, headers: Mapping[str, str], *, endpoint: str, model: str) -> Outcome:
    """What any other status means.

    Raises
    ------
    GeneratorError
        If no other request can fare better: key refused, model unknown, account empty.
    """
    if status in {401, 403}:
        raise GeneratorError(
            f"{endpoint} refused the key (HTTP {status}); set {ENV_PREFIX}LLM__API_KEY or OPENAI_API_KEY"
        )
    if status == 404:
        raise GeneratorError(
            f"{endpoint} knows no model {model!r} (HTTP 404); set {ENV_PREFIX}LLM__MODEL or {ENV_PREFIX}LLM__BASE_URL"
        )
    if status == 429 and "insufficient_quota" in message:
        raise GeneratorError(
            f"{endpoint}: the account's quota is used up (HTTP 429); add to it and run again: answers so far are kept"
        )
    retryable = status in _TRANSIENT or (status >= 500 and status not in _ABOUT_THE_REQUEST)
    return Outcome(
        failure=f"HTTP {status}",
        retryable=retryable,
        retry_after_s=_retry_after_s(headers),
        message=message if status in _ABOUT_THE_REQUEST else None,
    )


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait as the server says, in any of the three forms in use; None if it does not say."""
    try:
        return max(0.0, float(headers["retry-after-ms"]) / 1000)
    except (KeyError, ValueError):
        return retry_after_s(headers.get("retry-after"))
