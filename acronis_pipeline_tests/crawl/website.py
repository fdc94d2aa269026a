"""A small website on loopback that does what a test asks of it and remembers what it was asked."""

import hashlib
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from acronis_pipeline.sample_site.server import LoopbackServer

PROSE = "Backups of this machine are kept for thirty days and can be restored to other hardware at any time. "


@dataclass
class Reply:
    """`body` None closes the connection without an answer."""

    status: int = 200
    body: bytes | None = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]


class Website:
    """Routes by exact path with query; anything else is `otherwise`, 404 at first. `url` ends in a slash."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.routes: dict[str, Reply | Callable[[Request], Reply]] = {}
        self.otherwise: Reply | Callable[[Request], Reply] = Reply(404)
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                request = Request(self.path, {name.lower(): value for name, value in self.headers.items()})
                site.requests.append(request)
                route = site.routes.get(self.path, site.otherwise)
                reply = route(request) if callable(route) else route
                if reply.body is None:
                    self.close_connection = True
                    return
                etag = reply.headers.get("ETag")
                if etag and request.headers.get("if-none-match") == etag:
                    reply = Reply(304, b"", {"ETag": etag})
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body or b"")))
                self.end_headers()
                self.wfile.write(reply.body or b"")

            def log_request(self, code: object = "-", size: object = "-") -> None:
                pass

        self._server = LoopbackServer(0, Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def page(
        self,
        path: str,
        *links: str,
        text: str = "",
        head: str = "",
        headers: dict[str, str] | None = None,
        etag: bool = True,
    ) -> Reply:
        """A page with prose, `text` and `links`, under a validator that follows its content."""
        anchors = "".join(f'<a href="{link}">go</a>' for link in links)
        html = (
            f"<html lang=en><head><title>Page {path}</title>{head}</head><body><nav>{anchors}</nav>"
            f"<main><h1>Page {path}</h1><p>{PROSE}{text}</p></main></body></html>"
        )
        validator = {"ETag": f'"{hashlib.sha256(html.encode()).hexdigest()[:12]}"'} if etag else {}
        content_type = {"Content-Type": "text/html; charset=utf-8"}
        self.routes[path] = reply = Reply(200, html.encode(), {**content_type, **validator, **(headers or {})})
        return reply

    def html(self, path: str, body: str | bytes, content_type: str = "text/html") -> None:
        raw = body.encode() if isinstance(body, str) else body
        self.routes[path] = Reply(200, raw, {"Content-Type": content_type})

    def redirect(self, path: str, to: str, status: int = 301) -> None:
        self.routes[path] = Reply(status, b"", {"Location": to})

    def robots(self, text: str) -> None:
        self.routes["/robots.txt"] = Reply(200, text.encode(), {"Content-Type": "text/plain"})

    def sitemap(self, *entries: tuple[str, str | None], path: str = "/sitemap.xml") -> Reply:
        items = "".join(
            f"<url><loc>{self.at(loc)}</loc>{f'<lastmod>{lastmod}</lastmod>' if lastmod else ''}</url>"
            for loc, lastmod in entries
        )
        xml = f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{items}</urlset>'
        self.routes[path] = reply = Reply(200, xml.encode(), {"Content-Type": "application/xml"})
        return reply

    def at(self, path: str) -> str:
        return self.url + path.lstrip("/")

    def asked(self) -> Counter[str]:
        """Requests by path, since the last `forget`, without the one for a page that cannot exist (see `non_pages`)."""
        return Counter(request.path for request in self.requests if "/no-such-page-" not in request.path)

    def forget(self) -> None:
        self.requests.clear()
