"""Only Dagster's own pages reach Dagster: a real server, asked as browsers ask for other pages that are open."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from acronis_pipeline.defs import web_server
from acronis_pipeline_tests.finished_run import free_port

pytestmark = pytest.mark.server
_START_S = 120
_STOP = "mutation { setNuxSeen }"
_ASK = "{ version }"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("dagster"), free_port()
    (folder / "definitions.py").write_text("import dagster as dg\n\ndefs = dg.Definitions()\n")
    command = web_server.command(["-f", "definitions.py", "-h", "127.0.0.1", "-p", str(port)])
    environment = {**os.environ, "DAGSTER_HOME": str(folder), "DAGSTER_DISABLE_TELEMETRY": "1"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, *command], cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _await(f"http://127.0.0.1:{port}/server_info", process, folder / "log")
        yield f"127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx2.get(url).status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.3)
    pytest.fail(log.read_text())


def post(address: str, query: str, **headers: str) -> httpx2.Response:
    return httpx2.post(f"http://{address}/graphql", json={"query": query}, headers=headers)


def test_its_own_pages_ask_and_act(address: str):
    for host in (address, address.replace("127.0.0.1", "localhost")):
        asked = post(host, _ASK, Origin=f"http://{host}")
        assert asked.json()["data"]["version"]
        assert post(host, _STOP, Origin=f"http://{host}").json() == {"data": {"setNuxSeen": True}}
    assert post(address, _ASK).status_code == 200  # a program, which sends no Origin
    page = httpx2.get(f"http://{address}/asset-groups", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert httpx2.get(f"http://{address}/graphql", headers={"Accept": "text/html"}).status_code == 200  # the editor


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://localhost"])
def test_other_pages_are_refused(address: str, origin: str):
    assert post(address, _STOP, Origin=origin).status_code == 403
    form = {"content": b"", "headers": {"Origin": origin, "Content-Type": "application/x-www-form-urlencoded"}}
    assert httpx2.post(f"http://{address}/graphql", params={"query": _STOP}, **form).status_code == 403
    sent = httpx2.post(f"http://{address}/report_asset_materialization/a", json={}, headers={"Origin": origin})
    assert sent.status_code == 403


def test_links_pictures_and_forms_do_nothing(address: str):
    assert httpx2.get(f"http://{address}/graphql", params={"query": _STOP}).status_code == 405
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        sent = httpx2.post(f"http://{address}/graphql", params={"query": _STOP}, headers={"Content-Type": kind})
        assert sent.status_code == 415


@pytest.mark.parametrize("host", ["evil.example", "evil.example:3000", "127.0.0.1.evil.example", "169.254.169.254"])
def test_a_name_that_somebody_else_gave_this_machine_is_refused(address: str, host: str):
    for path in ("graphql", "asset-groups", "server_info"):
        assert httpx2.get(f"http://{address}/{path}", headers={"Host": host}).status_code == 400
    assert post(address, _ASK, Host=host, Origin=f"http://{host}").status_code == 400


def test_websockets_of_its_own_pages_work_and_of_others_do_not(address: str):
    url = f"ws://{address}/graphql"
    with connect(url, origin=f"http://{address}", subprotocols=["graphql-ws"]) as socket:  # pyright: ignore[reportArgumentType]
        socket.send(json.dumps({"type": "connection_init"}))
        assert json.loads(socket.recv())["type"] == "connection_ack"
        query = {"query": "subscription { locationStateChangeEvents { event { message } } }"}
        socket.send(json.dumps({"type": "start", "id": "1", "payload": query}))
    for origin, headers in (("http://evil.example", {}), ("http://evil.example", {"Host": "evil.example"})):
        with pytest.raises(InvalidStatus):
            connect(url, origin=origin, subprotocols=["graphql-ws"], additional_headers=headers)  # pyright: ignore[reportArgumentType]
