"""The sample site over HTTP on loopback: validators, 304, redirects, robots.txt, sitemap.xml, 404 and 410."""

import hashlib
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from acronis_pipeline.core.errors import SiteError
from acronis_pipeline.sample_site.content import (
    SiteMap,
    load_site,
    render_error,
    render_page,
    render_robots,
    render_sitemap,
)

_log = logging.getLogger(__name__)
_ASSETS = Path(__file__).parent / "assets"

HOST = "127.0.0.1"
MARK = "X-Acronis-Pipeline-Sample"
"""Response header by which a server of ours is told from a foreign program on the same port."""


class LoopbackServer(ThreadingHTTPServer):
    """A server on 127.0.0.1 (port 0 takes a free one) to which a client that hangs up is no fault worth a traceback."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__((HOST, port), handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Server(LoopbackServer):
    def __init__(self, port: int, edits: Path | None) -> None:
        self.edits = edits
        super().__init__(port, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"
    # Header and body leave in one segment: unbuffered, keep-alive clients wait 40 ms a page for a delayed ACK.
    wbufsize = -1
    disable_nagle_algorithm = True
    timeout = 30

    def do_GET(self) -> None:
        try:
            self._answer(load_site(self.server.edits))
        except SiteError as error:
            _log.warning("sample site: %s", error)
            self._send_error_page(load_site(), HTTPStatus.INTERNAL_SERVER_ERROR, str(error))

    do_HEAD = do_GET  # noqa: N815 - the names are http.server's

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        _log.debug(format, *args)

    def _answer(self, site: SiteMap) -> None:
        path = unquote(urlsplit(self.path).path)
        base = f"http://{HOST}:{self.server.server_port}/"
        page = site.pages.get(path)
        target = site.redirects.get(path) or (f"{path}/" if f"{path}/" in site.pages else None)
        if page:
            self._send(render_page(site, page, base), "text/html; charset=utf-8", page.updated)
        elif target:
            self._redirect(target)
        elif path in site.gone:
            self._send_error_page(site, HTTPStatus.GONE, "This page has been taken down.")
        elif path in _FILES:
            content_type, build = _FILES[path]
            newest = max(page.updated for page in site.pages.values())
            self._send(build(site, base), content_type, newest)
        else:
            self._send_error_page(site, HTTPStatus.NOT_FOUND, f"There is no page {path} here.")

    def _send(self, text: str, content_type: str, modified: datetime) -> None:
        body = text.encode()
        # A digest of the content, hence the same in every process; nothing of the clock goes in.
        validators = {
            "ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"',
            "Last-Modified": format_datetime(modified.astimezone(UTC), usegmt=True),
            "Cache-Control": "no-cache",
        }
        if self._client_has(validators):
            self._write(HTTPStatus.NOT_MODIFIED, validators, b"")
        else:
            self._write(HTTPStatus.OK, {"Content-Type": content_type, **validators}, body)

    def _client_has(self, validators: dict[str, str]) -> bool:
        wanted = self.headers.get("If-None-Match")
        if wanted is not None:
            tags = {tag.strip().removeprefix("W/") for tag in wanted.split(",")}
            return "*" in tags or validators["ETag"] in tags
        # Equality as nginx has it, not order: taking an edit back makes a page older, and that is a change too.
        return self.headers.get("If-Modified-Since") == validators["Last-Modified"]

    def _redirect(self, target: str) -> None:
        self._write(HTTPStatus.MOVED_PERMANENTLY, {"Location": target}, b"")

    def _send_error_page(self, site: SiteMap, status: HTTPStatus, message: str) -> None:
        body = render_error(site, status, message).encode()
        self._write(status, {"Content-Type": "text/html; charset=utf-8"}, body)

    def _write(self, status: HTTPStatus, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header(MARK, "1")
        if status != HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


_FILES: dict[str, tuple[str, Callable[[SiteMap, str], str]]] = {
    "/robots.txt": ("text/plain; charset=utf-8", lambda _, base: render_robots(base)),
    "/sitemap.xml": ("application/xml; charset=utf-8", render_sitemap),
    "/assets/site.css": ("text/css; charset=utf-8", lambda *_: (_ASSETS / "site.css").read_text("utf-8")),
}


def make_server(port: int, *, edits: Path | None = None) -> ThreadingHTTPServer:
    """A server of the sample site, bound to 127.0.0.1 but not yet serving; the caller runs and closes it.

    Parameters
    ----------
    port
        0 takes a free one; `server.server_port` tells which.
    edits
        Folder whose files shadow the bundled pages (see `content.load_site`); read anew at every request, so that a
        page can be edited while the server runs.

    Raises
    ------
    OSError
        The port is taken or not allowed.
    """
    return _Server(port, edits)
