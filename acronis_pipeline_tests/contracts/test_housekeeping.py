"""No table grows for ever: one rule for all of them, whoever made them."""

import datetime as dt
from pathlib import Path

import pytest

from acronis_pipeline import chunk
from acronis_pipeline import store as store_module
from acronis_pipeline.core.settings import ChunkSettings, LlmSettings, PairSettings
from acronis_pipeline.pairs import refresh
from acronis_pipeline.store import Store, tables
from acronis_pipeline_tests.chunk.builders import counter, html_page, put_pages

TABLE = tables.PAGE_SPLITS.named("of_a_later_version")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(store_module, "KEEP_VERSIONS_FOR", dt.timedelta(milliseconds=1))
    return Store(str(tmp_path / "lancedb"))


def size_of(store: Store) -> dict[str, int]:
    folders = Path(store.uri).iterdir()
    return {f.name: sum(file.stat().st_size for file in f.rglob("*") if file.is_file()) for f in folders}


def test_fifty_refreshes_do_not_make_any_table_grow(store: Store) -> None:
    pages = {
        f"page-{n}": html_page(f"<h1>Quotas of vault {n}</h1><p>A vault has a quota of {n} GB.</p>") for n in range(9)
    }
    sizes: list[dict[str, int]] = []
    for n in range(50):
        news = html_page(f"<h1>What is release {n}?</h1><p>Release {n} keeps backups for {n + 2} days at least.</p>")
        put_pages(store, {**(pages if n == 0 else {}), "news": news})
        chunk.refresh(store, ChunkSettings.model_validate({}), counter())
        refresh(store, PairSettings.model_validate({}), LlmSettings.model_validate({}))
        store.tidy()
        sizes.append(size_of(store))
    grown = {
        name: (early, late)
        for name in sizes[-1]
        if (late := max(of[name] for of in sizes[30:])) > 1.2 * (early := max(of.get(name, 0) for of in sizes[:30]))
    }
    assert not set(grown) - {"page_versions.lance"}, grown  # what `site.keep_versions` bounds, at each crawl


def test_a_table_that_the_program_does_not_know_is_tidied_too(store: Store) -> None:
    for n in range(40):
        store.upsert(TABLE, TABLE.rows([{"url": f"page{n}"}]))
    store.tidy()
    assert len(store.open(TABLE).list_versions()) <= 2
    assert store.count(TABLE) == 40


def test_a_tag_on_the_current_version_moves_along(store: Store) -> None:
    for n in range(40):
        store.upsert(TABLE, TABLE.rows([{"url": f"page{n}"}]))
        store.tag(TABLE, "champion")
    store.tidy()
    assert store.tags(TABLE) == {"champion": store.version(TABLE)}


def test_a_damaged_table_keeps_no_other_from_being_tidied(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    for n in range(40):
        store.upsert(TABLE, TABLE.rows([{"url": f"page{n}"}]))
    store.upsert(TABLE.named("broken"), TABLE.rows([{"url": "a"}]))
    for file in (Path(store.uri) / "broken.lance" / "_versions").iterdir():
        file.write_bytes(b"")
    store.tidy()
    assert len(store.open(TABLE).list_versions()) <= 2
    assert "table broken was not compacted" in caplog.text
