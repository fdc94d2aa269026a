"""Dagster's UI for the pages that it serves itself, and for no other page that the browser has open.

Dagster's web server takes any Host, executes a mutation that comes by GET or in a form, and asks for no Origin:
whatever page somebody looks at could start and stop runs while the UI is open. `python -m
acronis_pipeline.defs.web_server dev …` is `dagster dev …` with a check before the application; websockets pass it too.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

HOSTS = ("127.0.0.1", "localhost")
"""Names by which a browser on this machine, or at the end of a tunnel to it, asks for the UI."""

_NAME = "acronis_pipeline.defs.web_server"
_DEV, _SERVE = "dev", "serve"
_JSON = ("application/json", "application/graphql")
"""What a page may send elsewhere only after the browser has asked there, unlike a form or plain text."""


class OwnPagesOnly:
    """ASGI middleware: requests of other pages, and GraphQL that a link, picture or form could send, are refused."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may pass."""
        refused = _refusal(scope) if scope["type"] in ("http", "websocket") else None
        if refused is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocketClose(reason=refused[1])(scope, receive, send)
        else:
            await PlainTextResponse(refused[1], refused[0])(scope, receive, send)


def guarded(app: ASGIApp) -> ASGIApp:
    """The application behind the checks of Host, Origin and method."""
    return TrustedHostMiddleware(OwnPagesOnly(app), allowed_hosts=HOSTS, www_redirect=False)


def _refusal(scope: Scope) -> tuple[int, str] | None:
    """Status and reason; None for what may pass."""
    headers = Headers(scope=scope)
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
        return 403, f"requests from {origin} are refused: this UI answers its own pages only"
    if scope["type"] == "websocket" or not scope["path"].rstrip("/").endswith("/graphql"):
        return None
    if scope["method"] == "GET" and "text/html" not in headers.get("accept", ""):  # with it, Dagster shows an editor
        return 405, "GraphQL is answered by POST only"
    if scope["method"] == "POST" and not headers.get("content-type", "").startswith(_JSON):
        return 415, f"send GraphQL as {_JSON[0]}"
    return None


def command(arguments: Sequence[str]) -> list[str]:
    """The command that is `dagster dev` with these arguments, its web server guarded."""
    return ["-m", _NAME, _DEV, *arguments]


def _dev() -> None:
    """`dagster dev`, which starts its web server as a module: as this one instead."""
    dev: Any = import_module("dagster._cli.dev")
    start = dev.open_ipc_subprocess

    def start_guarded(parts: Sequence[str], **options: Any) -> Any:
        is_server = list(parts[1:3]) == ["-m", "dagster_webserver"]
        return start([*parts[:2], _NAME, _SERVE, *parts[3:]] if is_server else parts, **options)

    dev.open_ipc_subprocess = start_guarded
    dev.dev_command()


def _serve() -> None:
    """`dagster-webserver`, guarded."""
    server: Any = import_module("dagster_webserver.cli")
    create = server.create_app_from_workspace_process_context
    server.create_app_from_workspace_process_context = lambda *args, **options: guarded(create(*args, **options))
    server.main()


if __name__ == "__main__":
    {_DEV: _dev, _SERVE: _serve}[sys.argv.pop(1)]()
