"""The sample site over HTTP on loopback, as static files for any other web server, and when it answers.

It has validators, 304, redirects, robots.txt, sitemap.xml, 404 and 410. Several processes may need it at once, none may
own it for good.
"""

import errno
import hashlib
import http.client
import logging
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from acronis_pipeline.core.errors import SettingsError, SiteError
from acronis_pipeline.core.settings import SiteSettings
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
DEFAULT_PORT = 8788
"""Fixed, because page addresses are keys in the tables."""
PORT_VARIABLE = "ACRONIS_PIPELINE_SAMPLE_PORT"
EDITS_VARIABLE = "ACRONIS_PIPELINE_SAMPLE_EDITS"
"""Folder whose files shadow the bundled pages, for watching a change flow through the pipeline."""

_PROBE_TIMEOUT_S = 3.0
_TAKEOVER_INTERVAL_S = 0.1
_CLAIM_ATTEMPTS = 10


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
            self._write(HTTPStatus.MOVED_PERMANENTLY, {"Location": target}, b"")
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

    Port 0 takes a free one; `server.server_port` tells which. Raises OSError if the port is taken or not allowed. The
    files in the folder `edits` shadow the bundled pages (see `content.load_site`); they are read anew at every request,
    so that a page can be edited while the server runs.
    """
    return _Server(port, edits)


def base_url(port: int | None = None) -> str:
    """Address of the sample site, for example ``http://127.0.0.1:8788/``; the port from the environment by default."""
    return f"http://{HOST}:{_configured_port() if port is None else port}/"


@contextmanager
def serving(site: SiteSettings) -> Iterator[SiteSettings]:
    """Make sure that the site can be crawled for the duration of the block.

    `site.url` of ``sample`` becomes the address of the bundled site, which is served from here or, where another
    process of ours already serves it, reused; should that one end first, this one takes over within
    0.1 s. Any other site is yielded untouched.

    Raises
    ------
    SiteError
        A foreign program has the port, or the port may not be used.
    """
    if not site.is_sample:
        yield site
        return
    port = _configured_port()
    server = _claim(port)
    stop = threading.Event()
    keeper = threading.Thread(target=_keep_serving, args=(port, server, stop), name="sample-site", daemon=True)
    keeper.start()
    try:
        yield site.model_copy(update={"url": base_url(port)})
    finally:
        stop.set()
        keeper.join()


def _configured_port() -> int:
    text = os.environ.get(PORT_VARIABLE, str(DEFAULT_PORT))
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise SettingsError(f"{PORT_VARIABLE} is {text!r}; set it to a port number between 1 and 65535")
    return int(text)


def _configured_edits() -> Path | None:
    folder = os.environ.get(EDITS_VARIABLE)
    if not folder:
        return None
    if not Path(folder).is_dir():
        raise SettingsError(f"{EDITS_VARIABLE} is {folder!r}, which is not a folder; create it or unset the variable")
    return Path(folder)


def _claim(port: int) -> ThreadingHTTPServer | None:
    """A bound server, or None when one of ours has the port."""
    for _ in range(_CLAIM_ATTEMPTS):
        server = _bind(port)
        if server:
            _log.info("sample site: serving on %s", base_url(port))
            return server
        try:
            ours = _is_ours(port)
        except ConnectionError:  # the holder closed it between our bind and our question
            time.sleep(_TAKEOVER_INTERVAL_S)
            continue
        if ours:
            return None
        break
    raise SiteError(
        f"port {port} on {HOST} is held by another program, so the sample site cannot be served there; "
        f"stop that program or set {PORT_VARIABLE} to a free port"
    )


def _bind(port: int) -> ThreadingHTTPServer | None:
    """A bound server, or None when the port is taken."""
    try:
        return make_server(port, edits=_configured_edits())
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return None
        raise SiteError(
            f"the sample site cannot use port {port} on {HOST} ({error.strerror}); set {PORT_VARIABLE} to another port"
        ) from error


def _is_ours(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=_PROBE_TIMEOUT_S)
    try:
        connection.request("HEAD", "/robots.txt")
        return connection.getresponse().getheader(MARK) is not None
    except (TimeoutError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _keep_serving(port: int, server: ThreadingHTTPServer | None, stop: threading.Event) -> None:
    """Serve until `stop`; without a server, wait for the other process to leave the port and take over."""
    while server is None and not stop.wait(_TAKEOVER_INTERVAL_S):
        server = _bind(port)
    if server is None:
        return
    with server:
        loop = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        loop.start()
        stop.wait()
        server.shutdown()
        loop.join()


def write_site(folder: Path, *, base: str | None = None) -> int:
    """Write every page as ``<path>/index.html``, with robots.txt, sitemap.xml, assets and stubs for the redirects.

    The folder is created if need be, and files of the same names are overwritten. `base` is the address that canonical
    links and the sitemap carry, the sample site's own by default. Returns the number of pages, stubs not counted.
    """
    site, base = load_site(), base or base_url()
    for path, page in site.pages.items():
        _write(folder / path.strip("/") / "index.html", render_page(site, page, base))
    for path, target in site.redirects.items():
        _write(folder / path.strip("/") / "index.html", _redirect_stub(urljoin(base, target)))
    _write(folder / "robots.txt", render_robots(base))
    _write(folder / "sitemap.xml", render_sitemap(site, base))
    shutil.copytree(_ASSETS, folder / "assets", dirs_exist_ok=True)
    return len(site.pages)


def _redirect_stub(target: str) -> str:
    address = escape(target, quote=True)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Moved</title>'
        f'<meta http-equiv="refresh" content="0; url={address}"><link rel="canonical" href="{address}"></head>'
        f'<body><p>Moved to <a href="{address}">{address}</a>. A sample written for acronis_pipeline, '
        f"not Acronis's documentation.</p></body></html>\n"
    )


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
