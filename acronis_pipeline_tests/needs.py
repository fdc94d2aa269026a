"""What a test needs besides plain Python: its marks, taken from its fixtures, a guard against unmarked needs, and when
and by which worker it is run.

`server`, `model`, `browser` and `slow` (pyproject.toml says what each means) are left out of the quick check:
`pytest -m "not server and not model and not browser and not slow"`.
"""

import re
import sys
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import pytest
from xdist.scheduler import LoadFileScheduling

F = TypeVar("F", bound=Callable[..., Any])

_OF_A_FILE = re.compile(r"^pytestmark = (.*)", re.MULTILINE)
_LEFT_OUT = re.compile(r"\bnot (\w+)")
_FINISHED = re.compile(r"\b(finished|finished_once|copied)[,:)]")
"""A test that asks for the finished run."""
_COST = {"slow": 1, "server": 1, "model": 2, "browser": 4}
_MODEL_LIBRARY = "torch"
_TOOLS = {"git", "fc-list"}
"""Programs that end at once and that any test may start: MLflow names the commit, matplotlib lists fonts once."""


def needs(*marks: str) -> Callable[[F], F]:
    """Mark every test that uses this fixture, below `@pytest.fixture`."""

    def declare(function: F) -> F:
        function.needs = marks  # pyright: ignore[reportFunctionMemberAccess]
        return function

    return declare


def mark(items: Iterable[pytest.Item]) -> None:
    """Give each test the marks of its fixtures."""
    for item in items:
        fixtures = getattr(item, "_fixtureinfo").name2fixturedefs.values()  # noqa: B009 - pytest has no public way
        for name in {name for found in fixtures for name in getattr(found[-1].func, "needs", ())}:
            item.add_marker(name)


def costly_first(items: list[pytest.Item]) -> None:
    """Order files by what they need, so that two workers end together; within a file nothing changes."""
    cost: dict[Path, int] = {}
    for item in items:
        found = sum(_COST.get(name, 0) for name in {mark.name for mark in item.iter_markers()})
        cost[item.path] = max(found, cost.get(item.path, 0))
    items.sort(key=lambda item: -cost[item.path])


class ByFile(LoadFileScheduling):
    """A file to a worker, in the order collected; all that use the finished run to one worker, which makes it once."""

    def __init__(self, config: pytest.Config, log: Any = None) -> None:
        config.option.loadscopereorder = False  # by the number of tests, that would be
        super().__init__(config, log)
        self._root = config.rootpath

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "finished" if _uses_finished(self._root / file) else file


@cache
def _uses_finished(file: Path) -> bool:
    return bool(_FINISHED.search(file.read_text("utf-8")))


def is_left_out(file: Path, expression: str) -> bool:
    """Whether `-m` leaves out all tests of a file by its `pytestmark`: importing torch for nothing takes seconds."""
    if " or " in expression or not file.name.startswith("test_"):
        return False
    found = _OF_A_FILE.search(file.read_text("utf-8"))
    return bool(found) and any(f"pytest.mark.{name}" in found[1] for name in _LEFT_OUT.findall(expression))


class Guard:
    """Fails a test that listens, starts a program or loads torch without the mark for it."""

    def __init__(self) -> None:
        self.marks: set[str] | None = None
        """Of the test under way; None between tests."""
        sys.addaudithook(self._see)

    def _see(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.marks is None:
            return
        if event == "import" and arguments[0] == _MODEL_LIBRARY:
            self._require("model", "it loads torch")
        elif event == "socket.bind":
            self._require("server", f"it binds {arguments[1]}")
        elif event == "subprocess.Popen" and Path(str(arguments[0])).name not in _TOOLS:
            self._require("server", f"it starts {arguments[1]}")

    def _require(self, name: str, why: str) -> None:
        if self.marks is not None and name not in self.marks:
            pytest.fail(f"this test needs `@pytest.mark.{name}`, or its fixture `@needs({name!r})`: {why}")
