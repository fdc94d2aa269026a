"""Partial writes: the state of a page changes without its HTML being written again."""

import datetime as dt

import pyarrow as pa
import pytest

from acronis_pipeline import schemas
from acronis_pipeline.store import Store

NOW = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
STATE = pa.schema([schemas.PAGES.field(name) for name in ("url", "etag", "gone_at")])


def rows(*urls: str) -> pa.Table:
    return pa.Table.from_pylist(
        [{"url": url, "title": f"of {url}", "etag": "old"} for url in urls], schema=schemas.PAGES
    )


def states(*urls: str) -> pa.Table:
    return pa.Table.from_pylist([{"url": url, "etag": "new", "gone_at": NOW} for url in urls], schema=STATE)


def test_a_patch_replaces_some_columns_of_known_rows_only(store: Store) -> None:
    store.upsert("pages", schemas.PAGES, rows("a", "b"))
    written = store.patch("pages", schemas.PAGES, states("a", "unknown"))
    assert (written.updated, written.inserted) == (1, 0)
    read = {row["url"]: row for row in store.read("pages", schemas.PAGES).to_pylist()}
    assert {url: (row["etag"], row["gone_at"], row["title"]) for url, row in read.items()} == {
        "a": ("new", NOW, "of a"),
        "b": ("old", None, "of b"),
    }


def test_an_empty_patch_makes_no_version(store: Store) -> None:
    version = store.upsert("pages", schemas.PAGES, rows("a")).version
    assert store.patch("pages", schemas.PAGES, states()).version == version == store.version("pages")


def test_a_patch_with_a_key_twice_is_refused(store: Store) -> None:
    store.upsert("pages", schemas.PAGES, rows("a"))
    with pytest.raises(ValueError, match="duplicate url"):
        store.patch("pages", schemas.PAGES, states("a", "a"))
