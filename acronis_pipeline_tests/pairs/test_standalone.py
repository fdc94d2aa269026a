import pytest

from acronis_pipeline.pairs.generator import Candidate
from acronis_pipeline.pairs.site_words import SiteWords, is_anchored, leans_on_its_passage
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
        "Will any additional elements after the first one be ignored?",
        "What do the displayed results include?",
        "What happens if there is a match?",
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


@pytest.mark.parametrize(
    ("query", "is_clear"),
    [
        ("what is the timeout", False),
        ("what should I do if the restore starts", False),
        ("what is the chunkTimeout", True),
        ("does the gateway need a timeout", True),
        ("what is the timeout of room mailboxes", True),
        ("how can I set up room mailboxes", True),
        ("how can I start the restore", False),
        ("is the timeout changed unnoticed", False),
    ],
)
def test_an_evaluated_question_names_which_part_of_the_site_it_is_about(query: str, is_clear: bool):
    said = "The timeout of a restore starts with the first backup."
    pages = [
        chunk(
            f"{said}{' Room mailboxes have none.' if n < 5 else ''}", url=f"https://docs.example/{n}", title=f"Part {n}"
        )
        for n in range(9)
    ]
    one = chunk(
        f"{said} The gateway has a chunkTimeout, changed unnoticed.",
        title="Room mailboxes",
        heading_path=["Starting the restore"],
    )
    site = SiteWords([*pages, one], [query])
    assert is_anchored(Candidate(query, one.chunk_id, "question", "structural", "h"), one, site) == is_clear
