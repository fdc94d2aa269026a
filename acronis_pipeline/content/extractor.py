"""`extract` in processes of their own: beside the GIL, and out of reach of markup that crashes or hangs a parser.

Started with `python -m` and fed through pipes, not by `multiprocessing`: that would run the caller's `__main__` again,
which in a notebook, an orchestrator's worker or an unguarded script is somebody else's program. A process takes 0.1 s
to start and some 35 MB, and ends with its pipe, however the caller ends.
"""

import contextlib
import logging
import pickle
import queue
import subprocess
import sys
from typing import BinaryIO, cast

from acronis_pipeline.content import Content, extract

_log = logging.getLogger(__name__)


class ExtractionError(Exception):
    """One page broke its parser, took too long, or ended the process that read it."""


class Extractors:
    """`n` processes, started at the first page each. Safe to use from several threads; `close` it.

    `limit_s` is for one page, beyond which it is given up.
    """

    def __init__(self, n: int, *, limit_s: float) -> None:
        self._limit_s = limit_s
        self._idle: queue.LifoQueue[_Process | None] = queue.LifoQueue()
        self._all: set[_Process] = set()
        self._closed = self._refused = False
        for _ in range(n):
            self._idle.put(None)

    def extract(self, html: str, *, url: str, selector: str | None = None) -> Content:
        """As `content.extract`; waits for a process that has nothing to do.

        Raises
        ------
        ExtractionError
            The page cannot be read; the others can.
        SettingsError, ImportError
            As `content.extract` does: no page can be read.
        """
        process = self._idle.get()
        try:
            process = process or self._started()
            if process is None:
                return extract(html, url=url, selector=selector)
            return process.extract(html, url, selector)
        except EOFError as error:
            self._all.discard(cast(_Process, process))
            status, process = cast(_Process, process).end(), None
            raise ExtractionError(f"its reader took more than {self._limit_s:g} s or crashed ({status})") from error
        finally:
            self._idle.put(process)

    def close(self) -> None:
        """End the processes at once; pages that are being read fail."""
        self._closed = True
        for process in tuple(self._all):
            process.end()

    def _started(self) -> "_Process | None":
        """A process, or None if the machine gives none: then pages are read where the caller is."""
        if self._refused:
            return None
        try:
            process = _Process(self._limit_s)
        except (OSError, EOFError) as error:
            self._refused = True
            _log.warning("no process for reading pages (%r); reading them in this one", error)
            return None
        self._all.add(process)
        if self._closed:
            process.end()
        return process


class _Process:
    """One process, for one page at a time."""

    def __init__(self, limit_s: float) -> None:
        # In a session of its own: Ctrl-C is the caller's to handle.
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "acronis_pipeline.content", str(limit_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._pages, self._answers = cast(BinaryIO, self._popen.stdin), cast(BinaryIO, self._popen.stdout)
        try:
            pickle.load(self._answers)
        except EOFError:
            self.end()
            raise

    def extract(self, html: str, url: str, selector: str | None) -> Content:
        try:
            pickle.dump((html, url, selector), self._pages, pickle.HIGHEST_PROTOCOL)
            self._pages.flush()
            answer: Content | Exception = pickle.load(self._answers)
        except (OSError, ValueError, pickle.UnpicklingError) as error:
            raise EOFError from error  # ended, ended by `end`, or ended while it wrote
        if isinstance(answer, Exception):
            raise answer
        return answer

    def end(self) -> int:
        """End it if it has not ended; its exit code, negative for a signal's."""
        self._popen.kill()
        status = self._popen.wait()
        with contextlib.suppress(OSError):  # what it did not take in
            self._pages.close()
        self._answers.close()
        return status
