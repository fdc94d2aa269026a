from pathlib import Path

import pytest

from acronis_pipeline.chunk import health, refresh
from acronis_pipeline.chunk.pages import refusal
from acronis_pipeline.core.settings import ChunkSettings
from acronis_pipeline.store import Store
from acronis_pipeline_tests.chunk.builders import budget, content_of, counter, html_page, put_pages

LONG = "<h1>Plans</h1><p>" + "A plan runs every night and keeps thirty versions of each file. " * 60 + "</p>"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(str(tmp_path))
    put_pages(store, {"plans": html_page(LONG), "restore": html_page(LONG.replace("plan", "copy"))})
    return store


def test_passages_within_the_encoder_and_no_page_lost_is_fine(store: Store):
    refresh(store, budget(256), counter())
    assert health(store, 512).problems == ()
    assert health(store, None).problems == ()


def test_whole_pages_beyond_the_encoder_are_told(store: Store):
    refresh(store, ChunkSettings(strategy="page"), counter())
    (problem,) = health(store, 512).problems
    assert problem.startswith("2 of 2 passages are longer than the 512 tokens")


def test_many_pages_without_a_passage_are_told(store: Store):
    put_pages(store, {"empty": "<html></html>"})
    refresh(store, budget(256), counter())
    (problem,) = health(store, 512).problems
    assert problem.startswith("1 of 3 live pages have no passage")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Sorry, the page you are looking for could not be found. Try the search.", "soft 404"),
        ("The document that you requested is no longer available.", "soft 404"),
        ("We couldn’t find that page. Go to the start page instead.", "soft 404"),
        ("This page is under construction. Please check back later.", "placeholder"),
        ("Coming soon: a guide to bare-metal restore of servers.", "placeholder"),
        ("TODO write the guide to bare-metal restore of servers.", "placeholder"),
        ("This page intentionally left blank for your notes.", "placeholder"),
        ("Support of tapes is coming soon; until then use disks.", None),
        ("If a file could not be found, the restore goes on with the next one.", None),
        ("See below.", "stub"),
    ],
)
def test_short_pages_that_answer_nothing_are_refused_by_what_they_say(text: str, reason: str | None):
    assert refusal(content_of(f"<h1>Restore</h1><p>{text}</p>")) == reason


def test_long_pages_about_such_words_are_kept():
    body = (
        "<h1>Errors</h1><p>The page you are looking for could not be found.</p>"
        + "<p>How to solve this error.</p>" * 20
    )
    assert refusal(content_of(body)) is None
