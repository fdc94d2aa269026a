"""`make ui`: the Dagster UI with its daemon, the MLflow UI and, if it is the site, the sample site, until Ctrl-C."""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from acronis_pipeline import sample_site
from acronis_pipeline.core.errors import SettingsError
from acronis_pipeline.core.settings import ENV_PREFIX, Settings, remember_addresses
from acronis_pipeline.defs import web_server
from acronis_pipeline.defs.instance import kill_dead_mlflow_runs, open_instance
from acronis_pipeline.tracking import Tracker

_log = logging.getLogger(__name__)
_HOST = "127.0.0.1"
_START_TIMEOUT_S = 180
_STOP_TIMEOUT_S = 20


def serve(settings: Settings, *, dagster_port: int, mlflow_port: int, announce: Callable[[str], None]) -> None:
    """Run both UIs until SIGINT or SIGTERM, or until one of them ends by itself.

    Raises
    ------
    SettingsError
        If a port is taken, or a UI ends at once (its output is on the console).
    """
    for port, option in ((dagster_port, "--port"), (mlflow_port, "--mlflow-port")):
        _require_free(port, option)
    # MLflow's tables must exist before two processes open the database.
    tracker = Tracker.of(settings)
    runs_page = tracker.runs_page
    kill_dead_mlflow_runs(open_instance(settings), tracker)
    addresses = {"mlflow_ui_url": f"http://{_HOST}:{mlflow_port}", "dagster_ui_url": f"http://{_HOST}:{dagster_port}"}
    os.environ.update({f"{ENV_PREFIX}{name.upper()}": address for name, address in addresses.items()})
    remember_addresses(settings, addresses)
    for stop in (signal.SIGINT, signal.SIGTERM):  # a shell starts background jobs with SIGINT ignored
        signal.signal(stop, signal.default_int_handler)
    commands = {"Dagster": _dagster_command(dagster_port)}
    if not settings.tracking_uri.startswith("http"):
        commands["MLflow"] = _mlflow_command(settings, mlflow_port)
    ports = {"Dagster": dagster_port, "MLflow": mlflow_port}
    with sample_site.serving(settings.site), _running(commands) as children:
        try:
            for name, child in children.items():
                _await(name, child, ports[name])
            announce(f"Dagster  http://{_HOST}:{dagster_port}/asset-groups")
            mlflow = f"http://{_HOST}:{mlflow_port}" if "MLflow" in children else settings.tracking_uri
            announce(f"MLflow   {mlflow}/{runs_page}")
            announce("Press Ctrl-C to stop both.")
            while all(child.poll() is None for child in children.values()):
                time.sleep(0.5)
            raise SettingsError("one of the UIs ended by itself; its last words are above")
        except KeyboardInterrupt:
            announce("stopping…")


# `-W ignore`: both warn their own developers at every start.
_PYTHON = (sys.executable, "-W", "ignore")


def _dagster_command(port: int) -> list[str]:
    return [*_PYTHON, *web_server.command(["-m", "acronis_pipeline.definitions", "-h", _HOST, "-p", str(port)])]


def _mlflow_command(settings: Settings, port: int) -> list[str]:
    return [
        *(*_PYTHON, "-m", "mlflow", "server", "--host", _HOST, "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", settings.tracking_uri),
        *("--default-artifact-root", (settings.data_dir / "mlartifacts").as_uri()),
        *("--uvicorn-opts", "--log-level warning"),  # a line a request would bury the addresses
    ]


@contextmanager
def _running(commands: Mapping[str, list[str]]) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Children in sessions of their own, so that Ctrl-C reaches each once, from us."""
    # MLflow's scheduler of LLM jobs is of no use here, and delays its end by ten seconds.
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    children: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, command in commands.items():
            children[name] = subprocess.Popen(command, env=environment, start_new_session=True)
        yield children
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C would leave them behind
        _stop(children)


def _stop(children: Mapping[str, subprocess.Popen[bytes]]) -> None:
    """End all at once, each with the children that it has."""
    for attempt in (signal.SIGINT, signal.SIGTERM):
        alive = {name: child for name, child in children.items() if child.poll() is None}
        for child in alive.values():
            child.send_signal(attempt)
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        for name, child in alive.items():
            try:
                child.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _log.warning("%s did not end on %s", name, attempt.name)
    for child in children.values():
        with suppress(ProcessLookupError):  # as it should be: nothing is left of its group
            os.killpg(child.pid, signal.SIGKILL)


def _await(name: str, child: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise SettingsError(f"{name} ended with code {child.returncode} while starting; its output is above")
        with socket.socket() as probe:
            if probe.connect_ex((_HOST, port)) == 0:
                return
        time.sleep(0.3)
    raise SettingsError(f"{name} did not answer on port {port} within {_START_TIMEOUT_S} s; its output is above")


def _require_free(port: int, option: str) -> None:
    with socket.socket() as probe:
        if probe.connect_ex((_HOST, port)) == 0:
            raise SettingsError(
                f"port {port} is in use by another program; stop it or choose another port with {option}"
            )
