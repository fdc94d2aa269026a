"""What a crawl has learnt and not yet written to the tables, safe from a kill at any moment.

Every finished visit is committed here before anything else happens to it, and leaves when a batch of them is in the
tables. A few kilobytes to megabytes of SQLite, in a file that exists while a crawl is under way; without a file, the
same in memory. A power cut may cost the last visits (`synchronous=NORMAL`), never the file's consistency.
"""

import datetime as dt
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from filelock import FileLock, Timeout

from acronis_pipeline.core.errors import SiteError
from acronis_pipeline.crawl.memory.plan import Mode
from acronis_pipeline.crawl.memory.records import Record, decode, encode

_FILE = "journal.sqlite"
_LOCK = "crawl.lock"

_TABLES = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS runs (key TEXT PRIMARY KEY, of TEXT, mode TEXT, started_at TEXT, n_live INTEGER);
CREATE TABLE IF NOT EXISTS pending (seq INTEGER PRIMARY KEY, record TEXT);
CREATE TABLE IF NOT EXISTS parked (key TEXT, url TEXT, record TEXT, PRIMARY KEY (key, url));
CREATE TABLE IF NOT EXISTS finished (key TEXT PRIMARY KEY, record TEXT, result TEXT);
"""


@dataclass(frozen=True)
class Run:
    """A crawl under way.

    `key` names what was asked for, so that a like crawl may continue it; `of` identifies the store, the site and the
    extractor, without which it may not. `n_live` pages were live before it. `resumed` if it was killed before.
    """

    key: str
    of: str
    mode: Mode
    started_at: dt.datetime
    n_live: int
    resumed: bool = False


@dataclass(frozen=True)
class Conclusion:
    """The last rows of a run, and its result as JSON."""

    record: Record
    result: str


class Journal:
    """The journal of one data folder; open it with `opened`.

    Every change is a single statement, which SQLite makes atomic; the event loop adds while a thread takes.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._db = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
        self._db.executescript(_TABLES)
        self.pending, self.pending_chars = self._db.execute(
            "SELECT count(*), coalesce(sum(length(record)), 0) FROM pending"
        ).fetchone()

    def close(self) -> None:
        """Close it, and remove its file if no crawl is under way any more."""
        idle = not self._db.execute(
            "SELECT 1 FROM runs UNION SELECT 1 FROM pending UNION SELECT 1 FROM finished"
        ).fetchone()
        self._db.close()
        if self._path and idle:
            self._path.unlink()

    # Runs

    def runs(self) -> list[Run]:
        """Crawls that were killed, or broke off."""
        return _runs(self._db)

    def begin(self, run: Run) -> None:
        self._db.execute(
            "INSERT INTO runs VALUES (?, ?, ?, ?, ?)",
            (run.key, run.of, run.mode, run.started_at.isoformat(), run.n_live),
        )

    def forget(self, run: Run) -> None:
        """The run is over, or cannot be continued."""
        for table in ("parked", "finished", "runs"):
            self._db.execute(f"DELETE FROM {table} WHERE key = ?", (run.key,))

    def suspend(self, run: Run) -> None:
        """The run broke off, and what it concluded is in the tables; a like crawl may continue it."""
        self._db.execute("DELETE FROM finished WHERE key = ?", (run.key,))

    # Visits that wait to be written

    def add(self, record: Record) -> None:
        text = encode(record)
        self._db.execute("INSERT INTO pending (record) VALUES (?)", (text,))
        self.pending += 1
        self.pending_chars += len(text)

    def waiting(self) -> tuple[int, list[Record]]:
        """Everything that waits, and the number to call `written` with once it is in the tables."""
        self.pending = self.pending_chars = 0
        rows = self._db.execute("SELECT seq, record FROM pending ORDER BY seq").fetchall()
        return max((seq for seq, _ in rows), default=0), [decode(text) for _, text in rows]

    def written(self, until: int) -> None:
        self._db.execute("DELETE FROM pending WHERE seq <= ?", (until,))

    def discard(self) -> None:
        """Drop everything that waits: it belongs to another store."""
        self.written(2**62)
        self.pending = self.pending_chars = 0

    # Pages of which another page may turn out to be the canonical address

    def park(self, run: Run, url: str, record: Record) -> None:
        self._db.execute("INSERT OR REPLACE INTO parked VALUES (?, ?, ?)", (run.key, url, encode(record)))

    def parked(self, run: Run, url: str) -> Record | None:
        row = self._db.execute("SELECT record FROM parked WHERE key = ? AND url = ?", (run.key, url)).fetchone()
        return decode(row[0]) if row else None

    def unpark(self, run: Run, url: str) -> None:
        self._db.execute("DELETE FROM parked WHERE key = ? AND url = ?", (run.key, url))

    # The end

    def finish(self, run: Run, record: Record, result: str) -> None:
        """What the run concludes from everything, with its result as JSON: decided once, written until it is there."""
        self._db.execute("INSERT OR REPLACE INTO finished VALUES (?, ?, ?)", (run.key, encode(record), result))

    def finished(self, run: Run) -> Conclusion | None:
        """What a run concluded that was killed after that."""
        row = self._db.execute("SELECT record, result FROM finished WHERE key = ?", (run.key,)).fetchone()
        return Conclusion(decode(row[0]), row[1]) if row else None


@contextmanager
def opened(folder: Path | None) -> Iterator[Journal]:
    """The journal of a data folder, for one crawl at a time; without a folder, one in memory.

    Raises
    ------
    SiteError
        If another crawl is at work there.
    """
    if folder is None:
        yield Journal(None)
        return
    folder.mkdir(parents=True, exist_ok=True)
    lock, owner = FileLock(folder / _LOCK, blocking=False), folder / "crawl.pid"
    try:
        held = lock.acquire()
    except Timeout as error:
        process = owner.read_text() if owner.exists() else "unknown"
        raise SiteError(
            f"another crawl (process {process}) is at work in {folder}; wait for it, or use another folder (--data DIR)"
        ) from error
    with held, closing(Journal(folder / _FILE)) as journal:
        owner.write_text(str(os.getpid()))
        yield journal


def peek(folder: Path) -> tuple[list[Run], int, bool]:
    """Crawls that are under way or were killed, how many visits wait to be written, and whether a crawl is at work now.

    Changes nothing; may be called beside a crawl.
    """
    path = folder / _FILE
    if not path.exists():
        return [], 0, (folder / _LOCK).exists() and _is_locked(folder)
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
            runs = _runs(db)
            (pending,) = db.execute("SELECT count(*) FROM pending").fetchone()
    except sqlite3.OperationalError:  # a crawl is beginning or ending at this moment
        return [], 0, _is_locked(folder)
    return runs, pending, _is_locked(folder)


def _runs(db: sqlite3.Connection) -> list[Run]:
    rows = db.execute("SELECT key, of, mode, started_at, n_live FROM runs").fetchall()
    return [Run(key, of, cast(Mode, mode), dt.datetime.fromisoformat(at), n, True) for key, of, mode, at, n in rows]


def has_begun(folder: Path) -> bool:
    """Whether a crawl is at work, or was interrupted."""
    runs, pending, at_work = peek(folder)
    return bool(runs or pending or at_work)


def _is_locked(folder: Path) -> bool:
    try:
        with FileLock(folder / _LOCK, blocking=False):
            return False
    except Timeout:
        return True
