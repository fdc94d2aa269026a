"""How a source of pages is named: an http(s) address, or a local folder or file as a `file:` address."""

from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname


def address_of(value: str) -> str:
    """The address of what a user wrote: an http(s) or file address, or a path. A folder's ends in a slash.

    Raises
    ------
    ValueError
        It is neither an address nor the path of anything there is.
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
