"""From a question to an answer with citations, on a real index."""

import pytest

from acronis_pipeline.answer import NOT_FOUND
from acronis_pipeline.api import Answerer
from acronis_pipeline.core.errors import FilterError, GeneratorError, NoChampionError, SettingsError
from acronis_pipeline.core.settings import load_settings
from acronis_pipeline.retrieve import Filters
from acronis_pipeline_tests.finished_run import FinishedRun
from acronis_pipeline_tests.llm import fake_openai
from acronis_pipeline_tests.llm.fake_openai import completion

QUESTION = "Is there a trial period?"


def test_citations_are_the_passages_that_the_text_marks(finished: FinishedRun):
    answer = Answerer(finished.settings()).ask(QUESTION, k=5)
    assert [hit.rank for hit in answer.hits] == [1, 2, 3, 4, 5]
    assert answer.citations
    for citation in answer.citations:
        hit = answer.hits[citation.number - 1]
        assert f"[{citation.number}]" in answer.text
        assert citation.title == hit.title
        assert citation.url == (f"{hit.url}#{hit.anchor}" if hit.anchor else hit.url)


def test_every_quoted_word_stands_in_a_cited_passage(finished: FinishedRun):
    answer = Answerer(finished.settings()).ask(QUESTION, k=5)
    shown = " ".join(answer.hits[citation.number - 1].passage for citation in answer.citations)
    quoted = answer.text
    for citation in answer.citations:
        quoted = quoted.replace(f"[{citation.number}]", "")
    assert set(quoted.split()) <= set(shown.split())


def test_configured_llm_answers_and_extractive_goes_round_it(finished: FinishedRun):
    with fake_openai.serving(lambda *_: completion("Yes, 30 days [2][8].")) as server:
        answerer = Answerer(finished.settings(llm={"model": "fake", "base_url": server.url}))
        written = answerer.ask(QUESTION, k=3)
        quoted = answerer.ask(QUESTION, k=3, extractive=True)
    assert written.text == "Yes, 30 days [2]."
    assert [citation.number for citation in written.citations] == [2]
    assert "30 days" in quoted.text
    assert quoted.answered
    assert len(server.requests) == 1


def test_llm_that_finds_nothing_cites_nothing(finished: FinishedRun):
    with fake_openai.serving(lambda *_: completion(NOT_FOUND)) as server:
        answer = Answerer(finished.settings(llm={"model": "fake", "base_url": server.url})).ask(QUESTION, k=3)
    assert answer.text == NOT_FOUND
    assert not answer.answered
    assert answer.citations == ()


def test_llm_that_fails_after_a_run_is_logged_and_the_passages_are_quoted(finished: FinishedRun, caplog):
    with fake_openai.serving(lambda *_: completion("Thirty days, I think.")) as server:
        answerer = Answerer(finished.settings(llm={"model": "fake", "base_url": server.url}))
        with pytest.raises(GeneratorError, match="it cites no passage"):
            answerer.ask(QUESTION)
        answer = answerer.ask_or_quote(QUESTION)
    assert answer == answerer.ask(QUESTION, extractive=True)
    assert "it cites no passage" in caplog.text


def test_filters_narrow_what_is_answered_from(finished: FinishedRun):
    answerer = Answerer(finished.settings())
    editions = {"advanced": ["/docs/advanced/"]}
    advanced = answerer.ask(QUESTION, k=5, where=Filters.named(editions=["advanced"], known_editions=editions))
    assert {hit.url.removeprefix(finished.site_url) for hit in advanced.hits} == {"docs/advanced/quick-start/"}


def test_filter_that_no_page_meets_is_refused_with_what_there_is(finished: FinishedRun):
    german = Filters.named(languages=["de"])
    with fake_openai.serving(lambda *_: completion("Never asked [1].")) as server:
        answerer = Answerer(finished.settings(llm={"model": "fake", "base_url": server.url}))
        with pytest.raises(FilterError, match=r"language de; the index has pages in en \(\d+\)"):
            answerer.ask(QUESTION, k=5, where=german)
    assert not server.requests


def test_question_of_foreign_words_within_a_filter_has_no_answer_and_is_no_error(finished: FinishedRun):
    answer = Answerer(finished.settings()).ask("zzyzx qwfpgj", k=5, where=Filters.named(["/docs/trial/"]))
    assert answer.answered == bool(answer.citations)


@pytest.mark.parametrize("question", ["", " \n "])
def test_empty_question_is_refused(finished: FinishedRun, question: str):
    with pytest.raises(SettingsError, match="empty"):
        Answerer(finished.settings()).ask(question, k=3)


@pytest.mark.parametrize(
    "question", ["c" * 5_000, "SELECT * FROM 'pages';", "🙂", 'what\'s "this" AND (that) OR +-&|!']
)
def test_any_text_can_be_asked(finished: FinishedRun, question: str):
    assert len(Answerer(finished.settings()).ask(question, k=2).hits) <= 2


def test_folder_without_a_champion_is_named_and_not_created(tmp_path):
    with pytest.raises(NoChampionError, match="nowhere has no champion"):
        Answerer(load_settings(tmp_path / "nowhere"))
    assert not (tmp_path / "nowhere").exists()
