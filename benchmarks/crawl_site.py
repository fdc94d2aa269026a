"""Websites on loopback for the crawl benchmarks, in a process of their own, fast enough not to be the bottleneck.

    python benchmarks/crawl_site.py --pages 5000 [--sitemap dated]   generated: 20-60 kB and 30 links a page
    python benchmarks/crawl_site.py --folder SITE                    a site from files

Every page has an ETag and a Last-Modified. The address is printed; `/_control/stats` counts what was asked since the
last time, `/_control/change?share=0.01` rewrites that share of the pages, `/_control/reload` reads the folder again.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import random
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

LINKS = 30
CHILDREN = 5
_TYPES = {".html": "text/html; charset=utf-8", ".xml": "application/xml", ".css": "text/css", ".js": "text/javascript"}
_WORDS = """
    backup restore agent volume snapshot policy retention schedule machine archive replica tenant console storage vault
    key encryption network appliance cluster node disk partition image file folder mailbox licence quota report alert
    activity plan group user role account service gateway recovery server client registry driver boot media version
    copy transfer window limit threshold index catalogue search filter export import upgrade installation component
    the a of to in is for with that on are can be from when after before each every only also must may not
""".split()


def page_path(number: int) -> str:
    """A path of words, as documentation has them: one of numbers would look like a calendar."""
    if not number:
        return "/"
    folder, page = (_WORDS[number // len(_WORDS) ** place % len(_WORDS)] for place in (1, 0))
    chapter = _WORDS[number // len(_WORDS) ** 2]
    return f"/guide/{chapter}/{folder}/{page}-{folder}/"


class Site:
    """Pages by path, ready to be sent: body, ETag, Last-Modified, content type."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[bytes, str, str, str]] = {}
        self.asked: Counter[str] = Counter()

    def put(self, path: str, body: bytes, modified: datetime, content_type: str) -> None:
        etag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
        self.pages[path] = body, etag, format_datetime(modified, usegmt=True), content_type

    def control(self, command: str, query: dict[str, list[str]]) -> object:
        raise NotImplementedError


class GeneratedSite(Site):
    """`n` pages of documentation, the same in every process; `sitemap` is None, `plain` or `dated`."""

    def __init__(self, n: int, sitemap: str | None) -> None:
        super().__init__()
        self.n, self.sitemap, self.revision = n, sitemap, Counter[int]()
        rng = random.Random(7)
        self.sentences = [" ".join(rng.choices(_WORDS, k=rng.randint(8, 22))).capitalize() + "." for _ in range(4_000)]
        start = datetime.now(UTC).replace(microsecond=0) - timedelta(days=400)
        self.modified = [start + timedelta(seconds=rng.randrange(380 * 86_400)) for _ in range(n)]
        for number in range(n):
            self._render(number)

    def finish(self, base: str) -> None:
        robots = "User-agent: *\nDisallow: /_control/\n" + (f"Sitemap: {base}sitemap.xml\n" if self.sitemap else "")
        self.put("/robots.txt", robots.encode(), self.modified[0], "text/plain")
        self.base = base
        self._render_sitemap()

    def control(self, command: str, query: dict[str, list[str]]) -> object:
        chosen = random.Random(11).sample(range(self.n), round(self.n * float(query["share"][0])))
        for number in chosen:
            self.revision[number] += 1
            self.modified[number] = datetime.now(UTC).replace(microsecond=0)
            self._render(number)
        self._render_sitemap()
        return {"changed": len(chosen)}

    def _links(self, number: int) -> list[int]:
        """A tree in which every page is reached, and a few that lead across."""
        tree = [child for child in range(number * CHILDREN + 1, number * CHILDREN + CHILDREN + 1) if child < self.n]
        rng = random.Random(number)
        return tree + [rng.randrange(self.n) for _ in range(LINKS - len(tree))]

    def _render(self, number: int) -> None:
        rng = random.Random(number)
        links = [
            f'<a href="{page_path(target)}">{self.sentences[target % 4_000][:30]}</a>' for target in self._links(number)
        ]
        title = f"{self.sentences[number % 4_000].rstrip('.')} {number}"
        parts = [f"<h1>{title}</h1><p>Revision {self.revision[number]} of this page.</p>"]
        wanted = rng.randint(15_000, 50_000)
        while sum(map(len, parts)) < wanted:
            parts.append(self._section(rng, len(parts), links))
        body = (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title} - Docs</title>'
            f'<link rel="stylesheet" href="/site.css"><script>window.page={number};</script></head><body>'
            f"<header><nav><ul>{''.join(f'<li>{link}</li>' for link in links[:15])}</ul></nav></header>"
            f"<main>{''.join(parts)}</main>"
            f"<aside><ul>{''.join(f'<li>{link}</li>' for link in links[15:])}</ul></aside>"
            "<footer><p>© Example. All rights reserved. Cookies, privacy, imprint.</p></footer></body></html>"
        )
        self.put(page_path(number), body.encode(), self.modified[number], _TYPES[".html"])

    def _section(self, rng: random.Random, order: int, links: list[str]) -> str:
        said = [" ".join(rng.choices(self.sentences, k=rng.randint(3, 6))) for _ in range(rng.randint(2, 4))]
        heading = f'<h2 id="s{order}">{rng.choice(self.sentences)[:40]}</h2>'
        text = "".join(f'<p class="text body-copy">{paragraph}</p>' for paragraph in said)
        if order % 3 == 1:
            items = "".join(
                f"<li><code>{rng.choice(_WORDS)}</code> {rng.choice(self.sentences)}</li>" for _ in range(6)
            )
            return f"{heading}{text}<ul>{items}</ul>"
        if order % 3 == 2:
            rows = (f"<tr><td>{rng.choice(_WORDS)}</td><td>{rng.choice(self.sentences)}</td></tr>" for _ in range(8))
            head = "<thead><tr><th>Name</th><th>Meaning</th></tr></thead>"
            return f"{heading}{text}<table>{head}<tbody>{''.join(rows)}</tbody></table>"
        options = " --".join(rng.choices(_WORDS, k=12))
        return f'{heading}{text}<pre><code class="language-sh">agent --{options}</code></pre>'

    def _render_sitemap(self) -> None:
        if self.sitemap is None:
            return
        entries = []
        for number in range(self.n):
            lastmod = f"<lastmod>{self.modified[number].isoformat()}</lastmod>" if self.sitemap == "dated" else ""
            entries.append(f"<url><loc>{self.base.rstrip('/')}{page_path(number)}</loc>{lastmod}</url>")
        xml = f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{"".join(entries)}</urlset>'
        self.put("/sitemap.xml", xml.encode(), max(self.modified), _TYPES[".xml"])


class FolderSite(Site):
    """A site from files; a folder is its index.html."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.control("reload", {})

    def control(self, command: str, query: dict[str, list[str]]) -> object:
        self.pages.clear()
        for file in self.folder.rglob("*"):
            if not file.is_file():
                continue
            path = "/" + file.relative_to(self.folder).as_posix()
            modified = datetime.fromtimestamp(int(file.stat().st_mtime), UTC)
            content_type = _TYPES.get(file.suffix, "application/octet-stream")
            self.put(path.removesuffix("index.html"), file.read_bytes(), modified, content_type)
        return {"pages": len(self.pages)}

    def finish(self, base: str) -> None:
        """Nothing in it depends on the address."""


class _Connection(asyncio.Protocol):
    """HTTP/1.1 GET with keep-alive, and as little else as a crawler notices."""

    def __init__(self, site: Site) -> None:
        self.site, self.received = site, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            head, self.received = self.received[:end].decode("latin-1"), self.received[end + 4 :]
            self._answer(head)

    def _answer(self, head: str) -> None:
        request, *lines = head.split("\r\n")
        target = urlsplit(request.split(" ")[1])
        if target.path.startswith("/_control/"):
            self._control(target.path.removeprefix("/_control/"), parse_qs(target.query))
            return
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        found = self.site.pages.get(unquote(target.path))
        if found is None:
            self._send("404 Not Found", b"<html><title>Not found</title></html>", _TYPES[".html"])
            return
        body, etag, modified, content_type = found
        validators = f"ETag: {etag}\r\nLast-Modified: {modified}\r\n"
        tag, since = headers.get("if-none-match"), headers.get("if-modified-since")
        if tag == etag or (tag is None and since == modified):
            self.site.asked["304"] += 1
            self.transport.write(f"HTTP/1.1 304 Not Modified\r\n{validators}\r\n".encode())
            return
        self._send("200 OK", body, content_type, validators)

    def _control(self, command: str, query: dict[str, list[str]]) -> None:
        if command == "stats":
            said: object = dict(self.site.asked)
            self.site.asked.clear()
        else:
            said = self.site.control(command, query)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(json.dumps(said))}\r\n\r\n"
        self.transport.write((head + json.dumps(said)).encode())

    def _send(self, status: str, body: bytes, content_type: str, more: str = "") -> None:
        self.site.asked[status[:3]] += 1
        self.site.asked["bytes"] += len(body)
        head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
        self.transport.write(head.encode() + body)


async def serve(site: GeneratedSite | FolderSite) -> None:
    """Serve until killed; prints the address once it answers."""
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(site), "127.0.0.1", 0)
    base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    site.finish(base)
    print(base, flush=True)
    await server.serve_forever()


class Served:
    """A running site: its address, and its controls."""

    def __init__(self, url: str) -> None:
        self.url = url

    def control(self, command: str) -> dict[str, int]:
        with urllib.request.urlopen(f"{self.url}_control/{command}") as answer:
            return json.load(answer)

    def pages_per_s(self, connections: int, n: int) -> float:
        """How fast the server is by itself: its pages over keep-alive connections, read and thrown away."""
        paths = [page_path(number) for number in range(n)]
        elapsed_s = asyncio.run(_load(urlsplit(self.url).port or 80, paths, connections))
        self.control("stats")
        return n / elapsed_s


async def _load(port: int, paths: list[str], connections: int) -> float:
    async def one(share: list[str]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for path in share:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0]))
        writer.close()

    started = time.monotonic()
    await asyncio.gather(*(one(paths[offset::connections]) for offset in range(connections)))
    return time.monotonic() - started


@contextlib.contextmanager
def serving(*arguments: str) -> Iterator[Served]:
    """This script with these arguments, in a process of its own."""
    command = [sys.executable, __file__, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield Served(process.stdout.readline().strip())
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=5_000)
    parser.add_argument("--sitemap", choices=["plain", "dated"])
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    site = FolderSite(options.folder) if options.folder else GeneratedSite(options.pages, options.sitemap)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(site))


if __name__ == "__main__":
    main()
