"""What a disk or a damaged database does to libraries, in words that a user can act on.

MLflow, Dagster, model libraries and our own files meet a full disk, a folder that may not be written and a database
that is none in dozens of places, and each raises in its own manner. `explain` finds the cause in whatever was raised;
the command line and `api.run` put it around everything. (Tables are `store.damage`'s.)
"""

import errno
import re
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from acronis_pipeline.core.errors import AcronisPipelineError, DamagedDatabaseError, OutputError

_FULL = re.compile(r"database or disk is full|No space left|[Qq]uota exceeded|os error (28|122)\b")
FULL = "cannot be written: the disk is full; free space and run the command again"
_READ_ONLY = re.compile(r"attempt to write a readonly database|unable to open database file|Read-only file system")
_DAMAGED = re.compile(
    r"file is not a database|disk image is malformed|malformed database schema|file is encrypted|disk I/O error"
    r"|no such table: |no such column: |Can't locate revision"
)


@contextmanager
def explained(data_dir: Path) -> Iterator[None]:
    """Faults of disk and databases that are met within become errors of ours; everything else stays what it is."""
    try:
        yield
    except AcronisPipelineError:
        raise
    except Exception as error:
        if told := explain(error, data_dir):
            raise told from error
        raise


def explain(error: BaseException, data_dir: Path) -> AcronisPipelineError | None:
    """What disk or database did to whoever raised this; None if neither is the cause."""
    for cause in _causes(error):
        said = str(cause)
        if is_full(cause):
            return OutputError(f"{getattr(cause, 'filename', None) or data_dir} {FULL}")
        denied = isinstance(cause, OSError) and cause.errno in (errno.EROFS, errno.EACCES, errno.EPERM)
        if denied and getattr(cause, "filename", None):
            return _not_ours(Path(str(getattr(cause, "filename", ""))), getattr(cause, "strerror", ""), data_dir)
        if _READ_ONLY.search(said):
            return _not_ours(data_dir, _in_short(said), data_dir)
        if _DAMAGED.search(said):
            return _damaged(_in_short(said), data_dir)
    return None


def is_full(error: BaseException) -> bool:
    """Whether a disk, or what a user may have of it, is full: by an error's number or by what a library says."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or bool(_FULL.search(str(error)))


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: BaseException | None = error
    while waiting is not None and id(waiting) not in seen:
        seen.add(id(waiting))
        yield waiting
        waiting = waiting.__cause__ or waiting.__context__


def _in_short(said: str) -> str:
    found = _DAMAGED.search(said) or _READ_ONLY.search(said)
    return found[0].strip(": ") if found else ""


def _not_ours(path: Path, reason: str, data_dir: Path) -> OutputError:
    folder = shlex.quote(str(data_dir if path.is_relative_to(data_dir) else path))
    return OutputError(
        f"{path} cannot be written or read ({reason}); let this user do so (`chmod -R u+rwX {folder}`, or mount it "
        "writable), or name another folder with --data"
    )


def _damaged(reason: str, data_dir: Path) -> DamagedDatabaseError:
    dagster = data_dir / "dagster"
    # One of Dagster's, and its run history is no longer whole: the folder goes as one.
    files = {dagster if file.is_relative_to(dagster) else file for file in data_dir.rglob("*.db") if not is_sound(file)}
    if not files:
        return DamagedDatabaseError(
            f"a database below {data_dir}, or the one that ACRONIS_PIPELINE_MLFLOW_TRACKING_URI names, is not as its "
            f"program made it ({reason}); put it back from a copy, or move it away: what is missing is made anew"
        )
    moves = " && ".join(f"mv {shlex.quote(str(file))} {shlex.quote(f'{file}.damaged')}" for file in sorted(files))
    return DamagedDatabaseError(
        f"{' and '.join(map(str, sorted(files)))} is damaged ({reason}); put it back from a copy, or move it away with "
        f"`{moves}`: the next command makes it anew, without the runs that it listed (pages, models and champions are "
        "not in it)"
    )


def refuse_damaged(uri: str, data_dir: Path) -> None:
    """Of a database in a file: MLflow tries one that is none for minutes. Raises DamagedDatabaseError."""
    file = Path(uri.removeprefix("sqlite:///"))
    if uri.startswith("sqlite:///") and file.is_file() and file.stat().st_size and not is_sound(file):
        raise _damaged("file is not a database", data_dir)


def is_sound(file: Path) -> bool:
    """Whether SQLite can read all of a file; one of another program that it is just writing counts as sound."""
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=5)) as database:
            (said,) = database.execute("PRAGMA quick_check(1)").fetchone()
            (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return said == "ok" and tables > 0
    except sqlite3.OperationalError as error:
        return "locked" in str(error)
    except sqlite3.DatabaseError:
        return False
