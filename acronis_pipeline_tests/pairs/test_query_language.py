from acronis_pipeline.pairs.filters import is_foreign

PASSAGE = "The retention rule deletes outdated backups after thirty days."


def test_a_sentence_in_another_language_is_foreign():
    assert is_foreign("Nach wie vielen Tagen werden meine alten Sicherungen gelöscht?", PASSAGE, "en")


def test_a_query_in_another_script_is_foreign_however_short():
    assert is_foreign("резервные копии", PASSAGE, "en")
    assert is_foreign("バックアップ", PASSAGE, "en")


def test_the_passages_language_is_not_foreign():
    assert not is_foreign("When will my old copies be removed from the storage by themselves?", PASSAGE, "en-US")
    assert not is_foreign("バックアップの復元", "コンソールを開いてバックアップを復元します。", "ja")


def test_a_few_words_or_the_passages_own_are_given_the_benefit_of_the_doubt():
    assert not is_foreign("Trial kostenlos", PASSAGE, "en")
    assert not is_foreign("retention rule", PASSAGE, "de")


def test_a_product_name_among_few_words_is_no_other_language():
    passage = "Print what the server wrote with the logs command of the client."
    assert not is_foreign("How do I get velero debug logs?", passage, "en")
