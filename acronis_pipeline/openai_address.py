"""How an OpenAI-compatible endpoint is addressed without its secrets reaching a log."""

from base64 import b64encode
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

OPENAI = "OpenAI"


def shown(base_url: str | None) -> str:
    """The endpoint as messages, logs and tables show it: without user, password and query."""
    return _without_secrets(base_url) if base_url else OPENAI


def client_arguments(base_url: str | None, key: str, timeout_s: float) -> dict[str, Any]:
    """Arguments for an OpenAI client.

    A user and password in the address go into a header: the HTTP library logs every address it asks.
    """
    arguments: dict[str, Any] = {"api_key": key, "timeout": timeout_s}
    if base_url is None:
        return arguments
    parts = urlsplit(base_url)
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        arguments["default_headers"] = {"Authorization": f"Basic {b64encode(login.encode()).decode()}"}
    return arguments | {"base_url": _without_secrets(base_url)}


def _without_secrets(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
