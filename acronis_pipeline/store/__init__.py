"""The one door to LanceDB: versioned tables with atomic writes, in a folder or an object store.

Readers always see the last committed version; a write is one version or nothing.
"""

import atexit
import datetime as dt
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from acronis_pipeline.core.errors import StoreError
from acronis_pipeline.core.settings import Settings
from acronis_pipeline.store import tables
from acronis_pipeline.store.damage import Watched, translated
from acronis_pipeline.store.tables import Table, key

KEEP_VERSIONS_FOR = dt.timedelta(hours=1)
"""Longer than any reader needs one: a table is read whole."""
_MARGIN = dt.timedelta(seconds=5)
"""Between asking a version's age and removing what is older."""
MANY_FILES = MANY_VERSIONS = 16
"""Merging rewrites a table, so not after every write; a version takes some 60 kB beside its rows."""
_KEYS_AT_ONCE = 10_000

_VERSION = "schema_version"
MIGRATIONS: tuple[Callable[["Store"], None], ...] = ()
"""What brings a database of version 1, which has none on record, to version 2, that to 3 and so on. Each may meet a
database that it has brought there before it was killed, or in another process. Added columns and tables need none."""

_log = logging.getLogger(__name__)

AnyTable = Table | str
"""A table, or the name of one where its columns do not matter."""


@dataclass(frozen=True)
class WriteResult:
    """What a write did to a table. `version` is the table's version afterwards, changed or not."""

    version: int
    inserted: int = 0
    updated: int = 0
    deleted: int = 0

    @property
    def changed(self) -> bool:
        return bool(self.inserted or self.updated or self.deleted)


def open_store(settings: Settings) -> "Store":
    """The database that the settings name."""
    return Store(settings.store_uri, settings.store_options)


def open_known(settings: Settings) -> "Store | None":
    """The database that the settings name; None where there is none yet, as opening one makes its folder."""
    return open_store(settings) if settings.lancedb_uri or Path(settings.store_uri).is_dir() else None


class Store:
    """Tables of one LanceDB database.

    Parameters
    ----------
    uri
        A folder, or an object-store URI (`s3://…`, `gs://…`, `az://…`).
    storage_options
        Passed to LanceDB: `aws_access_key_id`, `aws_secret_access_key`, `aws_region`; for another service than AWS
        `aws_endpoint`, and `allow_http` if that has no TLS. What is not given comes from the usual variables
        (`AWS_ACCESS_KEY_ID` …). The service must honour `If-None-Match` on PUT, which makes commits atomic.

    Raises
    ------
    StoreError
        If there is nothing that answers at the URI, or a newer version of this program has written there.
    """

    def __init__(self, uri: str, storage_options: Mapping[str, str] | None = None) -> None:
        import lancedb  # 1.6 s; not needed to read settings or print help

        self.uri = uri
        self.storage_options = options = dict(storage_options or {})
        try:
            # Without a consistency interval a connection never sees what other processes write (LanceDB 0.40).
            self._db = lancedb.connect(
                _plain_path(uri), read_consistency_interval=dt.timedelta(0), storage_options=options
            )
        except (ValueError, OSError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:300]
            raise StoreError(
                f"database {uri} cannot be opened ({reason}); check lancedb_uri and storage_options"
            ) from error
        self._migrate()

    def _migrate(self) -> None:
        found, ours = self.read(_VERSIONS).column("version").to_pylist(), 1 + len(MIGRATIONS)
        version = int(found[0]) if found else 1
        if version > ours:
            raise StoreError(
                f"database {self.uri} has schema version {version}, this program knows up to {ours}: update "
                "acronis-pipeline, or use another folder (--data DIR)"
            )
        for migration in MIGRATIONS[version - 1 :]:
            migration(self)
        if version < ours:
            self.upsert(_VERSIONS, _VERSIONS.rows([{"of": "tables", "version": str(ours)}]))

    @property
    def home(self) -> Path | None:
        """The folder that a database in a folder lies in, as a rule the data folder."""
        return None if "://" in self.uri else Path(self.uri).absolute().parent

    def portable(self, path: Path) -> str:
        """A path as it is stored: relative to `home` where it lies below, so that all of it can be moved."""
        home = self.home
        return path.relative_to(home).as_posix() if home and path.is_relative_to(home) else str(path)

    def placed(self, stored: str) -> Path:
        """The path that `portable` has stored, or an earlier version, which stored all of it.

        A model that is recorded as `…/models/RECIPE/KEY` elsewhere and stands in `models/RECIPE/KEY` here came along
        when the data folder was moved or copied.
        """
        path, home = Path(stored), self.home
        if home is None:
            return path
        if not path.is_absolute():
            return home / path
        moved = home.joinpath(*path.parts[-3:])
        return moved if path.parts[-3:-2] == ("models",) and moved.is_dir() else path

    def names(self) -> list[str]:
        """All table names, sorted."""
        return sorted(set(self._names()) - {_VERSION})

    def _names(self) -> list[str]:
        names: list[str] = []
        token: str | None = None
        while True:
            page = self._db.list_tables(page_token=token)
            names += page.tables
            token = page.page_token
            if not token:
                return names

    def tidy(self) -> None:
        """`compact` every table that there is, whoever made it: after each crawl and each indexing.

        What another process is writing this moment, or what is damaged, waits for the next time.
        """
        for name in sorted(self._names()):
            try:
                self.compact(name)
            except (OSError, RuntimeError, ValueError, StoreError) as error:
                _log.warning("table %s was not compacted: %s", name, " ".join(str(error).split())[:200])

    def exists(self, table: AnyTable) -> bool:
        return self._opened(table) is not None

    def open(self, table: AnyTable) -> Any:
        """The LanceDB table itself, for searches and indexes; write through `upsert` and `sync`.

        Raises
        ------
        KeyError
            If there is no such table.
        """
        opened = self._opened(table)
        if opened is None:
            raise KeyError(_name(table))
        return opened

    def _opened(self, table: AnyTable) -> Any | None:
        """One request where it is there; what there is otherwise is listed only to tell that it is not."""
        name = _name(table)
        with translated(name, self.uri):
            try:
                return Watched(self._db.open_table(name), name, self.uri)
            except ValueError:
                # Another process may have made it in between; one that cannot be read raises again.
                return Watched(self._db.open_table(name), name, self.uri) if name in self._names() else None

    def create(self, table: Table) -> Any:
        """The table, made empty if it does not exist."""
        with translated(table.name, self.uri):
            made = self._db.create_table(table.name, schema=table.schema, exist_ok=True)
        return Watched(made, table.name, self.uri)

    def drop(self, table: AnyTable) -> None:
        """Remove a table with all its versions; no error if it does not exist."""
        name = _name(table)
        if name in self._names():  # one that cannot be opened too
            with translated(name, self.uri):
                self._db.drop_table(name)

    def drop_damaged(self, table: str) -> tuple[str, ...]:
        """Drop a damaged table that the pipeline makes anew, and what says nothing without it; returns their names.

        What cannot be made anew is left as it is, and nothing is named.
        """
        if tables.remade_by(table) is None or self.home is None:
            return ()
        gone = tuple(name for name in tables.lost_with(table) if name in self._names())
        for name in gone:
            self.drop(name)
        return gone

    def version(self, table: AnyTable) -> int:
        """Current version of a table, 0 if it does not exist."""
        opened = self._opened(table)
        return 0 if opened is None else int(opened.version)

    def count(self, table: AnyTable, where: str | None = None) -> int:
        """Its rows, those that match the SQL `where` if given; 0 if it does not exist."""
        opened = self._opened(table)
        return 0 if opened is None else int(opened.count_rows(where))

    def read(self, table: Table, *, columns: list[str] | None = None, where: str | None = None) -> pa.Table:
        """Rows of a table (an SQL `where` narrows them), as Arrow; no rows if the table does not exist.

        Raises
        ------
        StoreError
            If another version of this program wrote the table and a column is missing.
        """
        wanted = columns or table.schema.names
        opened = self._opened(table)
        if opened is None:
            return table.empty().select(wanted)
        self._refuse(table, "no column", set(wanted) - set(opened.schema.names))
        query = opened.search()
        if where:
            query = query.where(where)
        # Without a limit LanceDB answers 10 rows.
        return query.select(wanted).limit(max(1, opened.count_rows())).to_arrow().select(wanted)

    def _made(self, table: Table) -> Any:
        """The table to write to."""
        opened = self._opened(table)
        if opened is None:
            return self.create(table)
        there, wanted = set(opened.schema.names), set(table.schema.names)
        self._refuse(table, "no column", wanted - there)
        self._refuse(table, "a column", there - wanted)
        return opened

    def _refuse(self, table: Table, has: str, columns: set[str]) -> None:
        if columns:
            raise StoreError(
                f"table {table.name} in {self.uri} has {has} {', '.join(sorted(columns))}: another version of this "
                "program wrote it; use another folder (--data DIR), or delete this one to build it anew"
            )

    def upsert(self, table: Table, rows: pa.Table, *, delete_keys: Iterable[str] = ()) -> WriteResult:
        """Insert new rows, replace those with a known key, and delete `delete_keys`, as one version.

        Nothing to write makes no version.

        Raises
        ------
        ValueError
            If two of `rows` share a key.
        """
        key = table.key
        rows = table.cast(rows)
        keys = rows.column(key).to_pylist()
        if len(set(keys)) != len(keys):
            raise ValueError(f"{table.name}: duplicate {key} in the rows to write")
        doomed = sorted(set(delete_keys) - set(keys))
        opened = self._made(table)
        if not keys and not doomed:
            return WriteResult(int(opened.version))
        merge = opened.merge_insert(key).when_matched_update_all().when_not_matched_insert_all()
        if doomed:
            merge = merge.when_not_matched_by_source_delete(is_in(key, doomed))
        result = merge.execute(rows)
        return WriteResult(
            int(result.version), result.num_inserted_rows, result.num_updated_rows, result.num_deleted_rows
        )

    def append(self, table: Table, rows: pa.Table) -> None:
        """Add rows whose keys the caller knows to be new: 3 ms a call where an upsert takes 10 and more.

        Each call leaves a small file; `compact` now and then.
        """
        if rows.num_rows:
            self._made(table).add(table.cast(rows))

    def add_missing(self, table: Table, rows: pa.Table) -> WriteResult:
        """Insert the rows whose key is unknown and leave known ones as they are: for what is written once."""
        opened = self._made(table)
        if not rows.num_rows:
            return WriteResult(int(opened.version))
        result = opened.merge_insert(table.key).when_not_matched_insert_all().execute(table.cast(rows))
        return WriteResult(int(result.version), inserted=result.num_inserted_rows)

    def delete(self, table: Table, keys: Iterable[str]) -> None:
        """Remove rows by key; unknown keys are ignored, and no keys make no version."""
        doomed = sorted(set(keys))
        for start in range(0, len(doomed), _KEYS_AT_ONCE):
            self.open(table).delete(is_in(table.key, doomed[start : start + _KEYS_AT_ONCE]))

    def compact(self, table: AnyTable) -> None:
        """Merge the files that many writes left and drop versions older than an hour, once there are many of either.

        Readers of an older version than that fail. The oldest tagged version stays, and everything after it; a tag on
        the current version moves along, since the rows are the same.
        """
        opened = self._opened(table)
        if opened is None:
            return
        files = opened.stats()["fragment_stats"]["num_fragments"]
        if files < MANY_FILES and len(opened.list_versions()) < MANY_VERSIONS:
            return
        before = int(opened.version)
        opened.optimize(cleanup_older_than=_keep_for(opened))
        for tag, version in self.tags(table).items():
            if version == before:
                self.tag(table, tag)

    def tags(self, table: AnyTable) -> dict[str, int]:
        """Named versions of a table, empty if it does not exist."""
        opened = self._opened(table)
        found = {} if opened is None else opened.tags.list()
        return {tag: int(entry["version"]) for tag, entry in found.items()}

    def tag(self, table: AnyTable, tag: str, version: int | None = None) -> None:
        """Name a version of a table (the current one by default), moving the tag if it stands on another.

        A tagged version and all after it survive `compact`. Move a tag along, or the table only grows.

        Raises
        ------
        KeyError
            If there is no such table.
        StoreError
            If the table has no such version (any more).
        """
        opened = self.open(table)
        version = int(opened.version) if version is None else version
        known = self.tags(table)
        if known.get(tag) == version:
            return
        if version not in {entry["version"] for entry in opened.list_versions()}:
            raise StoreError(
                f"table {opened.name} in {self.uri} has no version {version} to call {tag}: it was cleaned up; "
                "tag a newer one"
            )
        if tag in known:
            opened.tags.update(tag, version)
        else:
            opened.tags.create(tag, version)

    def untag(self, table: AnyTable, tag: str) -> None:
        """Take a tag away; no error if there is none, or no such table."""
        if tag in self.tags(table):
            self.open(table).tags.delete(tag)

    def sync(self, table: Table, rows: pa.Table, *, scope: str | None = None) -> WriteResult:
        """Make the table's rows (those matching the SQL `scope`, if given) equal `rows`, writing only differences.

        Unlike an upsert it reads what is there, so an unchanged table keeps its version.
        """
        key, rows = table.key, table.cast(rows)
        before = {row[key]: row for row in self.read(table, where=scope).to_pylist()}
        after = rows.to_pylist()
        changed = [index for index, row in enumerate(after) if before.get(row[key]) != row]
        gone = before.keys() - {row[key] for row in after}
        return self.upsert(table, rows.take(pa.array(changed, pa.int64())), delete_keys=gone)


def _keep_for(table: Any) -> dt.timedelta:
    """How old a version may get. A tag on one that is to go makes all of `optimize` fail (LanceDB 0.40)."""
    tagged = {entry["version"] for entry in table.tags.list().values()}
    times = [entry["timestamp"] for entry in table.list_versions() if entry["version"] in tagged]
    if not times:
        return KEEP_VERSIONS_FOR
    now = dt.datetime.now()  # LanceDB gives local times without a zone
    return max(KEEP_VERSIONS_FOR, now - min(times) + _MARGIN)


_VERSIONS = Table(_VERSION, pa.schema([key("of"), pa.field("version", pa.string())]))


@cache
def _plain_path(uri: str) -> str:
    """A path without characters that a URL would encode, to the same folder.

    LanceDB 0.40 takes a path for a URL where it writes tags: below `jürgen` they ended in a folder `j%C3%BCrgen` beside
    it (lance-format/lance#6643). A link serves all tables that are opened in this process.
    """
    if "://" in uri or quote(uri) == uri:
        return uri
    Path(uri).mkdir(parents=True, exist_ok=True)
    folder = tempfile.mkdtemp(prefix="acronis_pipeline_")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    link = Path(folder, "lancedb")
    link.symlink_to(Path(uri).absolute(), target_is_directory=True)
    return str(link)


def _name(table: AnyTable) -> str:
    return table if isinstance(table, str) else table.name


def is_in(column: str, values: Iterable[str]) -> str:
    """SQL condition `column IN (…)`, with values quoted."""
    return f"{column} IN ({', '.join(quoted(value) for value in values)})"


def quoted(value: str) -> str:
    """A string as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def timestamp(moment: dt.datetime) -> str:
    """A moment as an SQL literal that compares with the tables' times."""
    return f"timestamp '{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S.%f}+00:00'"
