"""Filters on real tables: what they let through, also where addresses hold wildcards, quotes and foreign letters."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acronis_pipeline import index
from acronis_pipeline.core.errors import SettingsError
from acronis_pipeline.crawl.fetching.urls import canonical
from acronis_pipeline.retrieve import Filters, Retriever, System
from acronis_pipeline.store import Store
from acronis_pipeline_tests.index.corpora import WordEncoder, chunk, write_chunks

TABLE = "passages_words"
EDITIONS = {"16": ["/cyberprotect/16/", "/backup_16"], "cloud": ["/cloud/"]}
ODD = ["/a_b/", "/aXb/", "/a%b/", "/a.b/", "/aab/", "/it's/", "/(x|y)/", "/a+b/", "/[a]/", "/$a^/", "/d%C3%ADas/"]
PAGES = {
    "16": ("https://docs.test/cyberprotect/16/agents/", "en"),
    "16b": ("https://docs.test/backup_16/agents/", "en-US"),
    "15": ("https://docs.test/cyberprotect/15/agents/", "en_GB"),
    "16-elsewhere": ("https://docs.test/old/cyberprotect/16/agents/", "de"),
    "backup216": ("https://docs.test/backup216/agents/", "eng"),
    "cloud": ("https://help.docs.test:8443/cloud/agents/", "de-AT"),
    "unknown": ("https://docs.test/other/", None),
} | {f"odd{n}": (canonical(f"https://docs.test{path}page"), "fr") for n, path in enumerate(ODD)}
SYSTEMS = [System("bm25", "bm25", TABLE), System("base", "dense", TABLE), System("hybrid", "hybrid", TABLE, 0.5)]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(str(tmp_path_factory.mktemp("lancedb")))
    pages = [
        chunk(name, f"Install the agent {name}", url=url) | {"language": lang} for name, (url, lang) in PAGES.items()
    ]
    write_chunks(store, pages)
    encoder = WordEncoder()
    index.refresh(store, index.IndexedModel(TABLE, encoder))
    return store


def found(store: Store, where: Filters, system: System = SYSTEMS[2]) -> set[str]:
    return {hit.chunk_id for hit in Retriever(store, system, WordEncoder()).retrieve("install agent", 50, where=where)}


def test_path_is_the_beginning_of_the_path_on_any_host_and_not_its_middle(store: Store) -> None:
    assert found(store, Filters.named(["/cyberprotect/16/"])) == {"16"}
    assert found(store, Filters.named(["/cyberprotect/"])) == {"16", "15"}
    assert found(store, Filters.named(["cloud"])) == {"cloud"}


def test_several_paths_are_any_of_them(store: Store) -> None:
    assert found(store, Filters.named(["/cloud/", "/old/"])) == {"cloud", "16-elsewhere"}


def test_whole_address_names_the_host(store: Store) -> None:
    assert found(store, Filters.named(["https://help.docs.test:8443/"])) == {"cloud"}
    assert found(store, Filters.named(["https://docs.test/cloud/"])) == set()


@pytest.mark.parametrize(("n", "path"), list(enumerate(ODD)))
def test_no_character_of_a_path_is_a_wildcard_or_ends_the_condition(store: Store, n: int, path: str) -> None:
    assert found(store, Filters.named([path])) == {f"odd{n}"}
    assert found(store, Filters.named([f"https://docs.test{path}"])) == {f"odd{n}"}


def test_foreign_letters_are_found_as_addresses_hold_them(store: Store) -> None:
    assert found(store, Filters.named(["/días/"])) == {f"odd{ODD.index('/d%C3%ADas/')}"}


@settings(max_examples=40, deadline=None)
@given(st.text(min_size=1, max_size=12).filter(str.strip))
def test_any_text_can_be_a_path(store: Store, text: str) -> None:
    for path in (text, f"https://docs.test/zzz/{text}"):
        where = Filters.named([path]).sql()
        if len(path.strip(" /")) > 12:
            assert store.open(TABLE).count_rows(where) == 0
        else:
            store.open(TABLE).count_rows(where)


def test_language_stands_for_its_regions_and_a_region_for_itself(store: Store) -> None:
    assert found(store, Filters.named(languages=["en"])) == {"16", "16b", "15"}
    assert found(store, Filters.named(languages=["EN-us"])) == {"16b"}
    assert found(store, Filters.named(languages=["de", "en-US"])) == {"16-elsewhere", "cloud", "16b"}


def test_edition_is_its_paths_and_narrows_further(store: Store) -> None:
    assert found(store, Filters.named(editions=["16"], known_editions=EDITIONS)) == {"16", "16b"}
    assert found(store, Filters.named(editions=["16", "cloud"], known_editions=EDITIONS)) == {"16", "16b", "cloud"}
    assert found(store, Filters.named(["/backup"], editions=["16"], known_editions=EDITIONS)) == {"16b"}
    assert found(store, Filters.named(languages=["de"], editions=["16"], known_editions=EDITIONS)) == set()


def test_unknown_edition_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="'17'; known: 16, cloud"):
        Filters.named(editions=["17"], known_editions=EDITIONS)
    with pytest.raises(SettingsError, match=r"retrieval\.editions"):
        Filters.named(editions=["17"])


@pytest.mark.parametrize("language", ["", "en' OR 1=1", "e", "english language"])
def test_what_is_no_language_is_refused(language: str) -> None:
    with pytest.raises(SettingsError, match="no language"):
        Filters.named(languages=[language])


def test_empty_path_is_refused() -> None:
    with pytest.raises(SettingsError, match="empty path"):
        Filters.named([" "])


def test_no_filter_is_no_condition() -> None:
    assert Filters.named().sql() is None


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_k_passages_come_where_k_match_however_badly_they_rank(tmp_path, system: System) -> None:
    store = Store(str(tmp_path))
    near = [chunk(f"near{n}", "restore the backup", url=f"https://docs.test/near/{n}") for n in range(60)]
    far = [
        chunk(f"far{n}", "a backup of tapes and much more beside", url=f"https://docs.test/far/{n}") for n in range(5)
    ]
    write_chunks(store, [*near, *far])
    encoder = WordEncoder()
    index.refresh(store, index.IndexedModel(TABLE, encoder))
    retriever = Retriever(store, system, encoder, candidates=10)
    hits = retriever.retrieve("restore the backup", 5, where=Filters.named(["/far/"]))
    assert {hit.chunk_id for hit in hits} == {f"far{n}" for n in range(5)}


@pytest.mark.parametrize(
    ("where", "says"),
    [
        (Filters.named(["/nowhere/"]), ["below /nowhere/; the index has pages below", "/cyberprotect/ (2)", ", …"]),
        (Filters.named(["https://other.test/"]), ["below https://other.test/;", "https://docs.test/cyberprotect/ (2)"]),
        (
            Filters.named(["/cloud/"], editions=["old"], known_editions={"old": ["/v0/"]}),
            ["below /v0/, where retrieval.editions says"],
        ),
        (
            Filters.named(languages=["klingon", "en-AU"]),
            ["language klingon or en-AU; the index has pages in fr (", "en (1)", "no known language (1)"],
        ),
        (
            Filters.named(["/cloud/"], ["fr"], editions=["16"], known_editions=EDITIONS),
            ["below /cloud/ and of an edition below /cyberprotect/16/ or /backup_16 and in language fr at once"],
        ),
    ],
    ids=["path", "address", "edition", "language", "together"],
)
def test_filter_that_nothing_meets_is_explained_by_what_there_is(store: Store, where: Filters, says: list[str]) -> None:
    reason = Retriever(store, SYSTEMS[0], None).why_nothing(where)
    assert reason
    for words in says:
        assert words in reason


def test_filter_that_something_meets_needs_no_explanation(store: Store) -> None:
    retriever = Retriever(store, SYSTEMS[0], None)
    assert retriever.why_nothing(Filters.named(["/nowhere/", "/cloud/"], ["de"])) is None
    assert retriever.why_nothing(Filters()) is None
