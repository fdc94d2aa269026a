"""Who serves the sample site, and for how long."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from acronis_pipeline.core.errors import SettingsError, SiteError
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.sample_site import EDITS_VARIABLE, PORT_VARIABLE, base_url, serving, write_site
from acronis_pipeline.sample_site.server import HOST

pytestmark = pytest.mark.server

SAMPLE = SiteSettings(url="sample")  # pyright: ignore[reportCallIssue]


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        free = probe.getsockname()[1]
    monkeypatch.setenv(PORT_VARIABLE, str(free))
    return free


@pytest.fixture
def foreign_server(port: int) -> Iterator[ThreadingHTTPServer]:
    class Foreign(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - http.server's name

    with ThreadingHTTPServer((HOST, port), Foreign) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


def status(address: str) -> int:
    with urlopen(address, timeout=5) as response:
        return response.status


def test_default_address_is_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PORT_VARIABLE, raising=False)
    assert base_url() == "http://127.0.0.1:8788/"
    assert base_url(9000) == "http://127.0.0.1:9000/"


@pytest.mark.parametrize("value", ["web", "0", "70000", "-1", ""])
def test_impossible_port_is_refused_with_the_variable_named(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(PORT_VARIABLE, value)
    with pytest.raises(SettingsError, match=PORT_VARIABLE):
        base_url()


def test_sample_site_answers_inside_the_block_and_not_after(port: int) -> None:
    with serving(SAMPLE) as site:
        assert site.url == f"http://127.0.0.1:{port}/"
        assert status(site.url) == 200
    with pytest.raises(URLError):
        status(base_url())


def test_other_settings_are_kept(port: int) -> None:
    with serving(SAMPLE.model_copy(update={"max_pages": 7})) as site:
        assert site.max_pages == 7


def test_any_other_site_is_left_alone(port: int) -> None:
    other = SiteSettings(url="https://docs.example.com/")  # pyright: ignore[reportCallIssue]
    with serving(other) as site:
        assert site is other
        with pytest.raises(URLError):
            status(base_url())


def test_second_user_takes_over_when_the_first_one_leaves(port: int) -> None:
    first, second = serving(SAMPLE), serving(SAMPLE)
    first.__enter__()
    site = second.__enter__()
    first.__exit__(None, None, None)
    deadline = time.monotonic() + 5
    while True:
        try:
            assert status(site.url) == 200
            break
        except URLError:
            assert time.monotonic() < deadline, "nobody took over"
            time.sleep(0.02)
    second.__exit__(None, None, None)


def test_site_served_by_another_process_is_reused(port: int) -> None:
    command = [sys.executable, "-m", "acronis_pipeline.sample_site", "--port", str(port)]
    other = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout
        assert f":{port}/" in other.stdout.readline()
        with serving(SAMPLE) as site:
            assert status(site.url) == 200
        assert status(base_url()) == 200
    finally:
        other.kill()  # SIGTERM may be ignored: Dagster maps it to SIGINT, which background jobs ignore
        other.communicate(timeout=10)


def test_foreign_program_on_the_port_is_an_error_with_a_remedy(port: int, foreign_server: ThreadingHTTPServer) -> None:
    with pytest.raises(SiteError, match=rf"{port}.*{PORT_VARIABLE}"), serving(SAMPLE):
        pass


def test_edits_folder_from_the_environment_is_used(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = "title: News\ndescription: News.\nupdated: 2026-01-01\n---\n<p>News</p>\n"
    (tmp_path / "news.html").write_text(page)
    monkeypatch.setenv(EDITS_VARIABLE, str(tmp_path))
    with serving(SAMPLE) as site:
        assert status(site.url + "news/") == 200


def test_missing_edits_folder_is_refused(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EDITS_VARIABLE, str(tmp_path / "absent"))
    with pytest.raises(SettingsError, match=EDITS_VARIABLE), serving(SAMPLE):
        pass


def test_export_writes_every_page_and_the_crawler_files(tmp_path: Path) -> None:
    count = write_site(tmp_path)
    pages = list(tmp_path.rglob("index.html"))
    assert count >= 70
    assert len(pages) >= count
    assert "30 days" in (tmp_path / "docs" / "trial" / "index.html").read_text()
    assert 'url=http://127.0.0.1:8788/docs/trial/"' in (tmp_path / "docs" / "free-trial" / "index.html").read_text()
    assert (tmp_path / "robots.txt").exists()
    assert "<lastmod>" in (tmp_path / "sitemap.xml").read_text()
    assert (tmp_path / "assets" / "site.css").exists()
