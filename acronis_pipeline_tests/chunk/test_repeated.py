from pathlib import Path

import pytest

from acronis_pipeline.chunk import ChunkResult, refresh
from acronis_pipeline.chunk.repeated import find, keys, texts, to_remove, without
from acronis_pipeline.core.settings import ChunkSettings
from acronis_pipeline.store import Store, tables
from acronis_pipeline_tests.chunk.builders import SITE, content_of, counter, html_page, put_pages

COOKIES = "We value your privacy and store a few things on your device."


def own(number: int) -> str:
    return f"Chapter {number} explains how volume {number * 7} of the vault is copied to site {number * 13}."


def site(n_pages: int, *, with_notice: int) -> dict[str, str]:
    return {
        f"page{n:02}": html_page(
            f"<h1>Chapter {n}</h1><p>{own(n)}</p>" + (f"<h2>Privacy</h2><p>{COOKIES}</p>" if n < with_notice else "")
        )
        for n in range(n_pages)
    }


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path))


def run(store: Store, **options: float) -> ChunkResult:
    return refresh(store, ChunkSettings.model_validate(options), counter())


def urls_with(store: Store, text: str) -> list[str]:
    rows = store.read(tables.CHUNKS).to_pylist()
    return sorted(row["url"] for row in rows if text in row["text"])


def test_paragraph_on_most_pages_stays_on_the_one_with_the_shortest_address(store: Store):
    put_pages(store, {**site(12, with_notice=12), "a": html_page(f"<h1>Start</h1><p>Begin here.</p><p>{COOKIES}</p>")})
    result = run(store)
    assert urls_with(store, COOKIES) == [SITE + "a"]
    assert (result.n_repeated, result.repeated_removed) == (1, 12)
    assert result.repeated == [{"pages": 13, "text": COOKIES, "kept_on": SITE + "a"}]


def test_heading_above_nothing_else_goes_with_its_paragraph(store: Store):
    put_pages(store, site(12, with_notice=12))
    run(store)
    paths = [row["heading_path"] for row in store.read(tables.CHUNKS).to_pylist()]
    assert paths.count(["Privacy"]) == 1


def test_paragraph_on_half_of_the_pages_stays(store: Store):
    put_pages(store, site(16, with_notice=8))
    assert run(store).n_repeated == 0
    assert len(urls_with(store, COOKIES)) == 8


def test_small_sites_keep_what_they_repeat(store: Store):
    put_pages(store, site(7, with_notice=7))
    assert run(store).n_repeated == 0


def test_share_of_one_keeps_everything(store: Store):
    put_pages(store, site(12, with_notice=12))
    assert run(store, repeated_share=1).n_repeated == 0


def test_no_page_is_read_again_while_no_paragraph_crosses_the_share(store: Store):
    put_pages(store, site(20, with_notice=15))
    first = run(store)
    put_pages(store, {"other": html_page(f"<h1>New</h1><p>{own(99)}</p>")})
    second = run(store)
    assert (first.pages_chunked, second.pages_chunked) == (20, 1)
    assert (second.added, second.removed) == (1, 0)


def test_pages_change_when_their_paragraph_crosses_the_share_and_back_again(store: Store):
    put_pages(store, site(16, with_notice=8))
    before = run(store)
    put_pages(store, {"page08": site(16, with_notice=16)["page08"]})
    crossed = run(store)
    assert (crossed.n_repeated, crossed.pages_chunked) == (1, 8)
    put_pages(store, {"page08": site(16, with_notice=8)["page08"]})
    assert run(store).data_version == before.data_version


def test_the_same_pages_give_the_same_chunks_whatever_happened_before(tmp_path: Path):
    grown, fresh = Store(str(tmp_path / "grown")), Store(str(tmp_path / "fresh"))
    for count in (6, 9, 14):
        put_pages(grown, site(count, with_notice=count))
        run(grown)
    put_pages(fresh, site(14, with_notice=14))
    assert run(fresh).data_version == run(grown).data_version


def test_page_with_nothing_of_its_own_is_dropped_with_that_reason(store: Store):
    put_pages(store, {**site(12, with_notice=12), "zz-bare-page": html_page(f"<h1>Bare</h1><p>{COOKIES}</p>")})
    assert run(store).dropped == {"only repeated text": 1}


def test_languages_are_counted_apart():
    notice = content_of(f"<p>{COOKIES}</p>")
    pages = {f"/en/{n}": ("en", keys(notice)) for n in range(10)} | {f"/de/{n}": ("de", ()) for n in range(30)}
    assert [one.n_pages for one in find(pages, 0.5)] == [10]
    pages["/de/0"] = ("de", keys(notice))
    assert "/de/0" not in to_remove(pages, find(pages, 0.5))


def test_short_paragraphs_code_and_tables_are_never_repeated_text():
    body = "<p>Yes.</p><pre>acroctl list --all --verbose</pre>"
    body += "<table><tr><th>A b c</th><th>D e f</th></tr><tr><td>1</td><td>2</td></tr></table>"
    assert keys(content_of(body)) == ()


def test_what_is_left_is_otherwise_untouched():
    page = content_of(
        f"<h1>T</h1><p>One.</p><pre>a\n\n\nb</pre><h2>Privacy</h2><p>{COOKIES}</p><h2>End</h2><p>Two.</p>"
    )
    (key,) = keys(page)
    left = without(page, {key})
    assert left.markdown == "# T\n\nOne.\n\n```\na\n\n\nb\n```\n\n## End\n\nTwo."
    assert [heading.text for heading in left.headings] == ["T", "End"]
    assert texts(page, {key}) == {key: COOKIES}
