"""One text in two spellings of Unicode: page and question find each other whichever each is written in."""

import unicodedata

import pytest

from acronis_pipeline import index
from acronis_pipeline.content import extract
from acronis_pipeline.retrieve import Retriever, System
from acronis_pipeline.store import Store
from acronis_pipeline_tests.index.corpora import WordEncoder, chunk, write_chunks

TABLE = "passages_words"
TEXTS = {
    "de": "Die Größe des Übertragungspuffers beträgt höchstens 512 Megabyte.",
    "ko": "전송 버퍼의 최대 크기는 512메가바이트입니다.",
    "fa": "نسخه\u200cهای پشتیبان می\u200cتوانند تا ۳۰ روز نگه\u200cداری شوند.",
    "ja": "ﾊﾞｯｸｱｯﾌﾟ は三十日間保存されます。",
    "en": "A co\u00adope\u200brative \ufb01le server keeps its back\u2011ups for \uff13\uff10 days.",
}
ASKED = {
    "de": "Übertragungspuffers",
    "ko": "버퍼의",
    "fa": "نسخه\u200cهای",
    "ja": "バックアップ",
    "en": "cooperative file",
}


@pytest.fixture(scope="module", params=["NFC", "NFD"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(str(tmp_path_factory.mktemp("lancedb")))
    pages = {
        name: extract(f"<main><p>{unicodedata.normalize(request.param, text)}</p></main>", url="http://h.example/x")
        for name, text in TEXTS.items()
    }
    write_chunks(store, [chunk(name, page.markdown, url=f"http://h.example/{name}") for name, page in pages.items()])
    index.refresh(store, index.IndexedModel(TABLE, WordEncoder()))
    return store


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("kind", [System("bm25", "bm25", TABLE), System("base", "dense", TABLE)], ids=["bm25", "dense"])
def test_both_spellings_find_the_page(store: Store, kind: System, name: str, form: str) -> None:
    question = unicodedata.normalize(form, ASKED[name])
    assert Retriever(store, kind, WordEncoder()).retrieve(question, 1)[0].chunk_id == name


def test_titles_headings_and_link_texts_are_in_the_one_spelling_and_printable() -> None:
    odd = "Gro\u0308\u00dfe\u202e \x1b[31mder\u200b Blo\u0308cke"
    page = extract(
        f"<title>{odd}</title><main><h1>{odd}</h1><h2>{odd}</h2>"
        f"<p>Text. <a href=/b title='{odd} x'>{odd}</a></p></main>",
        url="http://h.example/x",
    )
    plain = "Größe [31mder Blöcke"
    assert page.title == plain
    assert [heading.text for heading in page.headings] == [plain, plain]
    assert [(one.text, one.title) for one in page.references] == [(plain, f"{plain} x")]
    assert plain in page.markdown
