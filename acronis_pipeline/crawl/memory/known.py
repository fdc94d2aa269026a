"""What was known of every address before a crawl, in some hundred bytes each."""

from collections.abc import Iterator
from typing import cast

import pyarrow as pa

from acronis_pipeline import schemas
from acronis_pipeline.crawl.memory.tables import PAGES, VISITS, Row
from acronis_pipeline.store import Store, primary_key


class KeyedRows:
    """Rows by key: Arrow columns and one dictionary, where a dictionary per row would take ten times as much."""

    def __init__(self, store: Store, table: str, schema: pa.Schema) -> None:
        rows = store.read(table, schema).combine_chunks()
        self._columns = {name: rows.column(name) for name in rows.column_names}
        self._index = {key: index for index, key in enumerate(rows.column(primary_key(schema)).to_pylist())}

    def get(self, key: str) -> Row | None:
        index = self._index.get(key)
        return None if index is None else {name: column[index].as_py() for name, column in self._columns.items()}

    def value(self, key: str, column: str) -> object:
        """One value of a known key."""
        return self._columns[column][self._index[key]].as_py()

    def __contains__(self, key: str) -> bool:
        return key in self._index

    def __iter__(self) -> Iterator[str]:
        return iter(self._index)

    def __len__(self) -> int:
        return len(self._index)


class Known:
    """Pages (tombstoned ones too) and visits as they were when it was made."""

    def __init__(self, store: Store) -> None:
        self.pages = KeyedRows(store, PAGES, schemas.PAGES)
        self.visits = KeyedRows(store, VISITS, schemas.VISITS)
        self.n_live = len(self.live())

    def page(self, url: str) -> Row | None:
        """A page that exists as far as we know."""
        return self.pages.get(url) if self.is_live(url) else None

    def is_live(self, url: str) -> bool:
        return url in self.pages and self.pages.value(url, "gone_at") is None

    def live(self) -> list[str]:
        return [url for url in self.pages if self.is_live(url)]

    def depth(self, url: str) -> int:
        """Of a known page."""
        return cast(int | None, self.pages.value(url, "depth")) or 0

    def content_hash(self, url: str) -> str:
        """Of a known page."""
        return cast(str, self.pages.value(url, "content_hash"))

    def title(self, url: str) -> str | None:
        """Of a known page."""
        return cast(str | None, self.pages.value(url, "title"))

    def validators(self, url: str) -> dict[str, str]:
        """Headers that ask for an address only if it changed since the last visit."""
        visit = self.visits.get(url) or {}
        headers = {"If-None-Match": visit.get("etag"), "If-Modified-Since": visit.get("last_modified")}
        return {name: value for name, value in headers.items() if value}
