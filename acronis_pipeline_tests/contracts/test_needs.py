"""What keeps the quick run quick: a test that needs more than it is marked for fails."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from acronis_pipeline_tests.needs import is_left_out

QUICK = "not server and not model and not browser and not slow"


def unmarked(name: str):
    return pytest.raises(pytest.fail.Exception, match=rf"needs `@pytest\.mark\.{name}`")


def test_listening_needs_its_mark():
    with socket.socket() as listener, unmarked("server"):
        listener.bind(("127.0.0.1", 0))


def test_starting_a_process_needs_its_mark():
    with unmarked("server"):
        subprocess.run([sys.executable, "-c", ""])


def test_loading_torch_needs_its_mark():
    with unmarked("model"):
        sys.audit("import", "torch", None, None, None, None)


@pytest.mark.server
def test_a_marked_test_may():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))


@pytest.mark.parametrize(
    ("mark", "expression", "left_out"),
    [
        ("pytestmark = pytest.mark.model", QUICK, True),
        ("pytestmark = [pytest.mark.slow, pytest.mark.server]", QUICK, True),
        ("pytestmark = pytest.mark.model", "not server", False),
        ("pytestmark = pytest.mark.model", "not model or server", False),
        ("pytestmark = pytest.mark.model", "", False),
        ("import pytest", QUICK, False),
    ],
)
def test_a_file_is_not_even_imported_when_its_mark_is_left_out(
    tmp_path: Path, mark: str, expression: str, left_out: bool
):
    file = tmp_path / "test_it.py"
    file.write_text(f"import pytest\n{mark}\n")
    assert is_left_out(file, expression) == left_out
