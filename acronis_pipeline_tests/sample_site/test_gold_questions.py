"""The gold questions: complete, answerable, and not a copy of the pages."""

import re

import yaml

from acronis_pipeline.sample_site import GOLD_FILE, load_site
from acronis_pipeline.sample_site.content import Page

CUSTOMER_QUESTIONS = [
    "How quickly can the software restore data during a crisis?",
    "What is the service's recovery point objective (RPO)?",
    "Is there a trial period?",
    "Does the software offer versioning support, i.e. can it keep multiple versions of the same file?",
]
STOP_WORDS = frozenset(
    """
    a about after all also am an and any are as at be been before but by can could do does did for from get go had has
    have how i if in is it its just me my no not now of on once one only or other our out over put so some than that
    the their them then there these they this to too up us was we what when where which who why will with you your
    """.split()
)


def load_questions() -> list[dict]:
    return yaml.safe_load(GOLD_FILE.read_text("utf-8"))


def content_words(text: str) -> set[str]:
    words = re.findall(r"[a-z0-9]+", text.lower().replace("'", ""))
    return {re.sub(r"(?:ies|es|s|ing|ed)$", "", word) for word in words if word not in STOP_WORDS}


def heading_words(page: Page) -> set[str]:
    headings = re.findall(r"<(?:h[23]|summary)[^>]*>(.*?)</(?:h[23]|summary)>", page.body, re.DOTALL)
    return content_words(" ".join([page.title, *headings]))


def test_customer_questions_come_first() -> None:
    assert [entry["question"] for entry in load_questions()[:4]] == CUSTOMER_QUESTIONS


def test_there_are_enough_and_none_twice() -> None:
    questions = [entry["question"] for entry in load_questions()]
    assert len(questions) >= 60
    assert len(questions) == len(set(questions))
    assert all(isinstance(question, str) for question in questions)


def test_entries_have_only_the_fields_of_the_format() -> None:
    for entry in load_questions():
        assert {"question", "expected_urls"} <= set(entry) <= {"question", "expected_urls", "answer"}, entry


def test_expected_pages_exist_and_may_be_crawled() -> None:
    pages = load_site().pages
    for entry in load_questions():
        assert entry["expected_urls"], entry
        for path in entry["expected_urls"]:
            assert path in pages, path
            assert not path.startswith("/internal/")


def test_most_of_the_site_is_asked_about() -> None:
    asked = {path for entry in load_questions() for path in entry["expected_urls"]}
    assert len(asked) >= 0.9 * len(load_site().pages)


def test_questions_share_few_words_with_the_headings_of_their_pages() -> None:
    pages = load_site().pages
    shares = []
    for entry in load_questions()[4:]:
        words = content_words(entry["question"])
        shares.append(
            max(len(words & heading_words(pages[path])) / len(words) for path in entry["expected_urls"]) if words else 0
        )
    assert sum(shares) / len(shares) < 0.15
