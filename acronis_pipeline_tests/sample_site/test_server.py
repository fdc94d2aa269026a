"""The sample site over real HTTP."""

import http.client
import os
import socket
import struct
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from urllib.robotparser import RobotFileParser

import pytest

from acronis_pipeline.sample_site import load_site, make_server
from acronis_pipeline.sample_site.server import HOST

pytestmark = pytest.mark.server

LOC = "{http://www.sitemaps.org/schemas/sitemap/0.9}loc"
EDITED = """title: Trial version
description: Changed.
updated: 2026-10-01
---
<p>The trial now lasts 45 days.</p>
"""


@contextmanager
def running(edits: Path | None = None) -> Iterator[ThreadingHTTPServer]:
    server = make_server(0, edits=edits)
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def fetch(
    server: ThreadingHTTPServer, path: str, method: str = "GET", **headers: str
) -> tuple[http.client.HTTPResponse, str]:
    connection = http.client.HTTPConnection(HOST, server.server_port, timeout=5)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response, body


@pytest.fixture(scope="module")
def server() -> Iterator[ThreadingHTTPServer]:
    with running() as started:
        yield started


def test_every_page_of_the_sitemap_is_served(server: ThreadingHTTPServer) -> None:
    _, xml = fetch(server, "/sitemap.xml")
    addresses = [element.text or "" for element in ET.fromstring(xml).iter(LOC)]
    assert len(addresses) == sum(page.in_sitemap for page in load_site().pages.values())
    for address in addresses:
        response, body = fetch(server, address.removeprefix(f"http://{HOST}:{server.server_port}"))
        assert response.status == 200
        assert f'<link rel="canonical" href="{address}">' in body


def test_sitemap_entries_have_dates(server: ThreadingHTTPServer) -> None:
    _, xml = fetch(server, "/sitemap.xml")
    assert xml.count("<lastmod>2026-") == xml.count("<loc>")


def test_robots_closes_one_folder_which_is_linked(server: ThreadingHTTPServer) -> None:
    _, text = fetch(server, "/robots.txt")
    robots = RobotFileParser()
    robots.parse(text.splitlines())
    assert not robots.can_fetch("anyone", "/internal/partner-notes/")
    assert robots.can_fetch("anyone", "/docs/trial/")
    assert robots.site_maps() == [f"http://{HOST}:{server.server_port}/sitemap.xml"]
    assert 'href="/internal/partner-notes/"' in fetch(server, "/docs/licensing/")[1]


def test_old_addresses_redirect(server: ThreadingHTTPServer) -> None:
    response, _ = fetch(server, "/docs/free-trial/")
    assert (response.status, response.getheader("Location")) == (301, "/docs/trial/")


def test_address_without_final_slash_redirects(server: ThreadingHTTPServer) -> None:
    response, _ = fetch(server, "/docs/trial")
    assert (response.status, response.getheader("Location")) == (301, "/docs/trial/")


def test_tracking_parameters_do_not_change_the_page(server: ThreadingHTTPServer) -> None:
    assert fetch(server, "/docs/trial/?utm_source=docs")[1] == fetch(server, "/docs/trial/")[1]


@pytest.mark.parametrize("path", ["/docs/legacy-console/", "/nowhere", "/../server.py", "/assets/../server.py"])
def test_unknown_paths_are_404(server: ThreadingHTTPServer, path: str) -> None:
    response, body = fetch(server, path)
    assert response.status == 404
    assert "not Acronis's documentation" in body


def test_path_in_an_error_page_is_escaped(server: ThreadingHTTPServer) -> None:
    assert "<script>" not in fetch(server, "/%3Cscript%3Ealert(1)%3C/script%3E")[1]


def test_unchanged_page_answers_304_by_either_validator(server: ThreadingHTTPServer) -> None:
    first, _ = fetch(server, "/docs/trial/")
    etag, modified = first.getheader("ETag") or "", first.getheader("Last-Modified") or ""
    for headers in ({"If_None_Match": etag}, {"If_None_Match": f'"x", W/{etag}'}, {"If_Modified_Since": modified}):
        response, body = fetch(server, "/docs/trial/", **headers)
        assert (response.status, body) == (304, "")
        assert response.getheader("ETag") == etag


def test_wrong_etag_wins_over_a_matching_date(server: ThreadingHTTPServer) -> None:
    modified = fetch(server, "/docs/trial/")[0].getheader("Last-Modified") or ""
    response, _ = fetch(server, "/docs/trial/", If_None_Match='"other"', If_Modified_Since=modified)
    assert response.status == 200


def test_head_has_the_headers_without_the_body(server: ThreadingHTTPServer) -> None:
    get, text = fetch(server, "/docs/trial/")
    head, nothing = fetch(server, "/docs/trial/", method="HEAD")
    assert nothing == ""
    assert head.getheader("ETag") == get.getheader("ETag")
    assert head.getheader("Content-Length") == str(len(text.encode()))


def test_connection_survives_several_requests(server: ThreadingHTTPServer) -> None:
    connection = http.client.HTTPConnection(HOST, server.server_port, timeout=5)
    etag = ""
    for path, headers, expected in (
        ("/docs/trial/", {}, 200),
        ("/nowhere", {}, 404),
        ("/docs/free-trial/", {}, 301),
        ("/docs/trial/", {"If-None-Match": "etag"}, 304),
        ("/docs/tape/", {}, 200),
    ):
        connection.request("GET", path, headers=dict.fromkeys(headers, etag))
        response = connection.getresponse()
        etag = response.getheader("ETag") or etag
        response.read()
        assert response.status == expected
    connection.close()


def test_client_that_hangs_up_leaves_no_traceback(
    server: ThreadingHTTPServer, capsys: pytest.CaptureFixture[str]
) -> None:
    before = set(threading.enumerate())
    with socket.create_connection((HOST, server.server_port)) as client:
        client.sendall(b"GET /docs/trial/ HT")
        # A thread is listed a moment before it is started, and until then can be neither joined nor found alive.
        while not (handlers := {thread for thread in set(threading.enumerate()) - before if thread.is_alive()}):
            time.sleep(0.001)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing resets
    for handler in handlers:
        handler.join(5)
    assert not any(handler.is_alive() for handler in handlers)
    assert capsys.readouterr().err == ""


def test_etag_is_the_same_in_another_process(server: ThreadingHTTPServer) -> None:
    program = (
        "from acronis_pipeline.sample_site import load_site;"
        "from acronis_pipeline.sample_site.content import render_page;"
        "import hashlib, sys; site = load_site();"
        "html = render_page(site, site.pages['/docs/trial/'], sys.argv[1]);"
        "print(hashlib.sha256(html.encode()).hexdigest()[:32])"
    )
    base = f"http://{HOST}:{server.server_port}/"
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-c", program, base]
    other = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()
    assert fetch(server, "/docs/trial/")[0].getheader("ETag") == f'"{other}"'


def test_edit_shows_at_once_and_changes_the_validators(tmp_path: Path) -> None:
    with running(edits=tmp_path) as server:
        before, _ = fetch(server, "/docs/trial/")
        (tmp_path / "docs").mkdir()
        (tmp_path / "docs" / "trial.html").write_text(EDITED)
        after, body = fetch(server, "/docs/trial/", If_None_Match=before.getheader("ETag") or "")
        assert after.status == 200
        assert "The trial now lasts 45 days." in body
        assert after.getheader("Last-Modified") != before.getheader("Last-Modified")
        assert "trial/</loc><lastmod>2026-10-01<" not in fetch(server, "/sitemap.xml")[1]


def test_edit_of_one_page_leaves_the_others_as_they_were(tmp_path: Path) -> None:
    with running(edits=tmp_path) as server:
        etag = fetch(server, "/docs/tape/")[0].getheader("ETag") or ""
        (tmp_path / "docs").mkdir()
        (tmp_path / "docs" / "trial.html").write_text(EDITED)
        assert fetch(server, "/docs/tape/", If_None_Match=etag)[0].status == 304


def test_edit_taken_back_is_a_change_too(tmp_path: Path) -> None:
    with running(edits=tmp_path) as server:
        (tmp_path / "docs").mkdir()
        edit = tmp_path / "docs" / "trial.html"
        edit.write_text(EDITED)
        modified = fetch(server, "/docs/trial/")[0].getheader("Last-Modified") or ""
        edit.unlink()
        response, body = fetch(server, "/docs/trial/", If_Modified_Since=modified)
        assert response.status == 200
        assert "45 days" not in body


def test_added_page_is_served_and_in_the_sitemap(tmp_path: Path) -> None:
    (tmp_path / "news.html").write_text(EDITED)
    with running(edits=tmp_path) as server:
        assert fetch(server, "/news/")[0].status == 200
        assert "/news/</loc>" in fetch(server, "/sitemap.xml")[1]


def test_empty_edit_takes_a_page_down(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "tape.html").write_text("")
    with running(edits=tmp_path) as server:
        assert fetch(server, "/docs/tape/")[0].status == 410
        assert "/docs/tape/" not in fetch(server, "/sitemap.xml")[1]
        assert 'href="/docs/tape/"' not in fetch(server, "/docs/versions/")[1]


def test_malformed_edit_is_named_and_costs_no_crash(tmp_path: Path) -> None:
    (tmp_path / "broken.html").write_text("title: no end of header\n<p>text</p>")
    with running(edits=tmp_path) as server:
        response, body = fetch(server, "/docs/trial/")
        assert response.status == 500
        assert "broken.html" in body
        (tmp_path / "broken.html").unlink()
        assert fetch(server, "/docs/trial/")[0].status == 200
