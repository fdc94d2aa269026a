"""Which languages are wanted, and what a page or its address says of its own."""

import pytest

from acronis_pipeline.crawl.judging.verdict import OTHER_LANGUAGE, Languages

GERMAN = "Die Sicherung wird jede Nacht auf einen anderen Rechner geschrieben und kann dort geprüft werden. " * 4


@pytest.mark.parametrize(
    ("wanted", "tag", "is_wanted"),
    [
        ((), "de", True),
        (("en",), "en-GB", True),
        (("en",), "de", False),
        (("en",), "x-default", True),
        (("pt-BR",), "pt_br", True),
        (("pt-BR",), "pt", True),
        (("pt-BR",), "pt-PT", False),
        (("en", "de"), "de-AT", True),
        (("en",), "eng", False),
        (("zh-Hant",), "zh-Hant-TW", True),
    ],
)
def test_tags(wanted: tuple[str, ...], tag: str, is_wanted: bool) -> None:
    assert Languages(wanted).wants(tag) is is_wanted


def test_addresses_in_other_languages_are_remembered() -> None:
    languages = Languages(("en",))
    languages.note([("http://h/de/a", "de"), ("http://h/en/a", "en"), ("http://h/a", "x-default")])
    assert languages.why_not("http://h/de/a") == OTHER_LANGUAGE
    assert languages.why_not("http://h/en/a") is None
    assert languages.why_not("http://h/a") is None


def test_an_address_that_is_named_for_a_wanted_language_too_is_wanted() -> None:
    languages = Languages(("en",))
    languages.note([("http://h/a", "de"), ("http://h/a", "en")])
    assert languages.why_not("http://h/a") is None


def test_without_languages_nothing_is_remembered() -> None:
    languages = Languages()
    languages.note([("http://h/de/a", "de")])
    assert languages.why_not("http://h/de/a") is None


@pytest.mark.parametrize(
    ("declared", "header", "text", "is_wanted"),
    [
        ("en", "de", GERMAN, True),
        ("de", None, "", False),
        (None, "de-DE", "", False),
        (None, "de, en", "", True),
        (None, None, GERMAN, False),
        (None, None, "Kurz.", True),
    ],
    ids=["lang wins", "lang", "header", "several in the header", "guess", "too short to guess"],
)
def test_the_language_of_a_page(declared: str | None, header: str | None, text: str, is_wanted: bool) -> None:
    assert Languages(("en",)).wants_page(declared, header, text) is is_wanted
