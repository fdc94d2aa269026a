from hypothesis import given
from hypothesis import strategies as st

from acronis_pipeline.reporting.questions import Span, excerpt


def said(spans: tuple[Span, ...]) -> str:
    return " ".join(span.text for span in spans)


def marked(spans: tuple[Span, ...]) -> list[str]:
    return [span.text for span in spans if span.asked]


def test_excerpt_is_the_part_that_speaks_of_the_question() -> None:
    text = f"{'filler words here ' * 60} restoring a mailbox takes minutes {'and more of it ' * 60}"
    spans = excerpt(text, "How do I restore mailboxes?")
    assert marked(spans) == ["restoring", "mailbox"]
    assert spans[0].text == spans[-1].text == "…"


def test_short_passage_is_shown_whole_without_its_markup() -> None:
    spans = excerpt(
        "## Trial\n\nA **free** `trial` of *30* days:\n\n| plan | days |\n|---|---|\n| all | 30 |", "trial?"
    )
    assert said(spans) == "Trial A free trial of 30 days: plan days all 30"
    assert marked(spans) == ["Trial", "trial"]


def test_word_without_end_is_cut() -> None:
    assert len(said(excerpt("x" * 100_000, "x"))) < 100


@given(st.text(max_size=2_000), st.text(max_size=200))
def test_excerpt_of_anything_is_short(text: str, query: str) -> None:
    assert len(said(excerpt(text, query)).split()) <= 47
