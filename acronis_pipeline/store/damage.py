"""What LanceDB says when a table cannot be read or written, in words that a user can act on.

`Watched` stands around every table that the store hands out, so that errors are translated where tables are used, not
only where they are opened. The remedy for a damaged table follows from whether the pipeline can make it anew
(`tables.remade_by`).
"""

import errno
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from acronis_pipeline.core.errors import DamagedTableError, StoreError
from acronis_pipeline.core.faults import FULL, is_full
from acronis_pipeline.store import tables

_SOURCE = re.compile(r"(, )?/\S+\.rs:\d+(:\d+)?|lance error: |LanceError\(\w+\): |Runtime error: |External error: ")
_NOT_OURS = re.compile(r"os error (13|30|1)\b|Permission denied|Read-only file system|Operation not permitted")
_CONFLICT = re.compile(r"[Cc]onflict|[Cc]oncurrent")
_DAMAGED = re.compile(r"^lance error|LanceError|was not found|[Cc]orrupt")
_SAID_BY_DISK = {errno.EACCES, errno.EROFS, errno.EPERM}


@contextmanager
def translated(table: str, uri: str) -> Iterator[None]:
    """Errors of LanceDB about a table become StoreErrors; a conflict of two writers stays what it is."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        if explained := explain(error, table, uri):
            raise explained from error
        raise


def explain(error: Exception, table: str, uri: str) -> StoreError | None:
    """What an error about a table means; None for one that is no fault of disk, data or condition."""
    said = str(error)
    reason = " ".join(_SOURCE.sub("", said).split())[:200]
    where = f"table {table} in {uri}"
    if is_full(error):
        return StoreError(f"{where} {FULL}")
    if _NOT_OURS.search(said) or getattr(error, "errno", None) in _SAID_BY_DISK:
        return StoreError(
            f"{where} cannot be used ({reason}): make the folder readable and writable for this user, or name another "
            "with --data"
        )
    if said.startswith("Invalid input"):
        return StoreError(f"{where} cannot be asked so: {reason}")
    if _CONFLICT.search(said) or not _DAMAGED.search(said):
        return None
    if "://" in uri:
        return StoreError(f"{where} cannot be read ({reason}); see whether the object store answers")
    return DamagedTableError(f"{where} is damaged ({reason}); {_remedy(table, uri)}", table)


def _remedy(table: str, uri: str) -> str:
    if tables.remade_by(table):
        path = Path(uri)
        data = f" --data {shlex.quote(str(path.parent))}" if path.name == "lancedb" else ""
        return f"`acronis-pipeline run{data}` drops it and makes it anew"
    return (
        f"it cannot be made anew: put {uri}/{table}.lance back from a copy, or begin again in another folder "
        "(`acronis-pipeline run --site URL --data DIR`)"
    )


class Watched:
    """A table of LanceDB, or a query of one, whose errors are `translated`."""

    def __init__(self, wrapped: Any, table: str, uri: str) -> None:
        self._wrapped, self._table, self._uri = wrapped, table, uri

    def __getattr__(self, name: str) -> Any:
        with translated(self._table, self._uri):
            found = getattr(self._wrapped, name)
        return self._calling(found) if callable(found) else self._watching(found)

    def __len__(self) -> int:
        with translated(self._table, self._uri):
            return len(self._wrapped)

    def _calling(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            with translated(self._table, self._uri):
                return self._watching(method(*args, **options))

        return call

    def _watching(self, found: Any) -> Any:
        """What leads on to the table is watched too: queries, merges, tags."""
        ours = type(found).__module__.startswith("lancedb.") and callable(getattr(type(found), "__init__", None))
        return Watched(found, self._table, self._uri) if ours else found
