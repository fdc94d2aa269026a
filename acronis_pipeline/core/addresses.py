"""How a source of pages is addressed, on the web or in a local folder, and an endpoint without its secrets in a log."""

from base64 import b64encode
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import url2pathname

OPENAI = "OpenAI"


def address_of(value: str) -> str:
    """The address of what a user wrote: an http(s) or file address, or a path. A folder's ends in a slash.

    Raises ValueError if it is neither an address nor the path of anything there is.
    """
    parts = urlsplit(value)
    if parts.scheme in {"http", "https"} and parts.hostname:
        return value
    is_file = parts.scheme == "file" and parts.netloc in {"", "localhost"}
    if not value or not (is_file or parts.scheme == ""):
        raise ValueError(f"{value!r} is not a website address; write it as https://host/path")
    path = Path(url2pathname(parts.path) if is_file else value).expanduser()
    # The address of a folder that is not there just now (not mounted, say) must not keep the UI from starting.
    if not path.exists() and not is_file:
        raise ValueError(f"{value!r} is not a website address (https://host/path), and there is no such folder or file")
    is_folder = path.is_dir() if path.exists() else value.endswith("/")
    return path.resolve().as_uri().rstrip("/") + ("/" if is_folder else "")


def path_of(address: str) -> Path | None:
    """The local path that an address names; None for one on the web."""
    parts = urlsplit(address)
    return Path(url2pathname(parts.path)) if parts.scheme == "file" else None


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
