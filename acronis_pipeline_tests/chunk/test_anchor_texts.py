from pathlib import Path

import pytest

from acronis_pipeline.chunk import refresh
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl import crawl
from acronis_pipeline.store import Store, tables
from acronis_pipeline_tests.chunk.builders import SITE, budget, counter, html_page, put_pages

PLANS = """<h1>Plans</h1><p>To get data back, see <a href="restore#disks" title="Bare metal">restoring whole disks</a>,
read more <a href="restore">here</a>, or <a href="old">how plans began</a>, or ask
<a href="https://forum.example.org/">the forum</a>. Also <a href="#top">the top of it all</a>.</p>"""

PLANS_IN_MARKDOWN = """# Plans

A plan runs every night. What to do [when a disk dies](./the%20restore.md#disks) is told elsewhere.
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(str(tmp_path))
    visit = {
        **dict.fromkeys(tables.VISITS.schema.names),
        "url": SITE + "old",
        "outcome": "redirect",
        "target": SITE + "history",
    }
    store.upsert(tables.VISITS, tables.VISITS.rows([visit]))
    put_pages(
        store,
        {
            "plans": html_page(PLANS),
            "restore": html_page(
                "<h1>Restore</h1><p>Boot it, as <a href='/plans'>plans of backups</a> say at length.</p>"
            ),
        },
    )
    return store


def anchor_texts(store: Store) -> dict[str, tuple[str, str | None, str | None]]:
    refresh(store, budget(256), counter())
    rows = store.read(tables.ANCHOR_TEXTS).to_pylist()
    return {
        row["text"]: (row["target_url"].removeprefix(SITE), row["target_fragment"], row["title"])
        for row in rows
        if row["source_url"] == SITE + "plans"
    }


def test_links_between_pages_are_kept_with_section_and_title(store: Store):
    assert anchor_texts(store) == {
        "restoring whole disks": ("restore", "disks", "Bare metal"),
        "how plans began": ("history", None, None),
        "the top of it all": ("plans", "top", None),
    }


def test_links_between_files_of_a_folder_are_kept(tmp_path: Path):
    store, folder = Store(str(tmp_path / "db")), tmp_path / "my docs"
    folder.mkdir()
    (folder / "plans.md").write_text(PLANS_IN_MARKDOWN)
    (folder / "the restore.md").write_text("# Restore\n\n## Disks\n\nBoot the machine from the rescue medium first.\n")
    crawl(store, SiteSettings.model_validate({"url": str(folder)}))
    refresh(store, budget(256), counter())
    (row,) = store.read(tables.ANCHOR_TEXTS).to_pylist()
    targets = store.read(tables.CHUNKS, columns=["url", "anchor"]).to_pylist()
    assert row["text"] == "when a disk dies"
    assert {"url": row["target_url"], "anchor": row["target_fragment"]} in targets


def test_nothing_changed_writes_nothing(store: Store):
    anchor_texts(store)
    version = store.version(tables.ANCHOR_TEXTS)
    anchor_texts(store)
    assert store.version(tables.ANCHOR_TEXTS) == version


def test_a_changed_page_replaces_its_own_only(store: Store):
    anchor_texts(store)
    put_pages(store, {"plans": html_page(PLANS.replace("restoring whole disks", "bare-metal restore"))})
    assert "bare-metal restore" in anchor_texts(store)
    texts = store.read(tables.ANCHOR_TEXTS).column("text").to_pylist()
    assert "restoring whole disks" not in texts
    assert "plans of backups" in texts


def test_a_page_that_is_gone_takes_its_links_along(store: Store):
    anchor_texts(store)
    put_pages(store, {"plans": html_page(PLANS)}, gone=("plans",))
    assert anchor_texts(store) == {}
    assert store.count(tables.ANCHOR_TEXTS) == 1
