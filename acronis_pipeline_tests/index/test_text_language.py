"""A site in another language is searched by that language's words."""

import pytest

from acronis_pipeline import index
from acronis_pipeline.index.lance_indexes import full_text_options, main_language
from acronis_pipeline.retrieve import Retriever, System
from acronis_pipeline.store import Store
from acronis_pipeline_tests.index.corpora import WordEncoder, chunk, write_chunks

TABLE = "passages_words"


@pytest.mark.parametrize(
    ("tags", "language"),
    [(["de-AT", "de_DE", "en"], "de"), (["en-US", None, None, ""], "en"), ([None], "en"), ([], "en"), (["JA"], "ja")],
)
def test_main_language_is_the_most_frequent_one_that_is_known(tags: list[str | None], language: str) -> None:
    assert main_language(tags) == language


@pytest.mark.parametrize(
    ("language", "passage", "question"),
    [
        ("en", "Backups are restored here", "restore a backup"),
        ("de", "Die Sicherungen werden hier wiederhergestellt", "eine Sicherung"),
        ("ru", "Резервные копии восстанавливаются", "восстановить резервную копию"),
        ("ja", "バックアップからファイルを復元する方法", "ファイルを復元"),
        ("zh", "如何从备份恢复文件", "恢复文件"),
        ("pl", "Tutaj odtwarza się kopie zapasowe", "kopie zapasowe"),
    ],
)
def test_question_finds_the_passage_in_its_language(tmp_path, language: str, passage: str, question: str) -> None:
    store = Store(str(tmp_path))
    write_chunks(store, [chunk("right", passage) | {"language": language}])
    encoder = WordEncoder()
    index.refresh(store, index.IndexedModel(TABLE, encoder))
    assert Retriever(store, System("bm25", "bm25", TABLE), None).retrieve(question, 1)


def test_language_without_a_stemmer_is_not_stemmed_as_english() -> None:
    assert not full_text_options("pl")["stem"]
