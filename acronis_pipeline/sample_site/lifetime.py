"""When the sample site answers, and on which port: several processes may need it at once, none may own it for good.

The sample site as static files, for any other web server.
"""

import errno
import http.client
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from http.server import ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urljoin

from acronis_pipeline.core.errors import SettingsError, SiteError
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.sample_site.content import load_site, render_page, render_robots, render_sitemap
from acronis_pipeline.sample_site.server import HOST, MARK, make_server

_log = logging.getLogger(__name__)

DEFAULT_PORT = 8788
"""Fixed, because page addresses are keys in the tables."""
PORT_VARIABLE = "ACRONIS_PIPELINE_SAMPLE_PORT"
EDITS_VARIABLE = "ACRONIS_PIPELINE_SAMPLE_EDITS"
"""Folder whose files shadow the bundled pages, for watching a change flow through the pipeline."""

_PROBE_TIMEOUT_S = 3.0
_TAKEOVER_INTERVAL_S = 0.1
_CLAIM_ATTEMPTS = 10


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


_ASSETS = Path(__file__).parent / "assets"


def write_site(folder: Path, *, base: str | None = None) -> int:
    """Write every page as ``<path>/index.html``, with robots.txt, sitemap.xml, assets and stubs for the redirects.

    Parameters
    ----------
    folder
        Created if need be; files of the same names are overwritten.
    base
        Address that canonical links and the sitemap carry; the sample site's own by default.

    Returns
    -------
    int
        Number of pages, redirect stubs not counted.
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
