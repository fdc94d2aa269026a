import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from acronis_pipeline import cli


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit code, standard output, and the lines of standard error that are not progress."""

    code: int
    out: str
    err: tuple[str, ...]


Command = Callable[..., Ended]


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """Run the command line in this process: `command("ask", "…", "--data", folder)`."""
    logger = logging.getLogger("acronis_pipeline")
    before = logger.handlers, logger.level, logger.propagate

    def run(*arguments: Any) -> Ended:
        monkeypatch.setattr(sys, "argv", ["acronis-pipeline", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capfd.readouterr()
        # Progress lines start with the seconds since the start.
        said = tuple(
            line for line in captured.err.splitlines() if not line.split("s ")[0].strip().replace(".", "").isdigit()
        )
        return Ended(int(ended.value.code or 0), captured.out, said)

    yield run
    logger.handlers, logger.level, logger.propagate = before


def assert_one_line_error(ended: Ended, *words: str) -> None:
    """Exit code 2, nothing on standard output, and one line that says these words."""
    assert ended.code == 2, ended
    assert ended.out == ""
    (line,) = ended.err
    assert line.startswith("error: ")
    for word in words:
        assert word in line
