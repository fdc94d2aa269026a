from acronis_pipeline import pairs
from acronis_pipeline.core.settings import LlmSettings, PairSettings
from acronis_pipeline.pairs.generators import link_texts
from acronis_pipeline.store import Store, quoted, tables
from acronis_pipeline_tests.pairs.builders import site, write_chunks

OPTIONS = PairSettings()  # pyright: ignore[reportCallIssue]
NO_LLM = LlmSettings()  # pyright: ignore[reportCallIssue]


def link(
    source: str, target: str, text: str, fragment: str | None = None, title: str | None = None
) -> dict[str, object]:
    values = {"source_url": source, "target_url": target, "target_fragment": fragment, "text": text, "title": title}
    return {"anchor_id": "|".join(map(str, values.values())), **values}


def write_links(store: Store, *links: dict[str, object]) -> None:
    store.sync(tables.ANCHOR_TEXTS, tables.ANCHOR_TEXTS.rows(list(links)))


def test_a_links_text_asks_for_the_section_it_leads_to_or_for_the_pages_beginning(store: Store):
    chunks = site(3)
    second = chunks[1].__class__(**{**vars(chunks[1]), "anchor": "part-1"})
    there = [chunks[0], second, *chunks[2:]]
    write_links(
        store,
        link(chunks[4].url, chunks[0].url, "how long copies are kept", "part-1", "Keeping copies for years"),
        link(chunks[4].url, chunks[0].url, "everything about keeping copies"),
        link(chunks[4].url, chunks[0].url, "a section that is gone", "gone"),
    )
    found = link_texts.read(store, there)
    assert set(found[second.chunk_id]) == {"how long copies are kept", "Keeping copies for years"}
    assert set(found[chunks[0].chunk_id]) == {"everything about keeping copies", "a section that is gone"}


def test_menus_headings_and_a_pages_links_to_itself_describe_nothing_new(store: Store):
    chunks = site(12)
    target = chunks[0]
    write_links(
        store,
        *(link(one.url, target.url, "the menu entry") for one in chunks[2::2]),
        link(chunks[4].url, target.url, target.title.upper()),
        link(target.url, target.url, "further down this way", "part-1"),
        link(chunks[4].url, "https://docs.example/elsewhere", "not among the chunks"),
    )
    assert link_texts.read(store, chunks) == {}


def test_a_new_link_becomes_a_pair_and_asks_nothing_else_anew(store: Store):
    chunks = site(20)
    write_chunks(store, chunks)
    first = pairs.refresh(store, OPTIONS, NO_LLM)
    write_links(store, link(chunks[8].url, chunks[0].url, "what becomes of outdated copies"))
    second = pairs.refresh(store, OPTIONS, NO_LLM)
    assert (second.added, second.removed) == (1, 0)
    assert second.n_kept + second.n_rejected == first.n_kept + first.n_rejected + 1
    (row,) = store.read(tables.PAIRS, where=f"style = {quoted('link')}").to_pylist()
    assert (row["query"], row["chunk_ids"][0]) == ("what becomes of outdated copies", chunks[0].chunk_id)
