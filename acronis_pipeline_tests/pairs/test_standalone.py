import pytest

from acronis_pipeline.pairs.generator import Candidate
from acronis_pipeline.pairs.standalone import leans_on_its_passage
from acronis_pipeline_tests.pairs.builders import chunk

PASSAGE = chunk("Velero backs up cluster resources.", title="About Velero")


def leans(query: str, style: str = "question") -> bool:
    return leans_on_its_passage(Candidate(query, PASSAGE.chunk_id, style, "llm", "hash"), PASSAGE)


@pytest.mark.parametrize(
    "query",
    [
        "Which one fits?",
        "Which of these plans is cheaper?",
        "What does this page describe?",
        "How many steps does the passage list?",
        "What does it do with old backups?",
        "How do I restore?",
        "Can I run this with Docker?",
        "What is described above about retention?",
    ],
)
def test_a_question_that_points_at_something_unnamed_does_not_stand_alone(query: str):
    assert leans(query)


@pytest.mark.parametrize(
    "query",
    [
        "What is Velero?",
        "Is it possible to pause a backup plan?",
        "How long does it take to restore a mailbox?",
        "If a backup fails, will it start again?",
        "get back my mail",
        "Which storage class fits archives?",
    ],
)
def test_a_question_that_names_what_it_is_about_stands_alone(query: str):
    assert not leans(query)


def test_what_is_typed_into_a_search_box_and_other_languages_are_not_judged():
    assert not leans("this page", style="keyword")
    german = chunk("Text", language="de")
    assert not leans_on_its_passage(Candidate("Was tut es?", german.chunk_id, "question", "llm", "hash"), german)
